"""A quick look at values files, so that a thousand of them cost tens of milliseconds.

It accepts only what it can be sure about: lines of ``key: value`` in plain words. Whatever else stands in a file
(quotes, anchors, block scalars, flow collections over several lines, a key that may be there twice) is left to the
full reader, which also says where an error is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import yaml

from clusterops.model.document import resolve_scalar

_LINE: Final = re.compile(r"( *)((?:- +)*)(?:([A-Za-z][A-Za-z0-9_./-]*):(?: +(.*))?|([^\s:][^:]*))")
_HARD: Final = re.compile(r"[\"'&*!|>%@`?\t\r\x00-\x08\x0b-\x1f\x7f]|<<|---|\.\.\.")
_COMMENT: Final = re.compile(r"(?:^| +)#.*")
_FLOW_WORD: Final = re.compile(r"[\[{,]\s*([^\s\[\]{},:]+)")
_BLOCK: Final = "clusterops"


@dataclass(frozen=True, slots=True)
class QuickLook:
    """The top level's keys, and the text of the ``clusterops:`` block with its key, "" when there is none."""

    keys: frozenset[str]
    block: str


def look_quickly(text: bytes) -> QuickLook | None:
    """None when the full reader has to decide; otherwise a mapping without a key that is there twice."""
    try:
        lines = [_without_comment(line) for line in text.decode("ascii").split("\n")]
    except UnicodeDecodeError:
        return None
    scan = _Scan()
    if _HARD.search("\n".join(lines)) or not all(map(scan.take, lines)) or not scan.top:
        return None
    return QuickLook(frozenset(scan.top), "\n".join(scan.block)) if _is_yaml(text) else None


def _without_comment(line: str) -> str:
    return (_COMMENT.sub("", line) if "#" in line else line).rstrip(" ")


class _Scan:
    """The keys seen so far in the mapping that is open at each column."""

    def __init__(self) -> None:
        self.block: list[str] = []
        self._open: dict[int, set[str]] = {}
        self._in_block = False

    @property
    def top(self) -> set[str]:
        return self._open.get(0, set())

    def take(self, line: str) -> bool:
        """False when the line is beyond a quick look."""
        if not line:
            return True
        if (found := _LINE.fullmatch(line)) is None:
            return False
        indent, dashes, key, value, item = found.groups()
        if not indent and not dashes:
            self._in_block = key == _BLOCK
        if self._in_block:
            self.block.append(line)
        return self._enter(len(indent), len(indent) + len(dashes), key) and _is_simple(value or item or "")

    def _enter(self, line_column: int, key_column: int, key: str | None) -> bool:
        """A line ends the mappings that lie deeper; those of its own column go on, also behind a dash there."""
        first_ended = line_column + 1
        for column in [column for column in self._open if column >= first_ended]:
            del self._open[column]
        if key is None:
            return key_column > 0
        seen = self._open.setdefault(key_column, set())
        fresh = key not in seen and isinstance(resolve_scalar(key), str)
        seen.add(key)
        return fresh


def _is_simple(value: str) -> bool:
    """A plain scalar, or flow collections that end on this line and repeat no word."""
    if "{" not in value and "[" not in value:
        return True
    words = [str(resolve_scalar(word)) for word in _FLOW_WORD.findall(value)]
    closed = value.count("{") == value.count("}") and value.count("[") == value.count("]")
    return closed and len(set(words)) == len(words)


def _is_yaml(text: bytes) -> bool:
    loader = yaml.CSafeLoader(text)
    try:
        loader.raw_parse()
    except yaml.YAMLError:
        return False
    finally:
        loader.dispose()
    return True
