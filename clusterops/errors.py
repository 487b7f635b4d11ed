"""The three families of expected failures, told apart by what the controller does next.

ClusterOpsError
├── TransientError   back off and try the same revision again
├── TerminalError    wait for another revision or another configuration
└── RefusedError     a human key is missing; nothing was written

Everything else that is raised is a defect and is reported as ``internal-error``.
"""

from __future__ import annotations


class ClusterOpsError(Exception):
    """An expected failure: one line for people, one code for machines.

    ``code`` is kebab-case and belongs to one family only; ``subject`` says what it is about
    (``MachineDeployment fleet/web: apply``); ``message`` what is wrong; ``hint`` the next step; ``path``,
    ``line`` and ``column`` (1-based, 0 when unknown) where in the fleet repository.
    """

    def __init__(
        self,
        code: str,
        subject: str,
        message: str,
        *,
        hint: str = "",
        path: str = "",
        line: int = 0,
        column: int = 0,
    ) -> None:
        super().__init__(code, subject, message)
        self.code = code
        self.subject = subject
        self.message = message
        self.hint = hint
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return f"{': '.join(part for part in (place, self.subject, self.message) if part)} ({self.code})"


class TransientError(ClusterOpsError):
    """Likely to pass by itself: the same work is tried again with backoff."""


class TerminalError(ClusterOpsError):
    """Will not pass by itself: another revision or another configuration is needed."""


class RefusedError(ClusterOpsError):
    """Allowed only with a key that a person has to provide; nothing was written."""


class FieldConflict(TerminalError):
    """``field-owner-conflict``: an apply without force met fields that others own.

    ``conflicts`` are (field, manager) pairs in the server's words: ``(".spec.replicas", "kubectl-edit")``.
    """

    def __init__(
        self, subject: str, message: str, *, hint: str = "", conflicts: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__("field-owner-conflict", subject, message, hint=hint)
        self.conflicts = conflicts


class Defect(Exception):
    """One of ours whose own words may quote a secret: it says what kind it was, and its traceback where."""

    @classmethod
    def of(cls, error: Exception) -> Defect:
        """To be raised ``from None``."""
        return cls(type(error).__name__).with_traceback(error.__traceback__)
