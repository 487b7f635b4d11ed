"""JSON pointers as text.

**Source:** RFC 6901.
"""

from __future__ import annotations


def escape(field: str) -> str:
    """One token of a pointer."""
    return field.replace("~", "~0").replace("/", "~1") if "~" in field or "/" in field else field


def unescape(token: str) -> str:
    """The field that a token names."""
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def tokens_of(pointer: str) -> tuple[str, ...]:
    """The fields that lead to a place, unescaped; none for ``""``."""
    return tuple(map(unescape, pointer.split("/")[1:]))
