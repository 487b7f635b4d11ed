"""Which value, written where, may make a rendered field what it is live: guesses, likeliest first, to be tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.edit.values import value_under
from clusterops.model.document import Pointer
from clusterops.model.plan import MISSING

POOLS: Final = "pools"
POOL_DEFAULTS: Final = "poolDefaults"
_DURATION: Final = re.compile(r"\d+(?:s|m|h)\Z")
_UNITS: Final = ((3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Setting ``pointer`` of a values file to ``value``."""

    pointer: Pointer
    value: Any


def candidates(cause: Pointer, git: Any, live: Any, merged: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """``cause`` is the values path that sets a field, ``git`` and ``live`` the field's values, ``merged`` all values.

    The narrowest comes first: a pool's own key before the default of all pools, the name of a size before what a size
    means. O(values).
    """
    said = value_under(merged, cause)
    direct = (
        Candidate(pointer=place, value=value)
        for place in _narrowed(cause, merged)
        for value in values_for(said, git, live)
    )
    found = (_whole_lists(each, merged) for each in (*_by_name(cause, live, merged), *direct))
    return tuple({(each.pointer, _text(each.value)): each for each in found}.values())


def values_for(said: Any, git: Any, live: Any) -> Iterator[Any]:
    """What ``said`` has to become where it made ``git`` of a field that is to be ``live``."""
    if said == git and type(said) is type(git):
        yield live
    elif isinstance(said, str) and isinstance(git, str) and isinstance(live, str) and said and said in git:
        head, _, tail = git.partition(said)
        if live.startswith(head) and live.endswith(tail) and len(live) > len(head) + len(tail):
            yield live[len(head) : len(live) - len(tail)]
    elif isinstance(said, str) and _DURATION.match(said) and type(live) is int and live > 0:
        yield from (f"{live // size}{unit}" for size, unit in _UNITS if live % size == 0)
    elif _text(said) == _text(git):
        yield _as(said, live)


def _narrowed(cause: Pointer, merged: Mapping[str, Any]) -> Iterator[Pointer]:
    pools = merged.get(POOLS)
    if cause[:1] == (POOL_DEFAULTS,) and isinstance(pools, Mapping):
        yield from ((POOLS, str(pool), *cause[1:]) for pool in pools)
    yield cause


def _by_name(cause: Pointer, live: Any, merged: Mapping[str, Any]) -> Iterator[Candidate]:
    """Where the cause is an entry of a map (``sizes.medium``) that values name: another one may mean the live value."""
    table = value_under(merged, cause[:-1]) if cause else MISSING
    if not isinstance(table, Mapping):
        return
    names = [name for name, value in table.items() if value == live and type(value) is type(live)]
    places = [place for place, value in _leaves(merged, ()) if value == cause[-1]]
    for place in places:
        for narrow in _narrowed(place, merged):
            yield from (Candidate(pointer=narrow, value=name) for name in names)


def _whole_lists(candidate: Candidate, merged: Mapping[str, Any]) -> Candidate:
    """An item of a list can only be set with its list, as lists replace."""
    depth = next((at for at, part in enumerate(candidate.pointer) if isinstance(part, int)), None)
    if depth is None:
        return candidate
    whole = value_under(merged, candidate.pointer[:depth])
    return Candidate(pointer=candidate.pointer[:depth], value=_with(whole, candidate.pointer[depth:], candidate.value))


def _with(tree: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return value
    head, rest = pointer[0], pointer[1:]
    if isinstance(tree, list):
        return [_with(each, rest, value) if place == head else each for place, each in enumerate(tree)]
    return {**tree, str(head): _with(tree[head], rest, value)}


def _leaves(tree: Any, pointer: Pointer) -> Iterator[tuple[Pointer, Any]]:
    if isinstance(tree, Mapping):
        for key, each in tree.items():
            yield from _leaves(each, (*pointer, str(key)))
    elif isinstance(tree, list):
        for place, each in enumerate(tree):
            yield from _leaves(each, (*pointer, place))
    else:
        yield pointer, tree


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _as(said: Any, live: Any) -> Any:
    """The live value in the type that the values have: ``7`` for ``"7"``."""
    if isinstance(said, str):
        return _text(live)
    try:
        return json.loads(live) if isinstance(live, str) else live
    except ValueError:
        return live
