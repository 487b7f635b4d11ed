"""YAML as Kubernetes reads it, with the line and column of every value.

**Source:** sigs.k8s.io/yaml v1.6.0 (go.yaml.in/yaml/v2 resolve.go and decode.go, then JSON): YAML 1.1 booleans and
nulls, no timestamps, no sexagesimal numbers, octal by leading zero, underscores in numbers, string keys, whole floats
as integers.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final

import yaml

from clusterops.errors import TerminalError

Pointer = tuple[str | int, ...]

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUES: Final = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
_FALSES: Final = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"})
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_NULLS, None),
    **dict.fromkeys(_TRUES, True),
    **dict.fromkeys(_FALSES, False),
}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INT: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))\Z")
_LARGEST: Final = 2**64 - 1
_SMALLEST: Final = -(2**63)
_LONGEST_WHOLE: Final = 1e21
"""**Source:** Go encoding/json floatEncoder writes an exponent from here on, which is then no integer any more."""
_MOST_NODES: Final = 2_000_000
"""Aliases may make a small text endless; nobody's manifests have that many values."""


@dataclass(frozen=True, slots=True)
class Mark:
    """1-based."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document. ``marks`` gives the place of each value; a mapping entry's key place is in ``key_marks``."""

    path: str
    value: Any
    marks: Mapping[Pointer, Mark] = field(repr=False)
    key_marks: Mapping[Pointer, Mark] = field(repr=False)

    def mark(self, pointer: Pointer) -> Mark:
        """Of the value, else of its nearest known parent."""
        while pointer and pointer not in self.marks:
            pointer = pointer[:-1]
        return self.marks.get(pointer, Mark(1, 1))

    def key_mark(self, pointer: Pointer) -> Mark:
        return self.key_marks.get(pointer) or self.mark(pointer)


def load_documents(text: bytes | str, path: str) -> tuple[Document, ...]:
    """All documents of a file, empty ones left out.

    Raises TerminalError ``yaml-syntax`` or ``yaml-duplicate-key`` with file, line and column.
    """
    return tuple(
        _guarded(partial(_Marked(path).document, node), path)
        for node in _compose_all(_text_of(text, path), path)
        if not _is_empty(node)
    )


def load_document(text: bytes | str, path: str) -> Document:
    """Exactly one document; an empty file is an empty mapping. Raises also ``yaml-documents``."""
    documents = load_documents(text, path)
    if len(documents) > 1:
        raise TerminalError(
            "yaml-documents",
            "",
            "holds more than one document, one is expected",
            hint="take out the line `---` between them, and one of the two",
            path=path,
        )
    return documents[0] if documents else Document(path=path, value={}, marks={}, key_marks={})


def compose_document(text: bytes | str, path: str) -> yaml.MappingNode:
    """The nodes of a text that ``load_document`` reads as a mapping: how each scalar is written."""
    nodes = [node for node in _compose_all(_text_of(text, path), path) if not _is_empty(node)]
    return nodes[0] if nodes and isinstance(nodes[0], yaml.MappingNode) else yaml.MappingNode("", [])


def load_values(text: bytes | str, path: str) -> list[Any]:
    """The plain values of all documents, empty ones left out; fast, without places. A repeated key: the last wins.

    Raises TerminalError ``yaml-syntax``.
    """
    nodes = [node for node in _compose_all(_text_of(text, path), path) if not _is_empty(node)]
    return [_guarded(partial(_Plain(path).convert, node), path) for node in nodes]


@lru_cache(maxsize=16384)
def resolve_scalar(text: str) -> Any:
    """What an unquoted scalar means: None, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isdigit() or first in "+-":
        return _number(text)
    return _fraction(text) if first == "." and _FLOAT.match(text) else text


def excerpt(text: str, line: int, column: int, length: int = 0) -> str:
    """The line (1-based) with its number, and carets under ``length`` characters from ``column``; "" when not there.

    ``length`` 0 or 1: to the end of the scalar that begins there. ``column`` 0: no carets.
    """
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    source = lines[line - 1].expandtabs(1).rstrip()
    number = f"{line:>5} | "
    if column < 1:
        return number + source
    span = length if length > 1 else _scalar_length(source[column - 1 :])
    carets = "^" * max(1, min(span, len(source) - column + 1))
    return f"{number}{source}\n{' ' * 5} | {' ' * (column - 1)}{carets}"


_SCALAR: Final = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^,:\[\]{}#\s]+(?::[^,\s\[\]{}]+)*""")


def _scalar_length(rest: str) -> int:
    found = _SCALAR.match(rest)
    return len(found.group()) if found else 1


def _number(text: str) -> Any:
    plain = text.replace("_", "")
    whole = _INT.match(plain)
    if whole is not None:
        number = _whole(*whole.groups())
        if _SMALLEST <= number <= _LARGEST:
            return number
    return _fraction(plain, text) if _FLOAT.match(plain) else text


def _whole(sign: str, hexadecimal: str | None, binary: str | None, octal: str | None, decimal: str | None) -> int:
    for digits, base in ((decimal, 10), (hexadecimal, 16), (octal, 8), (binary, 2)):
        if digits is not None:
            return -int(digits, base) if sign == "-" else int(digits, base)
    return 0


def _fraction(plain: str, text: str = "") -> Any:
    value = float(plain)
    if not math.isfinite(value):
        return text or plain
    return int(value) if value.is_integer() and abs(value) < _LONGEST_WHOLE else value


