"""How keys become requests, and how concurrent readers share them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import TerminalError, TransientError
from clusterops.kube.reads import BATCHES, LIST_FROM, LISTED_PER_GET, BatchingReads, Read, ReadPlanner
from clusterops.kube.resources import Resource
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, Unreadable

THINGS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)


def key_of(name: str, namespace: str = "n") -> ObjectKey:
    return ObjectKey(group="", kind="ConfigMap", namespace=namespace, name=name)


def live(key: ObjectKey) -> LiveObject:
    metadata = {"namespace": key.namespace, "name": key.name, "uid": f"u-{key}", "resourceVersion": "1"}
    return LiveObject.of({"apiVersion": "v1", "kind": key.kind, "metadata": metadata})


class Shelf:
    """A server that holds ``keys`` and counts what it is asked."""

    def __init__(self, keys: Collection[ObjectKey], broken: Collection[ObjectKey] = (), listable: bool = True) -> None:
        self.keys = frozenset(keys)
        self.broken = frozenset(broken)
        self.listable = listable
        self.gets = 0
        self.lists = 0

    async def find(self, group: str, kind: str) -> Resource | None:
        return THINGS if kind == "ConfigMap" else None

    async def get(self, resource: Resource, key: ObjectKey) -> LiveObject | None:
        self.gets += 1
        if key in self.broken:
            raise TransientError("api-unreachable", key.label, "cut")
        return live(key) if key in self.keys else None

    async def list_some(self, resource: Resource, namespace: str | None, limit: int) -> tuple[list[LiveObject], int]:
        self.lists += 1
        if not self.listable:
            raise TerminalError("api-forbidden", "ConfigMaps", "no")
        there = sorted(key for key in self.keys if namespace in {None, key.namespace})
        return [live(key) for key in there[:limit]], max(0, len(there) - limit)


NAMES = st.builds(key_of, st.sampled_from([f"c{n}" for n in range(12)]), st.sampled_from(["n", "m", "o"]))


@given(st.sets(NAMES), st.sets(NAMES), st.booleans(), st.integers(0, 300))
def test_every_key_is_answered_as_a_get_of_it_would_be(
    asked: set[ObjectKey], there: set[ObjectKey], listable: bool, others: int
) -> None:
    crowd = {key_of(f"a{number}") for number in range(others)}
    shelf = Shelf(there | crowd, listable=listable)
    found = asyncio.run(ReadPlanner(shelf).read(asked))
    assert found == {key: live(key) if key in there else Absent(key=key) for key in asked}
    assert shelf.gets <= len(asked)


async def test_a_collection_too_large_to_list_is_listed_once_and_then_got() -> None:
    keys = [key_of(f"z{number}") for number in range(LIST_FROM)]
    crowd = [key_of(f"a{number}") for number in range(LISTED_PER_GET * LIST_FROM + 1)]
    shelf = Shelf([*keys, *crowd])
    planner = ReadPlanner(shelf)
    for _ in range(3):
        assert all(isinstance(value, LiveObject) for value in (await planner.read(keys)).values())
    assert (shelf.lists, shelf.gets) == (1, 3 * LIST_FROM)


async def test_an_error_belongs_to_its_key_alone() -> None:
    shelf = Shelf([key_of("a"), key_of("b")], broken=[key_of("b")])
    found = await ReadPlanner(shelf).read([key_of("a"), key_of("b"), key_of("c")])
    assert isinstance(found[key_of("a")], LiveObject)
    broken = found[key_of("b")]
    assert isinstance(broken, Unreadable)
    assert broken.problem.code == "api-unreachable"
    assert found[key_of("c")] == Absent(key=key_of("c"))


async def test_a_kind_that_is_not_served_is_absent_with_that_reason() -> None:
    key = ObjectKey(group="x", kind="Gadget", namespace="n", name="a")
    assert await ReadPlanner(Shelf([])).read([key]) == {key: Absent(key=key, kind_served=False)}


class Slow:
    """A fetch that waits until it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[set[ObjectKey]] = []
        self.go = asyncio.Event()

    async def fetch(self, keys: Collection[ObjectKey]) -> dict[ObjectKey, Read]:
        self.batches.append(set(keys))
        await self.go.wait()
        return {key: Absent(key=key) for key in keys}


def three(prefix: str) -> list[ObjectKey]:
    return [key_of(f"{prefix}{number}") for number in range(3)]


async def started(count: int, reads: BatchingReads) -> list[asyncio.Task[dict[ObjectKey, Read]]]:
    tasks = [asyncio.create_task(reads.read(three(f"t{number}-"))) for number in range(count)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_readers_who_come_while_batches_are_under_way_share_the_next_one() -> None:
    slow = Slow()
    reads = BatchingReads(slow.fetch)
    tasks = await started(50, reads)
    assert len(slow.batches) <= BATCHES
    slow.go.set()
    answers = await asyncio.gather(*tasks)
    assert [sorted(answer) for answer in answers] == [three(f"t{number}-") for number in range(50)]
    assert len(slow.batches) <= BATCHES + 1


async def test_a_key_wanted_again_while_its_batch_is_under_way_is_read_again() -> None:
    """Its value could be older than the second request."""
    slow = Slow()
    reads = BatchingReads(slow.fetch)
    first = asyncio.create_task(reads.read(three("a")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(reads.read(three("a")))
    slow.go.set()
    await asyncio.gather(first, second)
    assert len(slow.batches) == 2


async def test_a_reader_that_gives_up_takes_nothing_from_the_others() -> None:
    slow = Slow()
    reads = BatchingReads(slow.fetch)
    tasks = await started(5, reads)
    tasks[3].cancel()
    slow.go.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done.pop(3), asyncio.CancelledError)
    assert all(isinstance(answer, dict) and len(answer) == 3 for answer in done)


async def test_a_defect_in_a_batch_reaches_its_readers_and_not_the_next() -> None:
    failing = True

    async def fetch(keys: Collection[ObjectKey]) -> dict[ObjectKey, Read]:
        if failing:
            raise RuntimeError("a defect")
        return {key: Absent(key=key) for key in keys}

    reads = BatchingReads(fetch)
    with pytest.raises(RuntimeError, match="a defect"):
        await reads.read(three("a"))
    failing = False
    assert len(await reads.read(three("a"))) == 3


async def test_a_few_keys_do_not_queue_behind_a_fleet() -> None:
    slow = Slow()
    reads = BatchingReads(slow.fetch)
    tasks = await started(10, reads)
    lone = asyncio.create_task(reads.read([key_of("lease")]))
    await asyncio.sleep(0)
    assert {key_of("lease")} in slow.batches
    slow.go.set()
    await asyncio.gather(lone, *tasks)
