"""A rollout in words: one line for people, and what held targets wait for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from clusterops.model.rollout import Wait
from clusterops.status.told_rollout import ToldRollout

WAIT_WORDS: Final[Mapping[str, str]] = {
    Wait.CANARY: "waits for canaries",
    Wait.SOAK: "canaries soak",
    Wait.RING: "waits for its ring",
    Wait.CLUSTERS: "waits for a place",
    Wait.MACHINES: "waits for machines on their way",
    Wait.TOO_LARGE: "too large for the pace",
    Wait.HALTED: "rollout halted",
    Wait.WINDOW: "window closed",
}


def rollout_text(rollout: ToldRollout) -> str:
    """``12 of 41 clusters done, 5 in flight (23 of 30 machines), 24 held: waits for a place (24) · canary …``"""
    noun = f"{'target' if rollout.shared else 'cluster'}{'s' * (rollout.total != 1)}"
    counts = ", ".join((f"{rollout.done} of {rollout.total} {noun} done", *_counts(rollout)))
    return " · ".join((counts, *_canaries(rollout)))


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


def _canaries(rollout: ToldRollout) -> Iterator[str]:
    if not rollout.canaries:
        return
    who = f"canary {rollout.canaries[0]}" if rollout.canaries_count == 1 else f"{rollout.canaries_count} canaries"
    if rollout.soaking_until is not None and rollout.soaked_at == rollout.soaking_until:
        yield f"{who} settled, soaking until {moment_text(rollout.soaking_until)}"
    elif rollout.soaked_at is not None:
        yield f"{who} soaked {moment_text(rollout.soaked_at)}"


def wait_text(wait: str, until: datetime | None = None) -> str:
    """``waits for a place``, ``canaries soak until 14:32Z``."""
    words = WAIT_WORDS.get(wait, wait)
    if until is None:
        return words
    return f"{words}, opens {moment_text(until)}" if wait == Wait.WINDOW else f"{words} until {moment_text(until)}"


def moment_text(at: datetime, now: datetime | None = None) -> str:
    """``14:32Z``; with its day where that is not ``now``'s."""
    return f"{at:%H:%MZ}" if now is None or at.date() == now.date() else f"{at:%a %d %b %H:%MZ}"
