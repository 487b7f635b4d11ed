"""One value of a YAML file changed at its place: comments, order, quotes and everything else stay byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.edit.places import Place, places_of
from clusterops.edit.spelling import block_text, flow_text, key_text, scalar_like
from clusterops.errors import TerminalError
from clusterops.model.document import Pointer, load_documents
from clusterops.model.plan import MISSING

_STEP: Final = 2
_SOPS: Final = "sops"
"""**Source:** getsops/sops: the key of its metadata in each file that it encrypts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """``line`` (1-based) is where the value stands in ``text``; ``before`` is MISSING where nothing was set."""

    text: str
    line: int
    before: Any
    after: Any


def set_value(text: str, pointer: Pointer, value: Any, *, path: str, document: int = 0) -> Written:
    """Replaces a scalar or a flow value, or adds a key to the nearest map that is there.

    ``document`` counts those of the file that are not empty. Raises TerminalError ``edit-not-possible`` where that
    cannot be done without touching anything else, and what ``load_documents`` raises.
    """
    before = [each.value for each in load_documents(text, path)]
    _refuse_encrypted(before, path)
    wanted = _with(before, document, pointer, value, path)
    roots = places_of(text)
    root = roots[document] if document < len(roots) else None
    edited, at = _edited(text, root, pointer, value, path)
    _check(edited, wanted, path, _line(text, at))
    old = value_under(before[document] if document < len(before) else {}, pointer)
    return Written(text=edited, line=_line(edited, at), before=old, after=value)


def _refuse_encrypted(documents: list[Any], path: str) -> None:
    """SOPS signs all values of a file together: one that is changed beside it makes the whole unreadable."""
    if any(isinstance(each, Mapping) and _SOPS in each for each in documents):
        message, hint = "is encrypted with SOPS, which has to sign each change", f"`sops {path}` opens it in an editor"
        raise TerminalError("edit-not-possible", "", message, hint=hint, path=path)


def _edited(text: str, root: Place | None, pointer: Pointer, value: Any, path: str) -> tuple[str, int]:
    """The new text, and the offset at which it was changed."""
    if root is None:
        return _appended(text, pointer, value)
    place, rest = root.nearest(pointer)
    if not rest:
        return _replaced(text, place, value, path)
    if place.kind == "map" and not isinstance(rest[0], int):
        return _added(text, place, rest, value)
    if place.is_null(text):
        nested = flow_text(_nested(rest, value))
        gap = " " if place.start == place.end and text[place.start - 1 : place.start] in {":", "-"} else ""
        return text[: place.start] + gap + nested + text[place.end :], place.start
    found = "an alias" if place.kind == "alias" else "no map"
    raise _impossible(path, _line(text, place.start), f"{_words(pointer)} cannot be set: what is above it is {found}")


def _replaced(text: str, place: Place, value: Any, path: str) -> tuple[str, int]:
    if place.kind in {"map", "list"} and not place.flow:
        line = _line(text, place.start)
        raise _impossible(path, line, "the value is a map or a list of several lines, with comments of its own")
    if place.style in {"|", ">"}:
        new, end = block_text(text[place.start : place.end], value)
        return text[: place.start] + new + text[place.start + end :], place.start
    new = scalar_like(value, place.style, in_flow=place.in_flow)
    gap = " " if place.start == place.end and text[place.start - 1 : place.start] in {":", "-"} else ""
    return text[: place.start] + gap + new + text[place.end :], place.start


def _added(text: str, place: Place, rest: Pointer, value: Any) -> tuple[str, int]:
    if place.flow:
        (key,) = rest[:1]
        entry = f"{key_text(str(key))}: {flow_text(_nested(rest[1:], value))}"
        if not place.children:
            return text[: place.end - 1] + entry + text[place.end - 1 :], place.end - 1
        at = place.children[-1][1].last
        return text[:at] + f", {entry}" + text[at:], at + 2
    at = _line_end(text, place.last)
    lines = _lines(rest, value, indent=place.column, step=_step(place))
    return _inserted(text, at, lines, step_down=len(rest) - 1)


def _appended(text: str, pointer: Pointer, value: Any) -> tuple[str, int]:
    return _inserted(text, len(text), _lines(pointer, value, indent=0, step=_STEP), step_down=len(pointer) - 1)


def _inserted(text: str, at: int, lines: list[str], *, step_down: int) -> tuple[str, int]:
    """Whole lines at the beginning of one; ``step_down`` of them stand above the value."""
    newline = "\r\n" if "\r\n" in text else "\n"
    glue = newline if at and text[at - 1] != "\n" else ""
    block = glue + "".join(line + newline for line in lines)
    offset = at + len(glue) + sum(len(line) + len(newline) for line in lines[:step_down])
    return text[:at] + block + text[at:], offset


def _lines(pointer: Pointer, value: Any, *, indent: int, step: int) -> list[str]:
    heads = [f"{' ' * (indent + depth * step)}{key_text(str(key))}:" for depth, key in enumerate(pointer)]
    return [*heads[:-1], f"{heads[-1]} {flow_text(value, in_flow=False)}"]


def _step(place: Place) -> int:
    """How far the file indents, as seen in the maps of this one."""
    nested = (child for _, child in place.children if child.kind == "map" and not child.flow)
    return next((child.column - place.column for child in nested if child.column > place.column), _STEP)


def _line_end(text: str, at: int) -> int:
    """The beginning of the next line; ``at`` itself where a line begins there."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _nested(keys: Pointer, value: Any) -> Any:
    for key in reversed(keys):
        value = {str(key): value}
    return value


def _with(documents: list[Any], document: int, pointer: Pointer, value: Any, path: str) -> list[Any]:
    """What the file must mean afterwards."""
    changed = list(documents) or [{}]
    if not pointer or value is MISSING or document >= len(changed):
        raise _impossible(path, 0, "there is no such value to set")
    try:
        changed[document] = _set(changed[document], pointer, value)
    except (TypeError, IndexError) as error:
        raise _impossible(path, 0, f"{_words(pointer)} cannot be set: what is above it is no map") from error
    return changed


def _set(tree: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return value
    head, rest = pointer[0], pointer[1:]
    if isinstance(tree, list) and isinstance(head, int):
        return [*tree[:head], _set(tree[head], rest, value), *tree[head + 1 :]]
    if isinstance(tree, Mapping) or tree is None:
        below = dict(tree or {})
        return {**below, str(head): _set(below.get(str(head)), rest, value)}
    raise TypeError(type(tree).__name__)


def value_under(tree: Any, pointer: Pointer) -> Any:
    """MISSING where there is none."""
    for part in pointer:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return tree


def _check(text: str, wanted: list[Any], path: str, line: int) -> None:
    """Whatever the file looks like: nothing else may mean something else now."""
    try:
        found = [each.value for each in load_documents(text, path)]
    except TerminalError as error:
        raise _impossible(path, line, "the value is used elsewhere in the file, or written in a rare way") from error
    if not _same(found, wanted):
        raise _impossible(path, line, "another value of the file would change with it")


def _same(one: Any, other: Any) -> bool:
    """``1`` and ``true`` are equal in Python and two values in YAML."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _words(pointer: Pointer) -> str:
    return ".".join(map(str, pointer))


def _impossible(path: str, line: int, message: str) -> TerminalError:
    return TerminalError(
        "edit-not-possible", "", message, hint="edit the file by hand; nothing was changed", path=path, line=line
    )
