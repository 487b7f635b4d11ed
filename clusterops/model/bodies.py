"""Bodies with leaves taken out or put in, by RFC 6901 pointer, and what of two bodies may be compared.

What is given is never changed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from clusterops.model.pointer import tokens_of

_SERVER_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def without(body: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """Without these leaves, nor the maps that are empty without them. A pointer to nothing is passed over."""
    found = copy.deepcopy(dict(body))
    for tokens in sorted(map(tokens_of, pointers), key=_last_first, reverse=True):
        _drop(found, tokens)
    return found


def with_leaf(body: Mapping[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """With a leaf set below maps, which are made where they are missing, and items, which are there."""
    found = copy.deepcopy(dict(body))
    *above, last = tokens_of(pointer)
    node: Any = found
    for token in above:
        node = node[int(token)] if isinstance(node, list) else node.setdefault(token, {})
    node[int(last) if isinstance(node, list) else last] = value
    return found


def value_at(body: Any, pointer: str, default: Any = None) -> Any:
    """The value at a pointer, ``default`` where there is none."""
    node = body
    for token in tokens_of(pointer):
        if isinstance(node, Mapping) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdecimal() and int(token) < len(node):
            node = node[int(token)]
        else:
            return default
    return node


def comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only the server writes: identity, status and bookkeeping."""
    kept = {field: value for field, value in body.items() if field not in {"apiVersion", "kind", "metadata", "status"}}
    metadata = {f: value for f, value in (body.get("metadata") or {}).items() if f not in _SERVER_METADATA}
    return {"metadata": metadata, **kept} if metadata else kept


def same(left: Any, right: Any) -> bool:
    """JSON equality: 1 is not true, though Python says so."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _last_first(tokens: Sequence[str]) -> list[tuple[int, str]]:
    """So that an item that goes does not move those before it."""
    return [(int(token), "") if token.isdecimal() else (0, token) for token in tokens]


def _drop(node: Any, tokens: Sequence[str]) -> bool:
    """Whether the node is empty afterwards."""
    token, below = tokens[0], tokens[1:]
    if isinstance(node, list):
        index = int(token) if token.isdecimal() else len(node)
        if index < len(node) and (not below or _drop(node[index], below)):
            del node[index]
    elif isinstance(node, dict) and token in node and (not below or _drop(node[token], below)):
        del node[token]
    return isinstance(node, dict | list) and not node
