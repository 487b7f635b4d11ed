"""Halts: whether a commit goes no further, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from clusterops.model.rollout import Halt, Member, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Halting:
    """``failures`` by revision; ``recorded`` are the halts that the Fleet has.

    ``resumed`` is by revision the latest word that it goes on, ``settled`` when targets of any commit settled last.
    """

    limit: int
    failures: Mapping[str, list[Halt]]
    recorded: tuple[Halt, ...]
    resumed: Mapping[str, datetime]
    settled: Mapping[str, datetime]

    def of(self, revision: str) -> Halt | None:
        """As many failures as make one, by the last of them; else a recorded halt stands, whatever was begun since.

        The last failure is what is recorded then, so that it is not forgotten while a commit mends an earlier one.
        """
        failed = [one for one in self.failures.get(revision, ()) if not self.forgiven(revision, one.at)]
        if len(failed) >= self.limit:
            return max(failed, key=lambda one: (one.at.timestamp() if one.at else 0.0, one.target))
        return next((halt for halt in self.recorded if halt.revision == revision and self._stands(halt)), None)

    def forgiven(self, revision: str, failed_at: datetime | None) -> bool:
        """Whether a person said go on after that."""
        said = self.resumed.get(revision)
        return said is not None and failed_at is not None and failed_at <= said

    def _stands(self, halt: Halt) -> bool:
        """Until a person says go on, or the cluster has settled since."""
        said = self.resumed.get(halt.revision)
        if said is not None and (halt.at is None or halt.at <= said):
            return False
        settled = self.settled.get(halt.target)
        return settled is None or (halt.at is not None and settled <= halt.at)


def failures(members: Iterable[Member]) -> dict[str, list[Halt]]:
    """By the revision that a cluster failed under, which may be an earlier one than it is a member of now."""
    found: defaultdict[str, list[Halt]] = defaultdict(list)
    for one in members:
        if one.standing is Standing.FAILED:
            found[one.revision].append(Halt(revision=one.revision, target=one.target, code=one.code, at=one.since))
        elif one.left is not None:
            found[one.left.revision].append(one.left)
    return dict(found)
