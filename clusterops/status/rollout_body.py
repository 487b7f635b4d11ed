"""Commits on their way through the fleet as Fleet.status.rollouts has them: for people, bounded in size. Pure.

Which names are left out, the FleetTargets say: an API object holds 1.5 MiB, and a fleet may have thousands of targets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from clusterops.model.fleet import RolloutPolicy, is_shared
from clusterops.model.rollout import Decision, Hold, Progress, Wait
from clusterops.status.rollout_texts import rollout_text
from clusterops.status.told_rollout import ToldHold, ToldRollout

ROLLOUTS_TOLD: Final = 10
GROUPS_TOLD: Final = 10
NAMES_TOLD: Final = 20
IN_FLIGHT_TOLD: Final = 50
MESSAGE_LIMIT: Final = 400
"""Characters."""


def rollout_bodies(
    decision: Decision, policy: RolloutPolicy | None = None, *, moving: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Of the rollouts that are not over, those that wait for a person first, then older before newer.

    ``moving`` are machines on their way by target; without a ``policy`` no limits are told. O(members).
    """
    under_way = [one for one in decision.rollouts if not one.over]
    under_way.sort(key=lambda one: one.halt is None)
    return [_body(told(one, policy, moving=moving)) for one in under_way[:ROLLOUTS_TOLD]]


def _body(rollout: ToldRollout) -> dict[str, Any]:
    return {**rollout.to_body(), "message": rollout_text(rollout)[:MESSAGE_LIMIT]}


def rollouts_of(bodies: Iterable[Any]) -> tuple[ToldRollout, ...]:
    """``rollout_bodies`` as it was stored."""
    return tuple(ToldRollout.of(body) for body in bodies if isinstance(body, Mapping))


def told(
    progress: Progress, policy: RolloutPolicy | None = None, *, moving: Mapping[str, int] | None = None
) -> ToldRollout:
    one_lane = policy is not None and not policy.regions and not policy.clouds
    return ToldRollout(
        revision=progress.revision,
        shared=any(is_shared(name) for name in _everyone(progress)),
        steps=progress.steps,
        done=len(progress.done),
        failed=len(progress.failed),
        out=len(progress.out),
        in_flight_count=len(progress.in_flight),
        in_flight=_cut(progress.in_flight, IN_FLIGHT_TOLD),
        machines=sum((moving or {}).get(name, 0) for name in progress.in_flight),
        machines_limit=policy.pace.max_machines_in_flight if policy is not None and one_lane else 0,
        canaries_count=len(progress.canaries),
        canaries=_cut(progress.canaries, NAMES_TOLD),
        soaked_at=progress.soaked_at,
        soaking_until=progress.soaking_until,
        held=_groups(progress.held),
        halted=progress.halt,
    )


def _everyone(progress: Progress) -> Iterator[str]:
    for names in (progress.done, progress.in_flight, progress.failed, progress.out, progress.held):
        yield from names


def _groups(held: Mapping[str, Hold]) -> tuple[ToldHold, ...]:
    """Those that wait for the same, the largest first. Where there are too many, only the kind of wait tells apart."""
    groups = _grouped(held, _by_message)
    return groups if len(groups) <= GROUPS_TOLD else _grouped(held, _by_wait)


def _by_message(hold: Hold) -> tuple[str, ...]:
    return (hold.wait, hold.message if hold.wait is not Wait.TOO_LARGE else "")


def _by_wait(hold: Hold) -> tuple[str, ...]:
    return (hold.wait,)


def _grouped(held: Mapping[str, Hold], key: Callable[[Hold], tuple[str, ...]]) -> tuple[ToldHold, ...]:
    names: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, hold in held.items():
        names[key(hold)].append(name)
    largest = sorted(names.values(), key=lambda each: -len(each))
    return tuple(_group(each, held) for each in largest)


def _group(names: Sequence[str], held: Mapping[str, Hold]) -> ToldHold:
    """The first to go on by itself says what they wait for."""
    holds = [held[name] for name in names]
    first = min((one for one in holds if one.until is not None), key=_until, default=holds[0])
    return ToldHold(
        wait=str(first.wait),
        message=first.message[:MESSAGE_LIMIT],
        count=len(names),
        names=_cut(names, NAMES_TOLD),
        until=first.until,
    )


def _until(hold: Hold) -> datetime:
    assert hold.until is not None
    return hold.until


def _cut(names: Collection[str], limit: int) -> tuple[str, ...]:
    return tuple(names)[:limit]
