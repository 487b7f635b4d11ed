"""A rollout at one moment as people are told of it: counts, and the first of the names. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clusterops.model.rollout import Halt
from clusterops.status.conditions import parse_time, time_text
from clusterops.status.fleet import halt_body, halt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldHold:
    """Targets that wait for one thing. ``names`` are the first of ``count``; ``wait`` is a Wait."""

    wait: str
    message: str
    count: int
    names: tuple[str, ...] = ()
    until: datetime | None = None

    def to_body(self) -> dict[str, Any]:
        until = {"until": time_text(self.until)} if self.until else {}
        return {"wait": self.wait, "message": self.message, "count": self.count, "names": list(self.names), **until}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ToldHold:
        return cls(
            wait=str(body.get("wait") or ""),
            message=str(body.get("message") or ""),
            count=int(body.get("count") or 0),
            names=_names(body.get("names")),
            until=parse_time(body.get("until")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRollout:
    """Counts are targets. ``machines`` are on their way, of ``machines_limit`` (0: each lane has its own).

    ``canaries`` and ``in_flight`` are the first names of ``canaries_count`` and ``in_flight_count``.
    """

    revision: str
    shared: bool = False
    """Whether targets that are no clusters take part."""
    steps: int = 0
    done: int = 0
    failed: int = 0
    out: int = 0
    in_flight_count: int = 0
    in_flight: tuple[str, ...] = ()
    machines: int = 0
    machines_limit: int = 0
    canaries_count: int = 0
    canaries: tuple[str, ...] = ()
    soaked_at: datetime | None = None
    soaking_until: datetime | None = None
    held: tuple[ToldHold, ...] = ()
    halted: Halt | None = None

    @property
    def held_count(self) -> int:
        return sum(one.count for one in self.held)

    @property
    def total(self) -> int:
        return self.done + self.failed + self.out + self.in_flight_count + self.held_count

    @property
    def waits(self) -> dict[str, int]:
        """What held targets wait for, most of them first."""
        counts: defaultdict[str, int] = defaultdict(int)
        for one in self.held:
            counts[one.wait] += one.count
        return dict(sorted(counts.items(), key=lambda pair: -pair[1]))

    def hold_of(self, target: str) -> ToldHold | None:
        """What a held target waits for; None where the names that are told leave that open."""
        for one in self.held:
            if target in one.names:
                return one
        cut = [one for one in self.held if one.count > len(one.names)]
        return cut[0] if len(cut) == 1 else None

    def to_body(self) -> dict[str, Any]:
        """Without what is empty."""
        counts = {"steps": self.steps, "done": self.done, "failed": self.failed, "out": self.out}
        body: dict[str, Any] = {
            "revision": self.revision,
            **counts,
            "inFlight": {"count": self.in_flight_count, "names": list(self.in_flight)},
            "held": [one.to_body() for one in self.held],
        }
        if self.shared:
            body["shared"] = True
        if self.machines or self.machines_limit:
            body["machines"] = {"inFlight": self.machines, "limit": self.machines_limit}
        if self.canaries:
            soaked = {"soakedAt": time_text(self.soaked_at)} if self.soaked_at else {}
            body["canaries"] = {"count": self.canaries_count, "names": list(self.canaries), **soaked}
        if self.soaking_until:
            body["soakingUntil"] = time_text(self.soaking_until)
        if self.halted:
            body["halted"] = halt_body(self.halted)
        return body

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ToldRollout:
        """Lenient: nothing is decided by it."""
        flight, machines, canaries = (_mapping(body.get(name)) for name in ("inFlight", "machines", "canaries"))
        halted = _mapping(body.get("halted"))
        return cls(
            revision=str(body.get("revision") or ""),
            shared=bool(body.get("shared")),
            **{name: int(body.get(name) or 0) for name in ("steps", "done", "failed", "out")},
            in_flight_count=int(flight.get("count") or 0),
            in_flight=_names(flight.get("names")),
            machines=int(machines.get("inFlight") or 0),
            machines_limit=int(machines.get("limit") or 0),
            canaries_count=int(canaries.get("count") or 0),
            canaries=_names(canaries.get("names")),
            soaked_at=parse_time(canaries.get("soakedAt")),
            soaking_until=parse_time(body.get("soakingUntil")),
            held=tuple(ToldHold.of(one) for one in _several(body.get("held")) if isinstance(one, Mapping)),
            halted=halt_of(halted) if halted else None,
        )


def _names(raw: Any) -> tuple[str, ...]:
    return tuple(map(str, _several(raw)))


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _several(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []
