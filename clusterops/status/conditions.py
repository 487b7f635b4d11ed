"""Conditions in the shape of metav1.Condition, and times as Kubernetes writes them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

MESSAGE_LIMIT: Final = 1024
"""Characters; metav1.Condition would allow 32768, which nobody reads in a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``status`` is True, False or Unknown as text; ``reason`` CamelCase; ``since`` is lastTransitionTime."""

    type: str
    status: str
    reason: str
    message: str = ""
    since: datetime | None = None

    def to_body(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message[:MESSAGE_LIMIT],
            "lastTransitionTime": time_text(self.since) or "1970-01-01T00:00:00Z",
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Condition:
        return cls(
            type=str(body.get("type") or ""),
            status=str(body.get("status") or "Unknown"),
            reason=str(body.get("reason") or ""),
            message=str(body.get("message") or ""),
            since=parse_time(body.get("lastTransitionTime")),
        )


def merged(before: Iterable[Condition], now: Iterable[Condition], at: datetime) -> tuple[Condition, ...]:
    """``now`` in its order, each with the time of its last change of status, then what others keep there."""
    known = {condition.type: condition for condition in before}
    fresh = []
    for condition in now:
        old = known.pop(condition.type, None)
        since = old.since if old is not None and old.status == condition.status and old.since else at
        fresh.append(replace(condition, since=since))
    return (*fresh, *known.values())


def conditions_of(body: Any) -> tuple[Condition, ...]:
    return tuple(Condition.of(raw) for raw in body or () if isinstance(raw, Mapping))


def reason_of(code: str) -> str:
    """``field-owner-conflict`` as a reason: ``FieldOwnerConflict``."""
    return "".join(part[:1].upper() + part[1:] for part in code.split("-"))


def time_text(at: datetime | None) -> str:
    """RFC 3339 in whole seconds, as metav1.Time; "" for None."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def parse_time(text: Any) -> datetime | None:
    """None for what is no RFC 3339 time."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
