"""Who becomes due with a shared target whose class changes, in which commit, and after what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from clusterops.capi.rollout.topology import class_key
from clusterops.controller.classes import shared_classes
from clusterops.controller.clock import Ticks
from clusterops.controller.dependents import with_dependents, with_old_classes
from clusterops.controller.due import Due, Memory
from clusterops.controller.records import Records
from clusterops.controller.work import Doors
from clusterops.errors import TerminalError
from clusterops.model.fleet import Mode, Target
from clusterops.model.inventory import empty_inventory
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.revision import Snapshot
from clusterops.plan.classes import NO_CLASSES
from clusterops.status.fleet_target import unstored_target
from clusterops.telemetry import Metrics, build_logger
from tests.fake_clock import FakeClock
from tests.fleet_objects import rendered, target
from tests.unit.controller.works import revision, work
from tests.unit.plan.test_class_generations import CLASS, SHARED, Fleet, class_bodies, cluster_body, fleet, patched

Bodies = list[dict[str, Any]]
ALPHA, BETA = "north/alpha", "north/beta"
HEAD = revision("2")


@dataclass(slots=True)
class Git:
    """What a render of each target gives."""

    bodies: dict[str, Bodies] = field(default_factory=dict)

    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        return "tree"

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        if target.name not in self.bodies:
            raise TerminalError("values-invalid", target.name, "does not render")
        return rendered(self.bodies[target.name], of=target.name)


def doors_of(found: Fleet, git: Git) -> Doors:
    clock = FakeClock()
    records = Records(cluster=found.cluster, clock=clock, namespace="clusterops-system", identity="test", fleet="demo")
    for name, world in {SHARED: found.shared, **{f"north/{each}": one for each, one in found.targets.items()}}.items():
        records.known[name] = replace(unstored_target(target(name)), inventory=world.inventory)
    return Doors(
        renderer=git,
        cluster=found.cluster,
        records=records,
        clock=clock,
        ticks=Ticks(clock, 1.0),
        logger=build_logger(level="critical"),
        metrics=Metrics(),
        slots=asyncio.Semaphore(1),
    )


def memories(*unsettled: str, of: str = "main@1111111", passed: bool = False) -> dict[str, Memory]:
    names = (SHARED, ALPHA, BETA)
    return {name: Memory(inputs="tree", revision=of, settled=name not in unsettled, passed=passed) for name in names}


async def due_with(
    found: Fleet,
    bodies: Bodies | None,
    *due: Due,
    known: Mapping[str, Memory] | None = None,
    observed: str = "",
    first: bool = False,
) -> dict[str, Due]:
    git = Git({SHARED: bodies} if bodies is not None else {})
    modes = {True: Mode.OBSERVE, False: Mode.APPLY}
    mine = {name: replace(target(name), mode=modes[name == observed]) for name in (SHARED, ALPHA, BETA)}
    snapshot = work(mine[SHARED], HEAD).snapshot
    answer = await with_dependents(due, mine, known or memories(), snapshot, doors_of(found, git), first=first)
    return {each.target.name: each for each in answer}


def shared_due(**parts: Any) -> Due:
    return Due(**{"target": target(SHARED), "inputs": "other", **parts})


def names(found: Mapping[str, Due], *, after: Sequence[str] = (SHARED,)) -> set[str]:
    return {name for name, each in found.items() if each.after == frozenset(after)}


async def test_an_edited_class_makes_every_target_on_it_due_with_the_inputs_that_it_had() -> None:
    found = await due_with(await made("alpha", "beta"), patched(class_bodies()), shared_due())
    assert names(found) == {ALPHA, BETA}
    assert {found[ALPHA].inputs, found[ALPHA].unfinished_of} == {"tree", ""}
    assert found[SHARED].after == frozenset()


async def test_another_change_of_the_shared_target_concerns_nobody() -> None:
    assert set(await due_with(await made("alpha", "beta"), class_bodies(), shared_due())) == {SHARED}


async def test_a_shared_target_that_cannot_be_rendered_concerns_nobody() -> None:
    assert set(await due_with(await made("alpha"), None, shared_due())) == {SHARED}


async def test_a_commit_without_a_shared_target_reads_nothing() -> None:
    own = Due(target=target(ALPHA), inputs="other")
    assert await due_with(await made("alpha"), patched(class_bodies()), own) == {ALPHA: own}


async def test_whoever_is_on_its_way_to_another_generation_comes_along_when_that_is_reverted() -> None:
    """It is on the right class already, but a pass under the earlier commit would move it."""
    known = memories(ALPHA, passed=True)
    found = await due_with(await made("alpha", "beta"), class_bodies(), shared_due(), known=known)
    assert set(found) == {SHARED, ALPHA}
    assert found[ALPHA].after == frozenset(), "it need not wait: its class is there"


async def test_what_a_restart_left_unfinished_stays_in_its_commit() -> None:
    known = memories(SHARED, ALPHA, BETA)
    left = {name: Due(target=target(name), inputs="tree", unfinished_of="main@1111111") for name in (SHARED, ALPHA)}
    found = await due_with(await made("alpha", "beta"), patched(class_bodies()), *left.values(), known=known)
    assert names(found) == {ALPHA, BETA}
    assert {each.unfinished_of for each in found.values()} == {"main@1111111"}


async def test_what_an_earlier_process_left_apart_meets_in_the_head() -> None:
    """The dependents were held and recorded, the shared target was not applied, and another commit came."""
    known = memories(ALPHA, BETA)
    left = [Due(target=target(name), inputs="tree", unfinished_of="main@1111111") for name in (ALPHA, BETA)]
    found = await due_with(await made("alpha", "beta"), patched(class_bodies()), shared_due(), *left, known=known)
    assert {each.unfinished_of for each in found.values()} == {""}
    assert {found[name].supersedes for name in (ALPHA, BETA)} == {"main@1111111"}
    assert names(found) == {ALPHA, BETA}


async def test_the_head_has_its_name_and_none_at_all() -> None:
    known = memories(ALPHA, BETA, of=HEAD.text)
    left = [Due(target=target(name), inputs="tree", unfinished_of=HEAD.text) for name in (ALPHA, BETA)]
    found = await due_with(await made("alpha", "beta"), patched(class_bodies()), shared_due(), *left, known=known)
    assert {each.supersedes for each in found.values()} == {""}


async def test_who_is_due_while_the_shared_target_has_failed_takes_it_along() -> None:
    """Else it would settle on the old class, and nobody would move it later."""
    own = Due(target=target(ALPHA), inputs="other")
    known = memories(SHARED, ALPHA, BETA, passed=True)
    found = await due_with(await made("alpha", "beta"), patched(class_bodies()), own, known=known)
    assert names(found) == {ALPHA, BETA}
    assert SHARED in found


async def test_whoever_was_forgotten_on_an_old_class_is_found_when_a_process_begins() -> None:
    """Its record could not be written before the end of the process that knew."""
    found, wanted = await made("alpha", "beta"), patched(class_bodies())
    assert await due_with(found, wanted, first=True) == {}, "there is no old class"
    await asyncio.to_thread(found.apply_shared, wanted)
    assert await due_with(found, wanted) == {}
    assert set(await due_with(found, wanted, first=True)) == {SHARED, ALPHA, BETA}


@pytest.mark.parametrize("observed", [SHARED, ALPHA])
async def test_what_is_only_observed_neither_waits_nor_is_waited_for(observed: str) -> None:
    found = await due_with(await made("alpha"), patched(class_bodies()), shared_due(), observed=observed)
    assert set(found) == {SHARED, ALPHA}
    assert found[ALPHA].after == frozenset()


async def test_a_fleet_that_was_never_applied_is_told_who_would_follow() -> None:
    """Its clusters run, and it is only observed: nothing of them is in any inventory."""
    found = await made("alpha", "beta")
    found.shared.inventory = empty_inventory(SHARED)
    for name, world in found.targets.items():
        world.inventory = empty_inventory(f"north/{name}")
    assert set(await due_with(found, patched(class_bodies()), shared_due())) == {SHARED, ALPHA, BETA}


async def test_a_shared_target_owns_old_classes_until_they_are_collected() -> None:
    found = await made("alpha")
    assert list(with_old_classes(doors_of(found, Git()).records)) == []
    await asyncio.to_thread(found.apply_shared, patched(class_bodies()))
    assert list(with_old_classes(doors_of(found, Git()).records)) == [SHARED]


async def test_a_later_pass_renders_the_shared_target_and_finds_the_same_class() -> None:
    found, wanted = await made("alpha"), patched(class_bodies())
    await asyncio.to_thread(found.apply_shared, wanted)
    alone = replace(work(target(ALPHA), HEAD), targets={SHARED: target(SHARED)})
    doors = doors_of(found, Git({SHARED: wanted}))
    classes = await shared_classes(alone, doors, rendered(cluster_body()), {})
    assert classes.current[CLASS] in classes.usable
    assert class_key(cluster_body()[0]) == CLASS
    assert classes.current[CLASS] != CLASS


async def test_what_the_commit_brings_counts_before_it_lives_unless_it_is_only_observed() -> None:
    found, wanted = await made("alpha"), patched(class_bodies())
    coming = {manifest.key: manifest for manifest in map(Manifest.of, wanted)}
    doors = doors_of(found, Git())
    for mode, usable in ((Mode.APPLY, 1), (Mode.OBSERVE, 0)):
        shared = replace(target(SHARED), mode=mode)
        alone = replace(work(target(ALPHA), HEAD), targets={SHARED: shared})
        classes = await shared_classes(alone, doors, rendered(cluster_body()), coming)
        assert len(classes.usable) == usable


@pytest.mark.parametrize("bodies", [class_bodies(), []])
async def test_a_target_that_names_no_foreign_class_asks_for_nothing(bodies: Bodies) -> None:
    alone = work(target(ALPHA), HEAD)
    own = [*bodies, *cluster_body()] if bodies else []
    assert await shared_classes(alone, doors_of(Fleet(), Git()), rendered(own), {}) is NO_CLASSES


async def test_a_class_whose_target_cannot_be_rendered_now_holds_its_clusters_where_they_are() -> None:
    found = await made("alpha")
    alone = replace(work(target(ALPHA), HEAD), targets={SHARED: target(SHARED)})
    classes = await shared_classes(alone, doors_of(found, Git()), rendered(cluster_body()), {})
    assert (classes.current, classes.left) == ({}, frozenset({CLASS}))


async def made(*clusters: str) -> Fleet:
    """Its worlds have event loops of their own."""
    return await asyncio.to_thread(fleet, *clusters)
