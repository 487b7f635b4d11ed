"""A rollout in words: one line for people, and what held targets wait for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from clusterops.model.rollout import Hold, Progress, Wait
from clusterops.status.told_rollout import ToldRollout

WAIT_WORDS: Final[Mapping[str, str]] = {
    Wait.CANARY: "waits for canaries",
    Wait.SOAK: "soaking",
    Wait.RING: "waits for its ring",
    Wait.CLUSTERS: "waits for a place",
    Wait.MACHINES: "waits for machines",
    Wait.TOO_LARGE: "too large for the pace",
    Wait.HALTED: "rollout halted",
    Wait.WINDOW: "window closed",
}
_SELF_TOLD: Final = frozenset({Wait.CANARY, Wait.SOAK, Wait.RING, Wait.WINDOW})
"""What such a Hold says needs no other words."""


def rollout_text(rollout: ToldRollout, *, now: datetime | None = None, settled_at: datetime | None = None) -> str:
    """``12 of 41 clusters done, 5 in flight (23 of 30 machines), 24 held: waits for a place (24) · canary …``

    ``settled_at`` is when the one canary settled; moments of the day of ``now`` are told without their day.
    """
    noun = f"{'target' if rollout.shared else 'cluster'}{'s' * (rollout.total != 1)}"
    counts = ", ".join((f"{rollout.done} of {rollout.total} {noun} done", *_counts(rollout)))
    return " · ".join((counts, *_canaries(rollout, now, settled_at)))


def _counts(rollout: ToldRollout) -> Iterator[str]:
    if rollout.in_flight_count:
        yield f"{rollout.in_flight_count} in flight{_machines(rollout)}"
    if rollout.failed:
        yield f"{rollout.failed} failed"
    if rollout.out:
        yield f"{rollout.out} not taking part"
    if rollout.held:
        waits = ", ".join(f"{WAIT_WORDS.get(wait, wait)} ({count})" for wait, count in rollout.waits.items())
        yield f"{rollout.held_count} held: {waits}"


def _machines(rollout: ToldRollout) -> str:
    count, limit = rollout.machines, rollout.machines_limit
    if not count:
        return ""
    return f" ({count} of {limit} machines)" if limit else f" ({count} machine{'s' * (count != 1)})"


def _canaries(rollout: ToldRollout, now: datetime | None, settled_at: datetime | None) -> Iterator[str]:
    if not rollout.canaries or rollout.soaked_at is None:
        return
    one = rollout.canaries_count == 1
    who = f"canary {rollout.canaries[0]}" if one else f"{rollout.canaries_count} canaries"
    settled = f" settled {moment_text(settled_at, now)}," if one and settled_at is not None else ""
    how = "soaking until" if rollout.soaked_at == rollout.soaking_until else "soaked"
    yield f"{who}{settled} {how} {moment_text(rollout.soaked_at, now)}"


def holds_text(holds: Iterable[Hold], pace: Progress | None, since: datetime | None) -> str:
    """What held targets wait for: ``canary soaks until 14:32Z``, ``waits for a place (20), window closed (4)``.

    It changes with what they wait for, never with who is on its way at the moment. ``since`` is when it all began.
    """
    told = tuple(holds)
    counts = Counter(hold.wait for hold in told)
    if len(counts) > 1:
        return ", ".join(f"{WAIT_WORDS[wait]} ({count})" for wait, count in counts.most_common(3))
    until = min((hold.until for hold in told if hold.until is not None), default=None)
    return "".join(_wait_words(wait, until, pace, since) for wait in counts)


def _wait_words(wait: Wait, until: datetime | None, pace: Progress | None, since: datetime | None) -> str:
    if until is None:
        return WAIT_WORDS[wait]
    if wait is Wait.WINDOW:
        return f"window opens {moment_text(until, since)}"
    canaries = len(pace.canaries) if pace is not None and pace.soaked_at == pace.soaking_until else 0
    soaks = {0: "soaking", 1: "canary soaks"}.get(canaries, "canaries soak")
    return f"{soaks} until {moment_text(until, since)}"


def held_text(rollout: ToldRollout, target: str) -> str:
    """``held: waits for a place: 5 of 5 clusters on their way``; as much as is told of the target."""
    hold = rollout.hold_of(target)
    if hold is None:
        return f"held: {' or '.join(WAIT_WORDS.get(wait, wait) for wait in rollout.waits)}" if rollout.held else "held"
    words = "" if hold.wait in _SELF_TOLD else f"{WAIT_WORDS.get(hold.wait, hold.wait)}: "
    return f"held: {words}{hold.message}"


def moment_text(at: datetime, now: datetime | None = None) -> str:
    """``14:32Z``; with its day where that is not ``now``'s."""
    return f"{at:%H:%MZ}" if now is not None and at.date() == now.date() else f"{at:%a %d %b %H:%MZ}"
