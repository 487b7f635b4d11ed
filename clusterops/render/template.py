"""clusterctl templates: ``${VAR}`` with defaults and the other forms of drone/envsubst.

**Source:** github.com/drone/envsubst/v2 v2.0.0-20210730161058 (parse/parse.go, funcs.go, template.go) and Cluster API
v1.14.0 cmd/clusterctl/client/yamlprocessor/simple_processor.go (legacy blanks, when a variable is missing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from clusterops.errors import TerminalError

_LEGACY: Final = re.compile(r"\$\{\s*([A-Za-z0-9_$]+)\s*\}")
_NAME: Final = re.compile(r"\w+")
_DEFAULT_SIGNS: Final = (":=", ":-", ":?", ":+", "=")
_WORD_SIGNS: Final = ("##", "#", "%%", "%", "//", "/#", "/%", "/")
_CASES: Final[Mapping[str, Callable[[str], str]]] = {
    ",,": str.lower,
    "^^": str.upper,
    ",": lambda text: text[:1].lower() + text[1:],
    "^": lambda text: text[:1].upper() + text[1:],
}


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Variable:
    """``sign`` is what stands after the name; ``arguments`` are its words, each a row of parts."""

    name: str
    sign: str
    arguments: tuple[tuple[_Part, ...], ...]
    offset: int


_Part = _Text | _Variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A variable without value and default, where it is first used."""

    name: str
    path: str
    line: int


class Template:
    """One parsed template file. Raises TerminalError ``template-syntax`` with its line."""

    def __init__(self, text: str, path: str, *, subject: str = "") -> None:
        self._path = path
        self._text = _LEGACY.sub(r"${\1}", text)
        self._parts = _Parser(self._text, path, subject).parse()

    def missing(self, variables: Mapping[str, str]) -> Iterator[Missing]:
        """As clusterctl judges: the first use of a variable decides whether it has a default."""
        seen: set[str] = set()
        for part in self._parts:
            if not isinstance(part, _Variable) or part.name in seen:
                continue
            seen.add(part.name)
            if part.name not in variables and not any(part.arguments):
                line = self._text.count("\n", 0, part.offset) + 1
                yield Missing(name=part.name, path=self._path, line=line)

    def fill(self, variables: Mapping[str, str]) -> str:
        """A variable without value is empty here: ask ``missing`` first."""
        return _fill(self._parts, variables)


class _Parser:
    def __init__(self, text: str, path: str, subject: str) -> None:
        self._text = text
        self._path = path
        self._subject = subject
        self._at = 0

    def parse(self) -> tuple[_Part, ...]:
        return self._parts(stops="")

    def _parts(self, stops: str) -> tuple[_Part, ...]:
        """Text and variables up to one of ``stops`` outside a variable; ``$$`` outside one is ``$``."""
        parts: list[_Part] = []
        held: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in stops:
            if self._text.startswith("${", self._at):
                parts.append(_Text("".join(held)))
                held = []
                parts.append(self._variable())
            elif not stops and self._text.startswith("$$", self._at):
                held.append("$")
                self._at += 2
            else:
                held.append(self._text[self._at])
                self._at += 1
        return (*parts, _Text("".join(held)))

    def _variable(self) -> _Variable:
        begun = self._at
        self._at += 2
        if self._text.startswith("#", self._at):
            self._at += 1
            return self._closed(_Variable(self._name(begun), "length", (), begun))
        name = self._name(begun)
        if self._text.startswith("}", self._at):
            return self._closed(_Variable(name, "", (), begun))
        return self._closed(self._with_sign(name, begun))

    def _with_sign(self, name: str, begun: int) -> _Variable:
        signs = (*_DEFAULT_SIGNS, *_WORD_SIGNS, *_CASES, ":")
        sign = next((each for each in signs if self._text.startswith(each, self._at)), None)
        if sign is None:
            raise self._error(begun, "is not closed by `}` after its name")
        self._at += len(sign)
        if sign in _CASES:
            return _Variable(name, sign, (), begun)
        if sign in {":", "/", "//", "/#", "/%"}:
            return _Variable(name, sign, self._two_words(":" if sign == ":" else "/"), begun)
        word = self._parts(stops="}")
        return _Variable(name, sign, (word,) if word != (_Text(""),) else (), begun)

    def _two_words(self, delimiter: str) -> tuple[tuple[_Part, ...], ...]:
        first = self._parts(stops=f"{delimiter}}}")
        if not self._text.startswith(delimiter, self._at):
            return (first,)
        self._at += 1
        return (first, self._parts(stops="}"))

    def _name(self, begun: int) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise self._error(begun, "has no variable name after `${`")
        self._at = found.end()
        return found.group()

    def _closed(self, variable: _Variable) -> _Variable:
        if not self._text.startswith("}", self._at):
            raise self._error(variable.offset, "is not closed by `}`")
        self._at += 1
        return variable

    def _error(self, offset: int, message: str) -> TerminalError:
        line = self._text.count("\n", 0, offset) + 1
        column = offset - self._text.rfind("\n", 0, offset)
        shown = self._text[offset : offset + 24].splitlines()[0]
        return TerminalError(
            "template-syntax",
            self._subject,
            f"`{shown}` {message}",
            hint="a `$` that is meant as itself is written `$$`",
            path=self._path,
            line=line,
            column=column,
        )


