"""A deletion: the second key that permits it, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from clusterops.model.key import ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DeletionKey:
    """A file of deletions/. ``target`` and ``uid`` decide; it counts until the end of the day ``expires`` (UTC)."""

    path: str
    target: str
    uid: str
    reason: str
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What one target may look at when it is deleted: the keys that name it, and today."""

    keys: tuple[DeletionKey, ...] = ()
    days_ahead: int = 7
    now: datetime

    @property
    def today(self) -> date:
        return self.now.date()


NO_PERMITS: Final = Permits(now=datetime.fromtimestamp(0, UTC))


class Step(StrEnum):
    """Where a deletion stands, in order."""

    BEGUN = "begun"
    HOOK = "hook"
    WORKERS = "workers"
    CONTROL_PLANE = "control-plane"
    INFRASTRUCTURE = "infrastructure"
    POOLS = "pools"
    REMAINDER = "remainder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An object in deletion that a finalizer holds. ``owner`` is who has to remove it."""

    key: ObjectKey
    finalizer: str
    owner: str
    known: bool = True
    """Whether it is a finalizer of Cluster API, a provider or Kubernetes."""
    since: datetime | None = None

    def minutes(self, now: datetime) -> int:
        return int((now - self.since).total_seconds() // 60) if self.since else 0

    def text(self, now: datetime, *, of: ObjectKey | None = None) -> str:
        """``OpenStackCluster fra1/search: finalizer … of …, for 2m``; no age in the first minute, nor ``of``'s name."""
        minutes = self.minutes(now)
        age = f", for {_age(minutes)}" if minutes > 0 else ""
        label = "" if self.key == of else f"{self.key.label}: "
        return f"{label}finalizer {self.finalizer} of {self.owner}{age}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What a target still waits for. ``machines`` are those left of the step; ``reason`` is the condition's."""

    step: Step
    subject: ObjectKey
    reason: str = ""
    machines: int | None = None
    stuck: Stuck | None = None
    key: str = ""
    """Path of the second key that opened it, where it begins."""

    def text(self, now: datetime, *, most: int = 0) -> str:
        """``waits for workers, 2 of 4 machines gone (WaitingForWorkersDeletion)``; ``most`` were there once."""
        parts = [_WORDS[self.step].format(self.subject.label)]
        if self.machines is not None and (self.machines or most):
            total = max(most, self.machines)
            gone = total - self.machines
            parts.append(f"{gone} of {total} machine{'s' * (total != 1)} gone")
        if self.key:
            parts.append(f"key {self.key}")
        if self.stuck is not None and self.step is not Step.HOOK:
            parts += self._held(self.stuck, now)
        return ", ".join(parts) + (f" ({self.reason})" if self.reason else "")

    def _held(self, stuck: Stuck, now: datetime) -> list[str]:
        """A controller at work has a finalizer too: it is told of once it takes long, or is nobody's we know."""
        if stuck.known and stuck.minutes(now) < 1:
            return [stuck.key.label] if self.step is Step.INFRASTRUCTURE else []
        return [stuck.text(now, of=self.subject if self.step is Step.REMAINDER else None)]


_WORDS: Final = {
    Step.BEGUN: "{} deleted with uid precondition",
    Step.HOOK: "waits for a BeforeClusterDelete hook of {}",
    Step.WORKERS: "waits for workers",
    Step.CONTROL_PLANE: "waits for the control plane",
    Step.INFRASTRUCTURE: "waits for infrastructure",
    Step.POOLS: "waits for {} to go",
    Step.REMAINDER: "removes what is left, now {}",
}


def gone_text(removed: Sequence[ObjectKey], spent: Sequence[str]) -> str:
    """``gone. 4 templates deleted, then Secret search-cloud-config. Key spent: remove deletions/search.yaml``"""
    templates = sum(key.kind.endswith("Template") for key in removed)
    others = [key for key in removed if not key.kind.endswith("Template")]
    last = [key for key in others if key.kind == "Secret" or key.kind.endswith("Identity")]
    parts = [f"{templates} template{'s' * (templates != 1)} deleted"] if templates else []
    if last:
        parts.append(f"{'then ' if parts else ''}{', '.join(f'{key.kind} {key.name}' for key in last)}")
    text = f"gone. {', '.join(parts)}" if parts else "gone"
    return f"{text}. Key spent: remove {', '.join(spent)}" if spent else text


def _age(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest}m" if hours and rest else f"{hours}h" if hours else f"{minutes}m"
