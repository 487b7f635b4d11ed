"""What is done about drift: one remedy per object, and the reason where the remedy alone does not say it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from clusterops.capi.kinds import is_cluster
from clusterops.capi.managers import Kin, kin
from clusterops.drift.ignore import BUILT_IN
from clusterops.model.drift import Author, Departed, DriftedObject, DriftRecord, Ignored, Remedy, TargetDrift
from clusterops.model.fleet import DriftPolicy
from clusterops.model.windows import Windows

ROUNDS: Final = 3
"""Heals of one field that are undone each time, within FIGHT, before it is given up."""
FIGHT: Final = timedelta(minutes=10)
HEALS: Final = 5
"""Passes that heal, of one target within RATE: what one pass puts back counts once."""
RATE: Final = timedelta(minutes=5)

_BY_RIGHT: Final = frozenset({Author.AUTOSCALER, Author.CONTROLLER, Author.TOOL})
_PRESET: Final = frozenset({Remedy.LEAVE, Remedy.HOLD})
"""What the plan itself says of an object, before any policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is asked when a remedy is decided. ``now`` is aware; ``fought`` are objects that were given up before."""

    policy: DriftPolicy
    now: datetime
    windows: Windows = field(default_factory=Windows)
    history: tuple[DriftRecord, ...] = ()
    fought: Collection[DriftedObject] = ()
    ignored: Collection[Ignored] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedied:
    """``again_at`` is when time alone may change a remedy; None where only an event can."""

    drift: TargetDrift
    again_at: datetime | None = None


def remedied(
    drift: TargetDrift, *, policy: DriftPolicy, windows: Windows, before: TargetDrift, now: datetime
) -> Remedied:
    """Every drifted object with its remedy. ``before`` is what was known last; its fights go on until they are over."""
    rules = Rules(
        policy=policy,
        now=now,
        windows=windows,
        history=drift.history,
        fought=[one for one in before.drifted if one.remedy is Remedy.FIGHT],
        ignored=drift.ignored,
    )
    drifted = tuple(decided(one, rules) for one in drift.drifted)
    waits = any(one.remedy is Remedy.HOLD for one in drifted)
    return Remedied(drift=replace(drift, drifted=drifted), again_at=_again_at(rules) if waits else None)


def decided(one: DriftedObject, rules: Rules) -> DriftedObject:
    """The first that holds: nothing can heal it, the policy, its price, a fight, an ignored field, and the time."""
    for judge in (_not_ours, _by_policy, _priced, _fought, _beside_ignored, _timed):
        found = judge(one, rules)
        if found is not None:
            remedy, why = found
            return replace(one, remedy=remedy, why=why)
    return replace(one, remedy=Remedy.HEAL, why="")


Verdict = tuple[Remedy, str] | None


def _not_ours(one: DriftedObject, rules: Rules) -> Verdict:
    if one.what is Departed.EXTRA:
        return Remedy.LEAVE, "nobody's git has it: delete it by hand, or take it into git"
    if one.what is Departed.FOREIGN:
        return Remedy.LEAVE, one.why
    if is_cluster(one.key) and one.what in {Departed.DELETED, Departed.REPLACED}:
        return Remedy.LEAVE, one.why or "a Cluster is never recreated unasked"
    if one.remedy is Remedy.LEAVE:
        return Remedy.LEAVE, one.why
    if one.fields and all(field.author in _BY_RIGHT for field in one.fields):
        return Remedy.LEAVE, f"{one.fields[0].manager} owns it"
    return None


def _by_policy(one: DriftedObject, rules: Rules) -> Verdict:
    return (Remedy.REPORT, one.why) if rules.policy is DriftPolicy.REPORT else None


def _priced(one: DriftedObject, rules: Rules) -> Verdict:
    if one.remedy is Remedy.HOLD:
        return None
    if one.cost.replaced or one.cost.removed:
        return Remedy.ASK, ""
    if one.unknown_cost:
        return Remedy.ASK, "nobody can tell what it would do to machines"
    stranger = next((field.manager for field in one.fields if _is_stranger(field.manager)), "")
    taken = stranger and one.what is not Departed.OWNERSHIP_LOST
    return (Remedy.ASK, f"{stranger} is no field manager that ClusterOps knows") if taken else None


def _is_stranger(manager: str) -> bool:
    """An ordinary pass takes no field from one."""
    return bool(manager) and kin(manager) is Kin.UNKNOWN


def _fought(one: DriftedObject, rules: Rules) -> Verdict:
    pointers = {field.pointer for field in one.fields} or {""}
    rounds = [
        record
        for record in rules.history
        if record.object == one.key
        and record.pointer in pointers
        and record.remedy == Remedy.HEAL
        and record.at > rules.now - FIGHT
    ]
    if len({record.at for record in rounds}) >= ROUNDS:
        return Remedy.FIGHT, _fight_text(rounds[-1].manager or _manager(one), len(rounds))
    given_up = next((each for each in rules.fought if each.key == one.key and each.what is one.what), None)
    return (Remedy.FIGHT, given_up.why) if given_up is not None else None


def _manager(one: DriftedObject) -> str:
    return next((field.manager for field in one.fields if field.manager), "")


def _fight_text(manager: str, rounds: int) -> str:
    other = manager or "somebody"
    way_out = "let git say what it wants, stop it, or add an ignore rule"
    return f"{other} undid {rounds} heals within {FIGHT.seconds // 60} minutes: {way_out}"


def _beside_ignored(one: DriftedObject, rules: Rules) -> Verdict:
    """An object is applied as a whole."""
    by_right = {rule.source for rule in BUILT_IN}
    beside = next((each for each in rules.ignored if each.key == one.key and each.rule not in by_right), None)
    if beside is None:
        return None
    return Remedy.REPORT, f"to heal would put back {beside.field.pointer} as well, which {beside.rule} ignores"


def _timed(one: DriftedObject, rules: Rules) -> Verdict:
    if one.remedy is Remedy.HOLD:
        return Remedy.HOLD, one.why
    if not rules.windows.open_at(rules.now):
        opens = rules.windows.next_opening(rules.now)
        return Remedy.HOLD, f"until its window opens, {opens:%a %H:%M} UTC" if opens else "no window of it ever opens"
    if len(_recent(rules)) >= HEALS:
        return Remedy.HOLD, f"healed {HEALS} times within {RATE.seconds // 60} minutes"
    return None


def _recent(rules: Rules) -> Sequence[datetime]:
    """When it was healed lately, in order."""
    heals: Iterable[datetime] = (
        record.at for record in rules.history if record.remedy == Remedy.HEAL and record.object
    )
    return sorted({at for at in heals if at > rules.now - RATE})


def _again_at(rules: Rules) -> datetime | None:
    """When the window opens, or the oldest heal that counts is forgotten; what a plan waits for wakes by itself."""
    if not rules.windows.open_at(rules.now):
        return rules.windows.next_opening(rules.now)
    recent = _recent(rules)
    return recent[-HEALS] + RATE if len(recent) >= HEALS else None
