"""Which targets differ between two commits, by all that a pass over them depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clusterops.controller.due import GONE, Due, Memory, gone_target, inputs_of, with_keys
from clusterops.model.fleet import Fleet, Target
from clusterops.model.policy import BUDGET_CODES
from clusterops.model.revision import Snapshot
from clusterops.ports import Renderer
from clusterops.status import StoredTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One commit's targets that are ours, with their inputs."""

    commit: str
    fleet: Fleet
    due: Mapping[str, Due]

    @classmethod
    def of(cls, fleet: Fleet, mine: Mapping[str, Target], snapshot: Snapshot, renderer: Renderer) -> Sight:
        """Blocking. O(targets), tens of microseconds for each."""
        found = {
            name: Due(target=target, inputs=with_keys(inputs_of(target, snapshot, renderer), fleet.keys_for(name)))
            for name, target in mine.items()
        }
        return cls(commit=snapshot.revision.commit, fleet=fleet, due=found)

    def whole(self, known: Mapping[str, StoredTarget]) -> dict[str, Due]:
        """With what git no longer has and ``known`` has a record of."""
        fleet = self.fleet
        gone = {
            name: Due(target=gone_target(stored, fleet), inputs=with_keys(GONE, fleet.keys_for(name)), gone=True)
            for name, stored in known.items()
            if name not in fleet.targets
        }
        return {**self.due, **gone}

    def inputs(self, known: Mapping[str, StoredTarget]) -> dict[str, str]:
        return {name: each.inputs for name, each in self.whole(known).items()}


def due_between(
    before: Mapping[str, str],
    after: Sight,
    known: Mapping[str, StoredTarget],
    memories: Mapping[str, Memory],
    *,
    policy_moved: bool = False,
) -> tuple[Due, ...]:
    """Targets that would be due once ``after`` is the head, ordered by name; ``before`` has the inputs until then.

    Also those that a budget stopped, where the policy is another one. A fleet with problems has none.
    """
    if after.fleet.problems:
        return ()
    return tuple(
        each
        for name, each in sorted(after.whole(known).items())
        if not _is_done(each, memories.get(name))
        and (before.get(name) != each.inputs or (policy_moved and _waits_for_budget(memories.get(name))))
    )


def _is_done(each: Due, memory: Memory | None) -> bool:
    """Deleted with a second key, which may be taken away now."""
    return each.gone and memory is not None and memory.deleted


def _waits_for_budget(memory: Memory | None) -> bool:
    return memory is not None and memory.code in BUDGET_CODES.values()