PLAIN_TAG: Final = "clusterops,plain"
"""Of an unquoted scalar in ``compose_document``, which other readers may resolve otherwise."""
_TEXT_TAG: Final = "clusterops,text"
_RESOLVED_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))
_BINARY_TAG: Final = "tag:yaml.org,2002:binary"
_MERGE_KEY: Final = "<<"


class _Composer(yaml.CSafeLoader):
    """The C parser, with one tag for scalars that resolve_scalar decides and one for all others."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        return PLAIN_TAG if kind is yaml.ScalarNode and implicit[0] else _TEXT_TAG

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


def _scalar(node: yaml.Node) -> Any:
    if node.tag == PLAIN_TAG:
        return resolve_scalar(node.value)
    if node.tag in _RESOLVED_TAGS:
        return resolve_scalar(str(node.value))
    if node.tag == _BINARY_TAG:
        return _binary(str(node.value))
    return str(node.value)


def _binary(text: str) -> str:
    try:
        return base64.b64decode(text, validate=False).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


class _Plain:
    """Converts one document's nodes to values."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left = _MOST_NODES

    def convert(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self._left -= len(node.value) + 1
        if self._left < 0:
            raise _too_much(self._path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        return [self.convert(item) for item in node.value]

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            if key_node.value == _MERGE_KEY and key_node.tag == PLAIN_TAG:
                merged.extend(_merge_sources(value_node))
            else:
                mapping[_key_text(self.convert(key_node))] = self.convert(value_node)
        for source in merged:
            for key, value in self._mapping(source).items():
                mapping.setdefault(key, value)
        return mapping


class _Marked:
    """The same with places, and with repeated keys refused: what people write, not what programs print."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._marks: dict[Pointer, Mark] = {}
        self._key_marks: dict[Pointer, Mark] = {}

    def document(self, root: yaml.Node) -> Document:
        value = self._convert(root, ())
        return Document(path=self._path, value=value, marks=self._marks, key_marks=self._key_marks)

    def _convert(self, node: yaml.Node, pointer: Pointer) -> Any:
        self._marks.setdefault(pointer, _mark_of(node))
        if len(self._marks) > _MOST_NODES:
            raise _too_much(self._path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer)
        if isinstance(node, yaml.SequenceNode):
            return [self._convert(item, (*pointer, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, pointer: Pointer) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            if key_node.value == _MERGE_KEY and key_node.tag == PLAIN_TAG:
                merged.extend(_merge_sources(value_node))
                continue
            key = _key_text(_Plain(self._path).convert(key_node))
            if key in mapping:
                raise self._repeated(key, key_node, (*pointer, key))
            self._key_marks[(*pointer, key)] = _mark_of(key_node)
            mapping[key] = self._convert(value_node, (*pointer, key))
        for source in merged:
            self._merge(source, mapping, pointer)
        return mapping

    def _merge(self, source: yaml.MappingNode, mapping: dict[str, Any], pointer: Pointer) -> None:
        # Into maps of its own first, so that a key which stays overridden leaves no places behind.
        own = _Marked(self._path)
        for key, value in own._mapping(source, pointer).items():
            if key in mapping:
                continue
            mapping[key] = value
            place = (*pointer, key)
            for known, theirs in ((self._marks, own._marks), (self._key_marks, own._key_marks)):
                known.update({at: mark for at, mark in theirs.items() if at[: len(place)] == place})

    def _repeated(self, key: str, node: yaml.Node, pointer: Pointer) -> TerminalError:
        here, first = _mark_of(node), self._key_marks[pointer]
        return TerminalError(
            "yaml-duplicate-key",
            "",
            f"key {key!r} is already set in line {first.line}",
            hint="keep one of the two",
            path=self._path,
            line=here.line,
            column=here.column,
        )


def _merge_sources(node: yaml.Node) -> list[yaml.MappingNode]:
    sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [source for source in sources if isinstance(source, yaml.MappingNode)]


def _mark_of(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _guarded(convert: Callable[[], Any], path: str) -> Any:
    try:
        return convert()
    except RecursionError as error:
        raise TerminalError(
            "yaml-syntax",
            "",
            "is nested too deeply, or an alias contains itself",
            hint="write out what `*NAME` stands for",
            path=path,
        ) from error


def _too_much(path: str) -> TerminalError:
    return TerminalError(
        "yaml-syntax",
        "",
        f"holds more than {_MOST_NODES:,} values once its aliases are put in",
        hint="split the file, or write out what `*NAME` stands for",
        path=path,
    )


def _text_of(text: bytes | str, path: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise TerminalError(
            "yaml-syntax", "", "is not UTF-8 text", hint="save the file as UTF-8", path=path, line=line
        ) from error


def _compose_all(text: str, path: str) -> Iterator[yaml.Node]:
    try:
        loader = _Composer(text)
    except yaml.YAMLError as error:
        raise _syntax_error(error, path) from error
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    except yaml.YAMLError as error:
        raise _syntax_error(error, path) from error
    finally:
        loader.dispose()


def _syntax_error(error: yaml.YAMLError, path: str) -> TerminalError:
    """At the place of the problem; at what was left open where the text ends before it is closed."""
    found, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    mark = found or begun
    if found and begun and begun.line != found.line:
        what = f"{what} for what begins in line {begun.line + 1}"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return TerminalError(
        "yaml-syntax",
        "",
        f"not YAML: {what}",
        hint="look here and just above for an open bracket or quote, a tab, or an indentation that is off",
        path=path,
        line=line,
        column=column,
    )


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == PLAIN_TAG and node.value in _NULLS
