"""The value form of an error: what a status, a report row and a screen hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from clusterops.errors import ClusterOpsError, RefusedError, TerminalError, TransientError


class Retry(StrEnum):
    """What ends the problem."""

    BACKOFF = "backoff"
    NEW_REVISION = "new-revision"
    HUMAN = "human"


_FAMILIES: Final[dict[Retry, type[ClusterOpsError]]] = {
    Retry.BACKOFF: TransientError,
    Retry.NEW_REVISION: TerminalError,
    Retry.HUMAN: RefusedError,
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One line for people, one code for machines; the fields are those of ``ClusterOpsError``."""

    code: str
    subject: str
    message: str
    hint: str = ""
    path: str = ""
    line: int = 0
    column: int = 0
    retry: Retry = Retry.NEW_REVISION

    @classmethod
    def of(cls, error: ClusterOpsError) -> Problem:
        return cls(
            code=error.code,
            subject=error.subject,
            message=error.message,
            hint=error.hint,
            path=error.path,
            line=error.line,
            column=error.column,
            retry=_retry_of(error),
        )

    def error(self) -> ClusterOpsError:
        """The inverse of ``of``: the error of the family that ``retry`` names."""
        family = _FAMILIES[self.retry]
        return family(
            self.code,
            self.subject,
            self.message,
            hint=self.hint,
            path=self.path,
            line=self.line,
            column=self.column,
        )

    def struck(self, strike: Callable[[str], str]) -> Problem:
        """With each of its texts as ``strike`` leaves it."""
        return replace(self, subject=strike(self.subject), message=strike(self.message), hint=strike(self.hint))

    def to_body(self) -> dict[str, Any]:
        """The JSON form: the fields that are known, with ``text``, the one line for people."""
        fields = {
            "code": self.code,
            "subject": self.subject,
            "message": self.message,
            "hint": self.hint,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "text": self.text,
        }
        return {name: value for name, value in fields.items() if value}

    @property
    def text(self) -> str:
        """``path:line:column: subject: message (code)``, the parts that are known."""
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return f"{': '.join(part for part in (place, self.subject, self.message) if part)} ({self.code})"


class SeveralProblems(TerminalError):
    """All that is wrong with one thing, found at once; the first of ``problems`` (never empty) is the error."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(
            first.code,
            first.subject,
            first.message,
            hint=first.hint,
            path=first.path,
            line=first.line,
            column=first.column,
        )


def _retry_of(error: ClusterOpsError) -> Retry:
    return next((retry for retry, family in _FAMILIES.items() if isinstance(error, family)), Retry.NEW_REVISION)
