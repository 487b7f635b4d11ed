"""Objects of which git says what it said when they were last applied: they are not written, drift or not.

The sketches of the inventory tell, so an object that stands needs no dry run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from clusterops.model.bodies import comparable
from clusterops.model.inventory import Entry, EntryState
from clusterops.model.leaves import leaves
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, Action, Change, FieldChange
from clusterops.model.problem import Problem, Retry
from clusterops.model.sketch import Sketch, addressed, departure
from clusterops.plan.contested import holdings

_OVERRULED: Final = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.UNCHANGED})
"""What a row that stands may not come to; it is refused or held as any other."""


def stands(manifest: Manifest, applied: Sketch, found: LiveObject | None, entry: Entry | None) -> bool:
    """Whether nothing is to be written: git, and the version it is written in, are as they were.

    Of a secret that is there nobody remembers the value, so its object never stands; nor does one with a field that was
    left to another manager who has let go of it meanwhile.
    """
    if entry is None or entry.state is not EntryState.APPLIED or entry.applied is None or entry.held is None:
        return False
    if entry.api_version != manifest.api_version or entry.applied != applied:
        return False
    if found is not None and found.body.get("apiVersion") != entry.api_version:
        return False
    if found is None:
        return True
    return not (manifest.key.is_secret or applied.withheld or _let_go(manifest, entry.applied, entry.held, found))


def departs(found: LiveObject, entry: Entry | None) -> bool:
    """Whether an object is another one, or has other values or owners, than when it was last applied."""
    if entry is None or entry.held is None:
        return False
    return entry.uid not in {"", found.uid} or bool(departure(entry.held, found))


def left_standing(row: Change, entry: Entry | None) -> Change:
    """The row of an object that stands: unchanged, or drift that is only reported."""
    if row.action not in _OVERRULED:
        return row
    if row.live is None:
        return replace(row, action=Action.LEAVE, reason=_reported(row, "was deleted outside git"))
    if not departs(row.live, entry):
        return replace(row, action=Action.UNCHANGED, fields=())
    return replace(row, action=Action.LEAVE, reason=_reported(row, "was changed outside git"))


def put_back(fields: Iterable[FieldChange], manifest: Manifest, applied: Sketch | None) -> tuple[FieldChange, ...]:
    """Those of a row's fields that git said before as it says now: not the commit changes them, drift is healed."""
    if applied is None or manifest.key.is_secret:
        return ()
    return tuple(field for field in fields if _said_before(field, manifest, applied))


def _said_before(field: FieldChange, manifest: Manifest, applied: Sketch) -> bool:
    said = list(addressed(field.pointer, manifest)) if field.after is not MISSING else []
    return bool(said) and all(applied.tells(path) and applied.says(path, value) for path, value in said)


def _let_go(manifest: Manifest, applied: Sketch, held: Sketch, found: LiveObject) -> bool:
    others = applied.beyond(held)
    if not others:
        return False
    theirs = {holding.leaf.pointer for holding in holdings(found).values()}
    left = (leaf.pointer for path, leaf in leaves(comparable(manifest.body), {}).items() if others.knows(path))
    return any(not any(_meets(pointer, owned) for owned in theirs) for pointer in left)


def _meets(pointer: str, other: str) -> bool:
    return pointer == other or pointer.startswith(f"{other}/") or other.startswith(f"{pointer}/")


def _reported(row: Change, what: str) -> Problem:
    return Problem(
        code="drift-reported",
        subject=row.key.label,
        message=f"{what}, and is only reported",
        hint="`clusterops drift` shows it, `clusterops drift heal TARGET` puts git back",
        retry=Retry.HUMAN,
    )
