"""What a schema is made of: shapes that say what they want, and findings that say where a value is something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final, Protocol

from clusterops.model.document import Document, Pointer
from clusterops.model.problem import Problem
from clusterops.model.windows import is_time_zone, parse_spans

_SHOWN: Final = 60
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:ms|[smhd]))+")
_SHARE: Final = re.compile(r"(?:100|[0-9]{1,2})%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with one value; ``at_key`` points at the key instead of the value."""

    code: str
    pointer: Pointer
    message: str
    hint: str = ""
    at_key: bool = False

    def problem(self, document: Document) -> Problem:
        mark = document.key_mark(self.pointer) if self.at_key else document.mark(self.pointer)
        return Problem(
            code=self.code,
            subject=pointer_text(self.pointer),
            message=self.message,
            hint=self.hint,
            path=document.path,
            line=mark.line,
            column=mark.column,
        )


class Shape(Protocol):
    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        """What is wrong, in the order of the schema; nothing when the value is right. ``value`` is never None."""


def pointer_text(pointer: Pointer) -> str:
    """``network.pods[0]``"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.removeprefix(".")


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def type_finding(value: Any, pointer: Pointer, *, wanted: str, hint: str = "") -> Finding:
    return Finding(code="value-type", pointer=pointer, message=f"{shown(value)} is not {wanted}", hint=hint)


def format_finding(value: Any, pointer: Pointer, *, wanted: str, hint: str = "") -> Finding:
    return Finding(code="value-format", pointer=pointer, message=f"{shown(value)} is not {wanted}", hint=hint)


@dataclass(frozen=True, slots=True)
class Text:
    """A string, of one ``pattern`` when it has one; "" only where ``empty`` means something."""

    wanted: str = "a text"
    pattern: str = ""
    example: str = ""
    empty: bool = False

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        hint = f"for example `{self.example}`" if self.example else ""
        if not isinstance(value, str):
            yield type_finding(value, pointer, wanted=self.wanted, hint=hint or "put it in quotes")
        elif not self._fits(value):
            yield format_finding(value, pointer, wanted=self.wanted, hint=hint)

    def _fits(self, value: str) -> bool:
        if not value:
            return self.empty
        return not self.pattern or re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class Choice:
    words: tuple[str, ...]

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if value not in self.words:
            close = get_close_matches(str(value), self.words, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"for example `{self.words[0]}`"
            yield format_finding(value, pointer, wanted=f"one of {', '.join(self.words)}", hint=hint)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, not below ``least``."""

    least: int = 0

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        hint = f"for example `{self.least + 2}`"
        if isinstance(value, bool) or not isinstance(value, int):
            yield type_finding(value, pointer, wanted="a whole number", hint=hint)
        elif value < self.least:
            yield format_finding(value, pointer, wanted=f"{self.least} or more", hint=hint)


@dataclass(frozen=True, slots=True)
class Flag:
    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not isinstance(value, bool):
            yield type_finding(value, pointer, wanted="true or false", hint="without quotes")


@dataclass(frozen=True, slots=True)
class Duration:
    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not (isinstance(value, str) and _DURATION.fullmatch(value)):
            yield format_finding(value, pointer, wanted="a duration", hint="for example `30m` or `1h30m`")


@dataclass(frozen=True, slots=True)
class Share:
    """A count, or a share of what there is."""

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if isinstance(value, str) and _SHARE.fullmatch(value):
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield format_finding(value, pointer, wanted="a count or a percentage", hint="for example `3` or `10%`")


@dataclass(frozen=True, slots=True)
class Day:
    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not (isinstance(value, str) and _is_day(value)):
            yield format_finding(value, pointer, wanted="a day", hint="for example `2026-12-05`")


@dataclass(frozen=True, slots=True)
class WeekHours:
    """Days and hours of a week."""

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        hint = "for example `Mon-Thu 08:00-15:00, Sat 22:00-04:00`"
        if not isinstance(value, str):
            yield type_finding(value, pointer, wanted="days and hours", hint=hint)
            return
        try:
            parse_spans(value)
        except ValueError as error:
            yield format_finding(value, pointer, wanted="days and hours", hint=f"{error}; {hint}")


@dataclass(frozen=True, slots=True)
class TimeZone:
    """An IANA name that this machine knows."""

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        hint = "for example `Europe/Berlin`"
        if not isinstance(value, str):
            yield type_finding(value, pointer, wanted="a time zone", hint=hint)
        elif not is_time_zone(value):
            yield format_finding(value, pointer, wanted="a time zone", hint=hint)


