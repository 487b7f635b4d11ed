"""An answer that remembers what was read of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.openapi.description import Pointer


class Watched(dict[str, Any]):
    """``read`` gathers the pointers of everything below."""

    def __init__(self, body: dict[str, Any], place: Pointer, read: set[Pointer]) -> None:
        super().__init__({key: watched(value, (*place, key), read) for key, value in body.items()})
        self.place, self.read = place, read

    def __getitem__(self, key: str) -> Any:
        self.read.add((*self.place, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add((*self.place, key))
        return super().get(key, default)


def watched(body: Any, place: Pointer, read: set[Pointer]) -> Any:
    if isinstance(body, dict):
        return Watched(body, place, read)
    if isinstance(body, list):
        return [watched(each, (*place, number), read) for number, each in enumerate(body)]
    return body


def with_field(body: Any, pointer: Pointer, *, null: bool) -> Iterator[Any]:
    """The body with that field null, or without it; nothing where the body has no such field."""
    changed = copy.deepcopy(body)
    node: Any = changed
    for step in pointer[:-1]:
        node = node[int(step)] if isinstance(node, list) else (node or {}).get(step)
    if not isinstance(node, dict) or pointer[-1] not in node:
        return
    if null:
        node[pointer[-1]] = None
    else:
        del node[pointer[-1]]
    yield changed
