"""What a commit changed for us: which targets are due, and what is remembered of each between passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clusterops.controller.work import Work
from clusterops.errors import ClusterOpsError
from clusterops.model.canonical import digest_of
from clusterops.model.deletion import DeletionKey
from clusterops.model.fleet import Fleet, PlainRecipe, Target
from clusterops.model.policy import BUDGET_CODES
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Snapshot
from clusterops.model.rollout import HELD_CODES
from clusterops.ports import Renderer
from clusterops.status import Phase, StoredTarget, TargetCounts
from clusterops.status.target_status import SUPERSEDED_CODES, SUSPENDED_CODES

_NO_FAILURE: Final = SUSPENDED_CODES | SUPERSEDED_CODES | HELD_CODES
GONE: Final = "gone"
"""The inputs of a target that git no longer has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One target as of its last pass. ``inputs`` is the fingerprint that the pass had, ``revision`` its commit."""

    inputs: str = ""
    revision: str = ""
    settled: bool = False
    code: str = ""
    deleted: bool = False
    """Gone with a second key: nothing of it is left to be orphaned."""
    passed: bool = False
    """Whether this process began a pass over it: what is not settled then is the schedule's to repeat."""

    @classmethod
    def of(cls, stored: StoredTarget) -> Memory:
        status = stored.status
        return cls(
            inputs=status.inputs,
            revision=status.observed_revision,
            settled=status.phase in {Phase.SETTLED, Phase.ORPHANED, Phase.DELETED},
            deleted=status.phase == Phase.DELETED,
            code=status.code,
        )

    def before(self, work: Work) -> Memory:
        """From now on the schedule answers for these inputs: a later commit with the same ones is none of its own."""
        return replace(
            self,
            inputs=work.inputs,
            revision=work.revision,
            settled=False,
            code="",
            passed=True,
        )

    def after(self, work: Work, outcome: Outcome) -> Memory:
        return replace(
            self,
            inputs=work.inputs,
            revision=outcome.revision,
            settled=outcome.stage is Stage.DONE,
            deleted=outcome.stage is Stage.DONE and work.gone and bool(outcome.deletion),
            code=outcome.problem.code if outcome.problem else "",
            passed=True,
        )


def gone_target(stored: StoredTarget, fleet: Fleet) -> Target:
    """Stands for a target whose directory is no longer in git."""
    return Target(
        name=stored.target,
        fleet=fleet.file.name,
        region=None,
        cluster=stored.target.partition("/")[2],
        namespace=stored.key.namespace or "",
        mode=fleet.file.mode,
        recipe=PlainRecipe(files=()),
    )


def counts_of(memories: Mapping[str, Memory], mine: Mapping[str, Target]) -> TargetCounts:
    """``total`` counts what git has; a target gone from git is orphaned, whatever its last pass said."""
    here = [memories.get(name, Memory()) for name in mine]
    settled = sum(memory.settled for memory in here)
    suspended = sum(memory.code in SUSPENDED_CODES for memory in here)
    failed = sum(bool(memory.code) and memory.code not in _NO_FAILURE for memory in here)
    return TargetCounts(
        total=len(here),
        settled=settled,
        suspended=suspended,
        failed=failed,
        progressing=max(0, len(here) - settled - suspended - failed),
        orphaned=sum(not memories[name].deleted for name in memories.keys() - mine.keys()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A target that needs a pass.

    ``unfinished_of`` is the revision (``main@3b9e0d1``) whose verdict waits for it; ``supersedes`` one that an earlier
    process left unfinished and that changed meanwhile; ``after`` names shared targets of the same commit that it
    follows.
    """

    target: Target
    inputs: str
    gone: bool = False
    unfinished_of: str = ""
    supersedes: str = ""
    after: frozenset[str] = frozenset()


def find_due(
    fleet: Fleet,
    mine: Mapping[str, Target],
    memories: Mapping[str, Memory],
    snapshot: Snapshot,
    renderer: Renderer,
    *,
    gone: Iterable[Target],
    policy_moved: bool = False,
) -> tuple[Due, ...]:
    """Targets whose inputs differ from those of their last pass, and those that a restart left unsettled.

    Also those that a budget stopped, where the policy is another one now. Ordered by name. A fleet with problems has
    none: nothing is done by halves. O(targets).
    """
    if fleet.problems:
        return ()
    found = [
        Due(target=target, inputs=with_keys(inputs_of(target, snapshot, renderer), fleet.keys_for(target.name)))
        for target in mine.values()
    ]
    found += [Due(target=target, inputs=with_keys(GONE, fleet.keys_for(target.name)), gone=True) for target in gone]
    ordered = sorted(found, key=lambda each: each.target.name)
    due = (_due(each, memories.get(each.target.name), policy_moved=policy_moved) for each in ordered)
    return tuple(each for each in due if each is not None)


def inputs_of(target: Target, snapshot: Snapshot, renderer: Renderer) -> str:
    """Digest of all that a pass depends on; a target that cannot be fingerprinted has its problem as input."""
    try:
        rendered = "" if target.problems else renderer.fingerprint(snapshot, target)
    except ClusterOpsError as error:
        rendered = str(error)
    return digest_of([rendered, str(target.mode), target.namespace, [problem.text for problem in target.problems]])


def with_keys(inputs: str, keys: Sequence[DeletionKey]) -> str:
    """A second key is an input: adding or mending one is a reason to look again."""
    if not keys:
        return inputs
    return digest_of([inputs, [[key.path, key.uid, key.expires.isoformat()] for key in keys]])


def _due(each: Due, memory: Memory | None, *, policy_moved: bool) -> Due | None:
    if memory is None:
        return each
    if each.gone and memory.deleted:
        return None
    if policy_moved and memory.code in BUDGET_CODES.values():
        return each
    if memory.inputs != each.inputs:
        return each if memory.settled or memory.passed else replace(each, supersedes=memory.revision)
    if memory.settled or memory.passed:
        return None
    return replace(each, unfinished_of=memory.revision)
