"""Text that must never be printed."""

from __future__ import annotations

from typing import Final

from clusterops.model.key import ObjectKey

MASK: Final = "(secret)"


def is_sensitive(key: ObjectKey, pointer: str) -> bool:
    """Whether the value at a pointer is never to be shown: all of a Secret but what everybody may see of it."""
    if "last-applied-configuration" in pointer or pointer == "/metadata/annotations":
        return True
    return key.is_secret and not pointer.startswith("/metadata/labels") and pointer not in {"/type", "/immutable"}


class SecretText:
    """Holds a token or password; its text and repr are a mask. ``reveal()`` is the one way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
