"""Plans without secrets: what stays hidden wherever it turns up, once everything is decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from clusterops.model.bodies import comparable
from clusterops.model.impact import Cause, Impact, PoolImpact
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import leaves
from clusterops.model.live import LiveObject
from clusterops.model.plan import MISSING, Change, FieldChange, HandedOver, Left
from clusterops.model.pointer import escape, tokens_of
from clusterops.model.secret import CHANGED_MASK, MASK, SecretValues, shown
from clusterops.model.sketch import Sketch


def discreet(
    change: Change, secrets: SecretValues, applied: Sketch | None = None, *, was: LiveObject | None = None
) -> Change:
    """A row as it may be shown: of causes what their kind hides, and everywhere whatever was decrypted.

    ``applied`` is what the inventory remembers: a place whose value it withholds held a secret when it was applied,
    which the live object may still have though git has another one, or none. ``was`` is that object where a rotated
    template takes its place. What is sent, and what is remembered, stays as it is.
    """
    tells = change.fields or change.left or (change.impact is not None and change.impact.pools)
    hidden = _places(was or change.live, applied) if tells else frozenset()
    impact = _impact(change.impact, secrets) if change.impact is not None else None
    if hidden:
        change = _without(change, hidden)
        impact = _causeless(impact, change.key, hidden) if impact is not None else None
    if not secrets:
        return replace(change, impact=impact)
    return replace(
        change,
        fields=_fields(change.fields, secrets),
        heals=_fields(change.heals, secrets),
        left=tuple(_left(one, secrets) for one in change.left),
        hands_over=tuple(_handed(one, secrets) for one in change.hands_over),
        impact=impact,
        reason=change.reason.struck(secrets.struck) if change.reason is not None else None,
    )


def _places(live: LiveObject | None, applied: Sketch | None) -> frozenset[str]:
    """Pointers into the live object."""
    if applied is None or live is None or live.key.is_secret or not applied.withheld:
        return frozenset()
    found = leaves(comparable(live.body), {})
    return frozenset(found[path].pointer for path in applied.withholding(found))


def _without(change: Change, hidden: frozenset[str]) -> Change:
    return replace(
        change,
        fields=tuple(_hide(one) if _meets(one.pointer, hidden) else one for one in change.fields),
        heals=tuple(_hide(one) if _meets(one.pointer, hidden) else one for one in change.heals),
        left=tuple(
            replace(one, git=_masked(one.git), live=_masked(one.live)) if _meets(one.pointer, hidden) else one
            for one in change.left
        ),
    )


def _causeless(impact: Impact, key: ObjectKey, hidden: frozenset[str]) -> Impact:
    """Causes may be told from where the machines' part of an object begins."""

    def shown_of(cause: Cause) -> Cause:
        told = cause.object == key and any(one.endswith(cause.pointer) for one in hidden)
        meets = told or (cause.object == key and _meets(cause.pointer, hidden))
        return replace(cause, before=_masked(cause.before), after=_masked(cause.after)) if meets else cause

    pools = tuple(replace(pool, causes=tuple(map(shown_of, pool.causes))) for pool in impact.pools)
    return replace(impact, pools=pools)


def _meets(pointer: str, hidden: Iterable[str]) -> bool:
    return any(pointer == one or pointer.startswith(f"{one}/") or one.startswith(f"{pointer}/") for one in hidden)


def _hide(field: FieldChange) -> FieldChange:
    new = MASK if field.before is MISSING else CHANGED_MASK
    return replace(field, before=_masked(field.before), after=field.after if field.after is MISSING else new)


def _masked(value: Any) -> Any:
    return value if value is MISSING else MASK


def _fields(found: Iterable[FieldChange], secrets: SecretValues) -> tuple[FieldChange, ...]:
    return tuple(_field(one, secrets) for one in found)


def _field(change: FieldChange, secrets: SecretValues) -> FieldChange:
    """Both sides: beside a new secret stands the old one."""
    before, after = _sides(change.before, change.after, secrets)
    return replace(change, pointer=_pointer(change.pointer, secrets), before=before, after=after)


def _sides(before: Any, after: Any, secrets: SecretValues) -> tuple[Any, Any]:
    if not (secrets.within(before) or secrets.within(after)):
        return before, after
    hidden = before if before is MISSING else MASK
    new = MASK if before is MISSING or before == after else CHANGED_MASK
    return hidden, after if after is MISSING else new


def _left(left: Left, secrets: SecretValues) -> Left:
    git, live = _sides(left.git, left.live, secrets)
    return replace(left, git=git if git is MISSING else _once(git), live=live if live is MISSING else _once(live))


def _once(value: Any) -> Any:
    return MASK if value == CHANGED_MASK else value


def _handed(handed: HandedOver, secrets: SecretValues) -> HandedOver:
    return replace(handed, value=secrets.shown(handed.value))


def _pointer(pointer: str, secrets: SecretValues) -> str:
    if not secrets.within(pointer):
        return pointer
    return "".join(f"/{MASK if secrets.within(one) else escape(one)}" for one in tokens_of(pointer))


def _impact(impact: Impact, secrets: SecretValues) -> Impact:
    pools = tuple(_pool(pool, secrets) for pool in impact.pools)
    return replace(impact, pools=pools, notes=tuple(secrets.struck(note) for note in impact.notes))


def _pool(pool: PoolImpact, secrets: SecretValues) -> PoolImpact:
    causes = tuple(_cause(cause, secrets) for cause in pool.causes)
    return replace(pool, causes=causes, note=secrets.struck(pool.note))


def _cause(cause: Cause, secrets: SecretValues) -> Cause:
    beside = None if cause.before is MISSING else cause.before
    before = shown(cause.object, cause.pointer, cause.before)
    after = shown(cause.object, cause.pointer, cause.after, beside=beside)
    before, after = _sides(before, after, secrets)
    return replace(cause, before=before, after=after)
