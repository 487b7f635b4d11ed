"""The part of Go's templates that ClusterClasses use: fields, conditions and a few functions; anything else is opaque.

**Source:** Go text/template; Cluster API v1.14.0 core/reconcilers/topology/cluster/patches/inline (renderValueTemplate:
sprig functions, the result read as YAML).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.rollout.difference import IncomputableError

_ACTION: Final = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||[^\s()|]+')
_FIELD: Final = re.compile(r"\.[A-Za-z_][\w.]*")
_FIELDS: Final = re.compile(r"(?:\.[A-Za-z_]\w*)+|\.")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text as it stands, or an action without its braces."""

    text: str
    is_action: bool


def rendered(template: str, variables: Mapping[str, Any]) -> str:
    """Raises IncomputableError where the template needs more than this module knows."""
    pieces = list(_pieces(template))
    text, rest = _block(pieces, 0, variables, ())
    if rest != len(pieces):
        raise IncomputableError(f"template {template!r}")
    return text


def fields_of(template: str, variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Every field that the template mentions, with its value: equal lists render alike."""
    return [(name, _look_up(name, variables)) for name in sorted(set(_FIELD.findall(template)))]


def _pieces(template: str) -> Iterator[_Piece]:
    place, trim = 0, False
    for found in _ACTION.finditer(template):
        text = template[place : found.start()]
        text = text.lstrip() if trim else text
        yield _Piece(text.rstrip() if found[1] else text, is_action=False)
        if not found[2].startswith("/*"):
            yield _Piece(found[2], is_action=True)
        place, trim = found.end(), bool(found[3])
    text = template[place:]
    yield _Piece(text.lstrip() if trim else text, is_action=False)


def _block(
    pieces: Sequence[_Piece], place: int, variables: Mapping[str, Any], ends: tuple[str, ...]
) -> tuple[str, int]:
    """The text up to an action that begins with one of ``ends``, and its place."""
    out: list[str] = []
    while place < len(pieces):
        piece = pieces[place]
        word = piece.text.split(None, 1)[0] if piece.is_action and piece.text else ""
        if word in ends:
            break
        if word == "if":
            text, place = _condition(pieces, place, variables)
            out.append(text)
            continue
        if (
            word in {"range", "with", "define", "template", "block", "end", "else"}
            or ":=" in piece.text * piece.is_action
        ):
            raise IncomputableError(f"action {piece.text!r}")
        out.append(_text(_pipeline(piece.text, variables)) if piece.is_action else piece.text)
        place += 1
    return "".join(out), place


def _condition(pieces: Sequence[_Piece], place: int, variables: Mapping[str, Any]) -> tuple[str, int]:
    chosen: str | None = None
    condition = pieces[place].text.removeprefix("if")
    while True:
        holds = chosen is None and _truth(_pipeline(condition, variables))
        text, place = _block(pieces, place + 1, variables, ("else", "end"))
        chosen = text if holds else chosen
        if place >= len(pieces):
            raise IncomputableError("an if without an end")
        word = pieces[place].text
        if word == "end":
            return chosen or "", place + 1
        condition = word.removeprefix("else").strip().removeprefix("if").strip() or "true"


def _pipeline(text: str, variables: Mapping[str, Any]) -> Any:
    value, tokens = _commands(_TOKEN.findall(text), variables)
    if tokens:
        raise IncomputableError(f"action {text!r}")
    return value


def _commands(tokens: list[str], variables: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """One pipeline up to its end or a closing bracket."""
    value, piped = None, False
    while tokens and tokens[0] != ")":
        operands: list[Any] = []
        name = ""
        while tokens and tokens[0] not in {"|", ")"}:
            token = tokens[0]
            if token == "(":
                operand, tokens = _commands(tokens[1:], variables)
                if not tokens:
                    raise IncomputableError("an open bracket")
                tokens = tokens[1:]
            else:
                tokens = tokens[1:]
                if not operands and not name and token in _FUNCTIONS:
                    name = token
                    continue
                operand = _operand(token, variables)
            operands.append(operand)
        value = _applied(name, [*operands, *([value] if piped else [])])
        piped = True
        tokens = tokens[1:] if tokens and tokens[0] == "|" else tokens
    return value, tokens


def _applied(name: str, operands: list[Any]) -> Any:
    if name:
        try:
            return _FUNCTIONS[name](*operands)
        except (TypeError, ValueError, IndexError) as error:
            raise IncomputableError(f"function {name}") from error
    if len(operands) != 1:
        raise IncomputableError("a function that is not known here")
    return operands[0]


def _operand(token: str, variables: Mapping[str, Any]) -> Any:
    if token[0] == '"':
        return json.loads(token)
    if token[0] == "`":
        return token[1:-1]
    if token in {"true", "false", "nil"}:
        return {"true": True, "false": False, "nil": None}[token]
    if _NUMBER.fullmatch(token):
        return float(token) if "." in token else int(token)
    if _FIELDS.fullmatch(token):
        return _look_up(token, variables)
    raise IncomputableError(f"word {token!r}")


def _look_up(field: str, variables: Mapping[str, Any]) -> Any:
    value: Any = variables
    for step in field.split("."):
        if step:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    """As Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise IncomputableError("a map or list as text")


def _truth(value: Any) -> bool:
    return bool(value)


def _all(*values: Any) -> Any:
    return next((value for value in values if not _truth(value)), values[-1])


def _any(*values: Any) -> Any:
    return next((value for value in values if _truth(value)), values[-1])


def _printf(shape: str, *values: Any) -> str:
    if re.sub(r"%[sdv]", "", shape).count("%"):
        raise IncomputableError(f"format {shape!r}")
    return re.sub(r"%[sdv]", "{}", shape.replace("{", "{{").replace("}", "}}")).format(*map(_text, values))


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "not": lambda value: not _truth(value),
    "and": _all,
    "or": _any,
    "eq": lambda first, *rest: any(first == other for other in rest),
    "ne": lambda first, second: first != second,
    "quote": lambda value: json.dumps(_text(value), ensure_ascii=False),
    "squote": lambda value: f"'{_text(value)}'",
    "default": lambda fallback, value=None: value if _truth(value) else fallback,
    "empty": lambda value: not _truth(value),
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "trim": lambda value: _text(value).strip(),
    "trimPrefix": lambda prefix, value: _text(value).removeprefix(prefix),
    "trimSuffix": lambda suffix, value: _text(value).removesuffix(suffix),
    "replace": lambda old, new, value: _text(value).replace(old, new),
    "toString": _text,
    "printf": _printf,
    "hasPrefix": lambda prefix, value: _text(value).startswith(prefix),
    "contains": lambda part, value: part in _text(value),
}