def _fill(parts: tuple[_Part, ...], variables: Mapping[str, str]) -> str:
    return "".join(part.text if isinstance(part, _Text) else _value(part, variables) for part in parts)


def _value(variable: _Variable, variables: Mapping[str, str]) -> str:
    value = variables.get(variable.name, "")
    words = [_fill(each, variables) for each in variable.arguments]
    sign = variable.sign
    if sign == "length":
        return str(len(value.encode()))
    if sign in _CASES:
        return _CASES[sign](value)
    if sign in _DEFAULT_SIGNS:
        # Also `:?` and `:+`, which the shell reads otherwise: envsubst takes all of them for a default.
        return value or "".join(words)
    if sign == ":":
        return _part_of(value, words)
    return _replaced(value, sign, words) if sign.startswith("/") else _trimmed(value, sign, words)


def _part_of(value: str, words: list[str]) -> str:
    try:
        start, *length = (int(word) for word in words)
    except ValueError:
        return value
    start = max(0, len(value) + start) if start < 0 else start
    return value[start : start + length[0]] if length else value[start:]


def _replaced(value: str, sign: str, words: list[str]) -> str:
    old, new = words[0], words[1] if len(words) > 1 else ""
    if sign in {"/#", "/%"} and len(words) < 2:
        return value
    if sign == "/#":
        return new + value[len(old) :] if value.startswith(old) else value
    if sign == "/%":
        return value[: len(value) - len(old)] + new if value.endswith(old) else value
    return value.replace(old, new, 1 if sign == "/" else -1)


def _trimmed(value: str, sign: str, words: list[str]) -> str:
    if not words:
        return value
    pattern = _pattern(words[0])
    lengths = range(1, len(value) + 1)
    for length in lengths if len(sign) == 1 else reversed(lengths):
        cut = value[:length] if sign.startswith("#") else value[len(value) - length :]
        if pattern.fullmatch(cut):
            return value[length:] if sign.startswith("#") else value[: len(value) - length]
    return value


def _pattern(glob: str) -> re.Pattern[str]:
    """``*``, ``?`` and ``[…]`` as the shell reads them."""
    out, at = [], 0
    while at < len(glob):
        end = glob.find("]", at + 2) if glob[at] == "[" else -1
        if end > 0:
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            out.append(f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]")
            at = end
        else:
            out.append({"*": ".*", "?": "."}.get(glob[at], re.escape(glob[at])))
        at += 1
    return re.compile("".join(out), re.DOTALL)
