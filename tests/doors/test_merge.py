"""ports.Repository over requests: what a merge would hold, what a merge queue holds, and what was merged in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.model.request import ChangeRequest
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git import GitRepository
from clusterops.telemetry import build_logger
from tests.fake_clock import FakeClock
from tests.unit.source.origins import Origin

LONG = "".join(f"line {number}\n" for number in range(30))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.origin = Origin(folder / "fleet.git")
        settings = RepositorySettings(url=str(folder / "fleet.git"))
        logger = build_logger(level="critical")
        self.repository = GitRepository(settings, NetworkSettings(), folder / "mirror", logger, clock=FakeClock())

    def request(self, number: int, head: str, *, fork: bool = False) -> ChangeRequest:
        """As a forge shows it: a reference that no branch needs to have."""
        ref = f"refs/pull/{number}/head"
        self.origin.repository.references.create(ref, head, force=True)
        return ChangeRequest(number=number, head=head, ref=ref, base="main", fork=fork)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def error_of(work: object) -> ClusterOpsError:
    with pytest.raises(ClusterOpsError) as caught:
        await work  # type: ignore[misc]
    return caught.value


async def test_a_merge_holds_what_both_sides_changed_and_nothing_moves(bench: Bench) -> None:
    root = bench.origin.commit({"fleet.yaml": LONG, "a.yaml": "a\n", "b.yaml": "b\n"})
    head = bench.origin.commit(
        {"fleet.yaml": LONG.replace("line 0\n", "request\n"), "a.yaml": None}, branch="topic", onto=root
    )
    base = bench.origin.commit({"fleet.yaml": LONG.replace("line 29\n", "main\n"), "b.yaml": "main\n"})
    await bench.repository.fetch()
    merged = await bench.repository.merged(bench.request(7, head), base)
    assert merged.paths == ("b.yaml", "fleet.yaml")
    assert merged.read("fleet.yaml") == LONG.replace("line 0\n", "request\n").replace("line 29\n", "main\n").encode()
    assert merged.read("b.yaml") == b"main\n"
    assert (merged.revision.text, merged.trusted) == (f"request 7@{head[:7]}", True)
    assert (await bench.repository.fetch()).commit == base
    assert bench.origin.git("rev-parse", "main").strip() == base


async def test_the_merge_is_with_the_commit_that_is_asked_for(bench: Bench) -> None:
    """The branch may have been fetched again since the daemon took its head."""
    root = bench.origin.commit({"a.yaml": "a\n", "b.yaml": "b\n"})
    head = bench.origin.commit({"a.yaml": "request\n"}, branch="topic", onto=root)
    later = bench.origin.commit({"b.yaml": "later\n"})
    await bench.repository.fetch()
    request = bench.request(7, head)
    assert (await bench.repository.merged(request, root)).read("b.yaml") == b"b\n"
    assert (await bench.repository.merged(request, later)).read("b.yaml") == b"later\n"


async def test_a_conflict_names_the_files(bench: Bench) -> None:
    root = bench.origin.commit({"a.yaml": "a\n"})
    head = bench.origin.commit({"a.yaml": "request\n"}, branch="topic", onto=root)
    base = bench.origin.commit({"a.yaml": "main\n"})
    await bench.repository.fetch()
    error = await error_of(bench.repository.merged(bench.request(7, head), base))
    assert isinstance(error, TerminalError)
    assert (error.code, error.path) == ("merge-conflict", "a.yaml")


async def test_a_request_whose_head_is_gone_is_looked_at_again(bench: Bench) -> None:
    base = bench.origin.commit({"a.yaml": "a\n"})
    await bench.repository.fetch()
    request = ChangeRequest(number=7, head="f" * 40, ref="refs/pull/7/head", base="main")
    bench.origin.repository.references.create(request.ref, base)
    error = await error_of(bench.repository.merged(request, base))
    assert isinstance(error, TransientError)
    assert error.code == "request-moved"


async def test_what_comes_from_a_fork_is_not_trusted(bench: Bench) -> None:
    base = bench.origin.commit({"a.yaml": "a\n"})
    head = bench.origin.commit({"b.yaml": "b\n"}, branch="topic", onto=base)
    await bench.repository.fetch()
    assert not (await bench.repository.merged(bench.request(7, head, fork=True), base)).trusted


async def test_a_merge_group_is_planned_as_the_queue_has_made_it(bench: Bench) -> None:
    """Other branches, and other branches' queues, are none of ours."""
    base = bench.origin.commit({"a.yaml": "a\n"})
    queued = f"gh-readonly-queue/main/pr-7-{base}"
    head = bench.origin.commit({"a.yaml": "queued\n"}, branch=queued, onto=base)
    bench.origin.commit({"a.yaml": "x\n"}, branch=f"gh-readonly-queue/other/pr-8-{base}", onto=base)
    await bench.repository.fetch()
    (group,) = await bench.repository.merge_groups()
    assert (group.number, group.head, group.ref, group.base) == (0, head, f"refs/heads/{queued}", "main")
    moved = bench.origin.commit({"b.yaml": "main has moved on\n"})
    await bench.repository.fetch()
    merged = await bench.repository.merged(group, moved)
    assert (merged.paths, merged.read("a.yaml")) == (("a.yaml",), b"queued\n")


async def test_what_was_merged_between_two_heads_is_told_newest_first(bench: Bench) -> None:
    first, second, third = (bench.origin.commit({"a.yaml": text}) for text in "123")
    last = bench.origin.commit({"a.yaml": "4"})
    await bench.repository.fetch()
    between = await bench.repository.passed_over(last, first)
    assert [each.commit for each in between] == [third, second]
    assert [each.commit for each in await bench.repository.passed_over(last, "")] == [third, second, first]
    assert await bench.repository.passed_over(last, third) == ()


async def test_a_mirror_made_anew_merges_as_before(bench: Bench) -> None:
    root = bench.origin.commit({"a.yaml": LONG})
    head = bench.origin.commit({"a.yaml": LONG.replace("line 0\n", "request\n")}, branch="topic", onto=root)
    base = bench.origin.commit({"a.yaml": LONG.replace("line 29\n", "main\n")})
    await bench.repository.fetch()
    request = bench.request(7, head)
    before = (await bench.repository.merged(request, base)).read("a.yaml")
    bench.repository._mirror.blobs.damaged = True
    await bench.repository.fetch()
    assert (await bench.repository.merged(request, base)).read("a.yaml") == before
