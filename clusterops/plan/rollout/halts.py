"""Halts: whether a commit goes no further, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from clusterops.model.rollout import Halt, Member, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Halting:
    """``recorded`` are the halts that the Fleet has; ``resumed`` is by revision the latest word that it goes on.

    ``settled`` says when targets of any commit settled last.
    """

    limit: int
    recorded: tuple[Halt, ...]
    resumed: Mapping[str, datetime]
    settled: Mapping[str, datetime]

    def of(self, revision: str, members: Iterable[Member]) -> Halt | None:
        """A recorded halt stands, whatever has become of the failed ones since; else as many failures as make one."""
        for halt in self.recorded:
            if halt.revision == revision and self._stands(halt):
                return halt
        failed = [one for one in members if one.standing is Standing.FAILED and not self.forgiven(one)]
        if len(failed) < self.limit:
            return None
        last = max(failed, key=lambda one: (one.since.timestamp() if one.since else 0.0, one.target))
        return Halt(revision=revision, target=last.target, code=last.code, at=last.since)

    def forgiven(self, failed: Member) -> bool:
        """Whether a person said go on after it had failed."""
        said = self.resumed.get(failed.revision)
        return said is not None and failed.since is not None and failed.since <= said

    def _stands(self, halt: Halt) -> bool:
        """Until a person says go on, or the cluster has settled since."""
        said = self.resumed.get(halt.revision)
        if said is not None and (halt.at is None or halt.at <= said):
            return False
        settled = self.settled.get(halt.target)
        return settled is None or (halt.at is not None and settled <= halt.at)