@dataclass(frozen=True, slots=True)
class RepositoryPath:
    """A path inside the fleet repository, from its root."""

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not isinstance(value, str) or not value:
            yield type_finding(value, pointer, wanted="a path", hint="from the root of the repository")
        elif value.startswith(("/", "~")) or ".." in value.split("/"):
            message = f"{shown(value)} leaves the fleet repository"
            hint = "give a path from the root of the repository, without `..`"
            yield Finding(code="path-escapes", pointer=pointer, message=message, hint=hint)


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Shape

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not isinstance(value, list):
            yield type_finding(value, pointer, wanted="a list", hint="one `- ` per entry, or [a, b]")
            return
        for index, item in enumerate(value):
            yield from _check_present(self.item, item, (*pointer, index))


@dataclass(frozen=True, slots=True)
class MapOf:
    """Free keys, one shape of value; ``nullable`` where a null takes an inherited entry away."""

    value: Shape
    key: Shape = field(default_factory=Text)
    nullable: bool = False

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not isinstance(value, Mapping):
            yield type_finding(value, pointer, wanted="a mapping", hint="`key: value` lines, or {key: value}")
            return
        for key, item in value.items():
            yield from _as_keys(self.key.check(key, (*pointer, key)))
            if not (item is None and self.nullable):
                yield from _check_present(self.value, item, (*pointer, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a table. ``default`` and ``about`` are for people: errors and `clusterops init` show them."""

    shape: Shape
    required: bool = False
    default: str = ""
    about: str = ""
    later: bool = False
    """Checked, but a value that is not empty is refused: no room reads it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Named keys. ``rule`` sees the whole mapping when its keys are right; ``open`` lets other keys pass."""

    keys: Mapping[str, Key]
    of: str
    open: bool = False
    rule: Callable[[Mapping[str, Any], Pointer], Iterator[Finding]] | None = None

    def check(self, value: Any, pointer: Pointer) -> Iterator[Finding]:
        if not isinstance(value, Mapping):
            hint = f"its keys: {', '.join(self.keys)}"
            yield type_finding(value, pointer, wanted="a mapping", hint=hint)
            return
        found = [*self._unknown(value, pointer), *self._known(value, pointer)]
        yield from found
        if self.rule is not None and not found:
            yield from self.rule(value, pointer)

    def _unknown(self, value: Mapping[str, Any], pointer: Pointer) -> Iterator[Finding]:
        for key in value:
            if key not in self.keys and not self.open:
                yield self._unknown_key(key, (*pointer, key))

    def _unknown_key(self, key: str, pointer: Pointer) -> Finding:
        close = get_close_matches(key, self.keys, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(self.keys)}"
        return Finding(code="key-unknown", pointer=pointer, message=f"is no key of {self.of}", hint=hint, at_key=True)

    def _known(self, value: Mapping[str, Any], pointer: Pointer) -> Iterator[Finding]:
        for name, key in self.keys.items():
            here = (*pointer, name)
            if value.get(name) is None:
                if key.required:
                    yield _missing(here, key)
            else:
                yield from key.shape.check(value[name], here)
                if key.later and value[name]:
                    yield _not_yet(here)


def _missing(pointer: Pointer, key: Key) -> Finding:
    return Finding(
        code="key-missing",
        pointer=pointer,
        message="is missing",
        hint=key.about or f"add `{pointer[-1]}: …`",
        at_key=True,
    )


def _not_yet(pointer: Pointer) -> Finding:
    return Finding(
        code="not-supported-yet",
        pointer=pointer,
        message="is not supported by this release",
        hint="leave it out or empty; nothing is applied while it is set",
        at_key=True,
    )


def _check_present(shape: Shape, value: Any, pointer: Pointer) -> Iterator[Finding]:
    if value is None:
        yield Finding(code="key-missing", pointer=pointer, message="has no value", hint="give one, or remove the line")
    else:
        yield from shape.check(value, pointer)


def _as_keys(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield Finding(
            code=finding.code, pointer=finding.pointer, message=finding.message, hint=finding.hint, at_key=True
        )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-12-05")


def duration_s(text: str) -> float:
    """Seconds of a checked duration: ``1h30m`` is 5400."""
    return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9]+)(ms|[smhd])", text))


def without(value: Any, wrong: Iterable[Pointer]) -> Any:
    """A copy without the values at these places, so that the rest can be read as if it were right."""
    places = set(wrong)

    def copy(item: Any, pointer: Pointer) -> Any:
        if isinstance(item, Mapping):
            return {key: copy(child, (*pointer, key)) for key, child in item.items() if (*pointer, key) not in places}
        if isinstance(item, list):
            kept = ((index, child) for index, child in enumerate(item) if (*pointer, index) not in places)
            return [copy(child, (*pointer, index)) for index, child in kept]
        return item

    return copy(value, ())
