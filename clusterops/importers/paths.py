"""How other tools name fields and objects, in our words: JSON pointers and globs."""

from __future__ import annotations

import json
import re
from typing import Final

from clusterops.model.pointer import escape

_STEP: Final = re.compile(
    r"""
      \.(?P<field>[A-Za-z_][A-Za-z0-9_]*)          # .spec
    | \.?\["(?P<key>(?:[^"\\]|\\.)*)"\]            # ["a/b"], .["a/b"]
    | \."(?P<quoted>(?:[^"\\]|\\.)*)"              # ."a/b"
    | \.?\[(?P<index>[0-9]*)\]                     # [], [0]
    """,
    re.VERBOSE,
)
_PIECE: Final = re.compile(r"[A-Za-z0-9_\-/:]+|\\\.|\.[*+]|\.")


def pointer_of_jq(expression: str) -> str | None:
    """The pointer of a plain jq path, where ``[]`` is any item; None where it selects, pipes, counts or computes.

    ``.spec.template.containers[].image`` is ``/spec/template/containers/*/image``. **Source:** jq 1.7 manual, "Basic
    filters".
    """
    tokens: list[str] = []
    rest = expression.strip()
    while rest:
        found = _STEP.match(rest)
        if found is None:
            return None
        tokens.append(_token(found))
        rest = rest[found.end() :].removeprefix("?")
    return f"/{'/'.join(tokens)}" if tokens else None


def _token(found: re.Match[str]) -> str:
    for name in ("key", "quoted"):
        if found[name] is not None:
            return escape(str(json.loads(f'"{found[name]}"')))
    if found["field"] is not None:
        return escape(found["field"])
    return found["index"] or "*"


def glob_of_regex(pattern: str) -> str | None:
    """The glob of a regular expression that is a name with ``.*`` in it; None for any other.

    A lone dot is taken for itself, which is what those mean who write API groups.
    """
    bare = pattern.removeprefix("^").removesuffix("$")
    pieces = [found.group() for found in _PIECE.finditer(bare)]
    if "".join(pieces) != bare:
        return None
    return "".join("*" if piece in {".*", ".+"} else piece.removeprefix("\\") for piece in pieces)
