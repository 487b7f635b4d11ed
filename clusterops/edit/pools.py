"""`resize`: another count, or other bounds, of a pool in a cluster's own values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from clusterops.edit.draft import Draft
from clusterops.edit.values import value_under
from clusterops.errors import RefusedError, TerminalError
from clusterops.model.document import load_document
from clusterops.model.plan import MISSING

CONTROL_PLANE: Final = "controlPlane"
_POOLS: Final = "pools"
_WANTED: Final = re.compile(r"(?P<pool>[^=]+)=(?:(?P<count>\d+)|(?P<low>\d+)\.\.(?P<high>\d+))\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """``general=5`` or, for the autoscaler, ``general=3..10``; ``bounds`` has the least and the most."""

    pool: str
    count: int = 0
    bounds: tuple[int, int] | None = None

    @property
    def words(self) -> str:
        return f"{self.pool}={'..'.join(map(str, self.bounds)) if self.bounds else self.count}"


def parse_size(text: str) -> Size:
    """Raises ValueError with what is expected."""
    found = _WANTED.match(text)
    if found is None:
        raise ValueError(f"{text!r} is neither POOL=N nor, for an autoscaled pool, POOL=MIN..MAX")
    if found["count"] is not None:
        return Size(pool=found["pool"], count=int(found["count"]))
    low, high = int(found["low"]), int(found["high"])
    if low > high:
        raise ValueError(f"{text!r} begins with the larger number")
    return Size(pool=found["pool"], bounds=(low, high))


def resize_in_values(draft: Draft, path: str, merged: Mapping[str, Any], size: Size, *, target: str) -> None:
    """Sets it in the values file ``path``, whatever layer says it now (``merged`` are all of them).

    Raises TerminalError ``pool-unknown``; RefusedError ``pool-autoscaled``, ``pool-not-autoscaled``,
    ``pool-external``; what ``Draft.set`` raises.
    """
    pools = merged.get(_POOLS)
    pool = pools.get(size.pool) if isinstance(pools, Mapping) else None
    if not isinstance(pool, Mapping):
        raise pool_unknown(size.pool, pools if isinstance(pools, Mapping) else {}, target, path)
    if pool.get("external"):
        raise _elsewhere(size, target, path)
    if size.bounds is not None:
        _bound(draft, path, pool, size, target)
    elif "autoscale" in pool:
        raise autoscaled(size, _bounds_text(pool["autoscale"]), target, path)
    else:
        draft.set(path, (_POOLS, size.pool, "replicas"), size.count, target=target)


def resize_control_plane(draft: Draft, path: str, count: int, *, target: str) -> None:
    draft.set(path, (CONTROL_PLANE, "replicas"), count, target=target)


def _bound(draft: Draft, path: str, pool: Mapping[str, Any], size: Size, target: str) -> None:
    assert size.bounds is not None
    if not isinstance(pool.get("autoscale"), Mapping):
        low, high = size.bounds
        hint = f"to hand it over, put `autoscale: {{min: {low}, max: {high}}}` in place of `replicas`"
        raise not_autoscaled(size, target, path, hint)
    place = (_POOLS, size.pool, "autoscale")
    bounds = dict(zip(("min", "max"), size.bounds, strict=True))
    if value_under(_values(draft, path), place) is MISSING:
        draft.set(path, place, bounds, target=target)
        return
    for key, value in bounds.items():
        if pool["autoscale"].get(key) != value:
            draft.set(path, (*place, key), value, target=target)


def _values(draft: Draft, path: str) -> Any:
    return load_document(draft.text(path), path).value


def pool_unknown(name: str, known: Mapping[str, Any], target: str, path: str) -> TerminalError:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"its pools: {', '.join(known) or 'none yet'}"
    return TerminalError("pool-unknown", f"{target}: {name}", "is no pool of this cluster", hint=hint, path=path)


def autoscaled(size: Size, bounds: str, target: str, path: str) -> RefusedError:
    return RefusedError(
        "pool-autoscaled",
        f"{target}: {size.pool}",
        f"is autoscaled ({bounds}), so its count is not git's",
        hint=f"set its bounds: `clusterops resize {target} {size.pool}=MIN..MAX`",
        path=path,
    )


def not_autoscaled(size: Size, target: str, path: str, hint: str) -> RefusedError:
    return RefusedError(
        "pool-not-autoscaled",
        f"{target}: {size.pool}",
        "has a count of its own, and bounds are for the autoscaler",
        hint=f"`clusterops resize {target} {size.pool}=N` sets the count; {hint}",
        path=path,
    )


def _bounds_text(bounds: Any) -> str:
    return f"{bounds.get('min')}..{bounds.get('max')}" if isinstance(bounds, Mapping) else "its bounds"


def _elsewhere(size: Size, target: str, path: str) -> RefusedError:
    return RefusedError(
        "pool-external",
        f"{target}: {size.pool}",
        "is external: its count is kept outside git",
        hint="put `replicas` or `autoscale` in place of `external: true` if git is to keep it",
        path=path,
    )
