"""How a value is written in YAML: plain where that means the same to every reader, else quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from clusterops.model.document import resolve_scalar

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@+=%~$^()-]|:(?=[A-Za-z0-9_./@+=%-]))*\Z")
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@+=%~$^(),;!?-]| (?=[A-Za-z0-9_./(])|:(?=[\w./]))*\Z")
"""Outside of flow style, words with single blanks and commas too."""
_TEXT: Final = "tag:yaml.org,2002:str"
_RESOLVER: Final = yaml.SafeLoader("")


def scalar_like(value: Any, style: str, *, in_flow: bool) -> str:
    """In the quotes that the value had, where it still is text; maps and lists in flow style."""
    if isinstance(value, str) and style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, str) and style == '"':
        return _quoted(value)
    return flow_text(value, in_flow=in_flow)


def flow_text(value: Any, *, in_flow: bool = True) -> str:
    """On one line: ``{min: 3, max: 20}``."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key_text(str(key))}: {flow_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    if isinstance(value, str):
        return _plain_or_quoted(value, _PLAIN if in_flow else _PLAIN_WORDS)
    return json.dumps(value)


def key_text(key: str) -> str:
    return _plain_or_quoted(key, _PLAIN)


def block_text(old: str, value: Any) -> tuple[str, int]:
    """For a literal or folded scalar: the new one, indented as the old was, and how much of the old it replaces.

    The blank lines that follow it stay. Text that does not fit into lines is quoted.
    """
    kept = old.rstrip()
    newline = "\r\n" if "\r\n" in old else "\n"
    if not isinstance(value, str) or not _fits_lines(value):
        return flow_text(value, in_flow=False), len(kept)
    lines = [line for line in old.splitlines()[1:] if line.strip()]
    indent = " " * min((len(line) - len(line.lstrip(" ")) for line in lines), default=2)
    body = newline.join(indent + line if line else "" for line in value.removesuffix("\n").split("\n"))
    return ("|" if value.endswith("\n") else "|-") + newline + body, len(kept)


def _fits_lines(value: str) -> bool:
    lines = value.removesuffix("\n").split("\n")
    clean = all(line.isprintable() and (not line or line.strip()) for line in lines)
    return clean and bool(lines[0]) and not lines[0].startswith(" ") and bool(lines[-1])


def _plain_or_quoted(text: str, plain: re.Pattern[str]) -> str:
    """Plain only where Kubernetes' YAML and the YAML 1.1 of others both take it for text."""
    safe = plain.match(text) and resolve_scalar(text) == text and isinstance(resolve_scalar(text), str)
    return text if safe and _tag(text) == _TEXT else _quoted(text)


def _tag(text: str) -> str:
    """What YAML 1.1 takes an unquoted scalar for: a day, say, or a number to the base of 60."""
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]


def _quoted(text: str) -> str:
    """JSON's quotes are YAML's too, but for what must not stand in YAML as it is."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
