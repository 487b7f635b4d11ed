"""Where verdicts on commits stand, and that each is posted once, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from clusterops.controller.board import Board
from clusterops.controller.commits import Commit
from clusterops.controller.resume import standing
from clusterops.controller.statuses import statuses_of
from clusterops.controller.verdicts import Verdicts
from clusterops.errors import TerminalError, TransientError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.plan import Plan
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome, Stage
from clusterops.model.request import ChangeRequest
from clusterops.telemetry import Metrics, build_logger
from tests.fake_clock import FakeClock
from tests.fake_forge import FakeForge
from tests.fuzz.memory import MemoryRepository
from tests.unit.controller.works import commit, draft, revision

COMMIT, HEAD = "1" * 40, "a" * 40
APPLY = "clusterops/apply"
OUTAGE = TransientError("forge-unavailable", "forge", "answers 503")
REVOKED = TerminalError("forge-unauthorized", "forge", "answers 401")


def status(state: State, text: str, context: str = APPLY) -> CommitStatus:
    return CommitStatus(context=context, state=state, text=text)


def request(number: int, head: str) -> ChangeRequest:
    return ChangeRequest(number=number, head=head, ref=f"refs/pull/{number}/head", base="main")


@dataclass(slots=True)
class Bench:
    """A forge on which request 7 was merged as COMMIT, and what is before it."""

    forge: FakeForge = field(default_factory=FakeForge)
    clock: FakeClock = field(default_factory=FakeClock)
    metrics: Metrics = field(default_factory=Metrics)
    repository: MemoryRepository = field(default_factory=MemoryRepository)
    calls: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.merge(7, HEAD, COMMIT)
        self.forge.before = self._before

    def merge(self, number: int, head: str, commit: str) -> None:
        self.forge.open(request(number, head))
        self.forge.close(number, merged_as=commit)

    def _before(self, method: str) -> None:
        self.calls.append(method)
        if method in self.fails:
            raise self.fails[method]

    def board(self) -> Board:
        """Of another process each time."""
        found = Board(repository=self.repository, clock=self.clock)
        found.use(self.forge)
        return found

    def texts(self, commit: str, context: str = APPLY) -> list[str]:
        posted = (each for at, each in self.forge.posted if at == commit)
        return [each.text for each in posted if each.context == context]

    @asynccontextmanager
    async def verdicts(self) -> AsyncIterator[Verdicts]:
        """One process' life."""
        logger = build_logger(level="critical")
        found = Verdicts(board=self.board(), clock=self.clock, logger=logger, metrics=self.metrics)
        task = asyncio.create_task(found.write_forever())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_became_of_a_commit_stands_on_the_heads_of_its_requests_too() -> None:
    bench = Bench()
    told = [status(State.SUCCESS, "1 of 1"), status(State.SUCCESS, "of eu", f"{APPLY}: eu")]
    await bench.board().write_statuses(COMMIT, [status(State.SUCCESS, "no change", "clusterops/plan"), *told])
    assert bench.forge.heard(COMMIT).keys() == {"clusterops/plan", APPLY, f"{APPLY}: eu"}
    assert bench.forge.heard(HEAD) == {APPLY: ("success", "1 of 1"), f"{APPLY}: eu": ("success", "of eu")}


async def test_requests_are_asked_for_once_and_where_there_is_none_once_more_at_the_end() -> None:
    """A forge may learn late what was merged."""
    bench, other = Bench(), "2" * 40
    board = bench.board()
    for text in ("0 of 2", "1 of 2", "2 of 2"):
        await board.write_statuses(COMMIT, [status(State.PENDING, text)])
    assert bench.calls.count("requests_of") == 1
    await board.write_statuses(other, [status(State.PENDING, "0 of 1")])
    bench.merge(8, "b" * 40, other)
    await board.write_statuses(other, [status(State.SUCCESS, "1 of 1")])
    assert bench.forge.heard("b" * 40) == {APPLY: ("success", "1 of 1")}


async def test_a_fast_forward_is_told_once() -> None:
    bench = Bench()
    bench.merge(9, "3" * 40, "3" * 40)
    await bench.board().write_statuses("3" * 40, [status(State.SUCCESS, "1 of 1")])
    assert bench.texts("3" * 40) == ["1 of 1"]


async def test_progress_is_posted_seldom_and_a_verdict_at_once() -> None:
    bench = Bench()
    board = bench.board()
    for text in ("0 of 2", "1 of 2"):
        await board.write_statuses(COMMIT, [status(State.PENDING, text)])
    assert bench.texts(COMMIT) == ["0 of 2"]
    await bench.clock.advance(30.0)
    await board.write_statuses(COMMIT, [status(State.PENDING, "1 of 2")])
    await board.write_statuses(COMMIT, [status(State.SUCCESS, "2 of 2")])
    assert bench.texts(COMMIT) == ["0 of 2", "1 of 2", "2 of 2"]


async def test_commits_that_were_taken_together_are_carried_by_the_last() -> None:
    bench, first, second = Bench(), revision("2"), revision("3")
    bench.merge(8, "b" * 40, first.commit)
    board = bench.board()
    board.carry(second.commit, [first])
    board.carry(COMMIT, [second])
    await board.write_statuses(COMMIT, [status(State.FAILURE, "not settled")])
    carried = {APPLY: ("failure", "carried by 1111111: not settled")}
    assert [bench.forge.heard(each) for each in (first.commit, second.commit, "b" * 40)] == [carried] * 3


async def test_regions_that_a_carried_commit_left_pending_end_with_it() -> None:
    bench, first = Bench(), revision("2")
    bench.merge(8, "b" * 40, first.commit)
    await bench.board().write_statuses(first.commit, [status(State.PENDING, "0 of 1", f"{APPLY}: eu")])
    board = bench.board()
    board.carry(COMMIT, [first])
    await board.write_statuses(COMMIT, [status(State.SUCCESS, "1 of 1")])
    for at in (first.commit, "b" * 40):
        assert bench.forge.heard(at).keys() == {APPLY, f"{APPLY}: eu"}
        assert {state for state, _ in bench.forge.heard(at).values()} == {"success"}


async def test_what_cannot_be_told_on_a_head_stands_on_the_commit() -> None:
    """And is tried again until it is told, each once."""
    bench = Bench()
    board, told = bench.board(), [status(State.SUCCESS, "1 of 1")]
    bench.fails["requests_of"] = REVOKED
    for _ in range(2):
        with suppress(TerminalError):
            await board.write_statuses(COMMIT, told)
    assert (bench.texts(COMMIT), bench.texts(HEAD)) == (["1 of 1"], [])
    bench.fails.clear()
    await board.write_statuses(COMMIT, told)
    assert (bench.texts(COMMIT), bench.texts(HEAD)) == (["1 of 1"], ["1 of 1"])


async def test_another_process_posts_nothing_that_stands() -> None:
    bench, told = Bench(), [status(State.SUCCESS, "1 of 1")]
    await bench.board().write_statuses(COMMIT, told)
    await bench.board().write_statuses(COMMIT, told)
    assert (bench.texts(COMMIT), bench.texts(HEAD)) == (["1 of 1"], ["1 of 1"])


async def test_without_a_forge_verdicts_are_notes() -> None:
    bench = Bench()
    board = Board(repository=bench.repository)
    await board.write_statuses(COMMIT, [status(State.SUCCESS, "1 of 1")])
    assert [each.text for each in await board.read_statuses(COMMIT)] == ["1 of 1"]
    assert bench.calls == []


def judged(digit: str, name: str = "eu/pay") -> Commit:
    """A commit whose target has settled."""
    found = commit(digit, name)
    planned = draft(name, plan=Plan(target=name, revision="main", waves=()))
    found.drafts[name] = planned
    found._judged_as(({}, ()))
    found.finish(name, replace(planned, stage=Stage.DONE))
    return found


async def test_a_verdict_is_posted_when_the_forge_is_back_and_holds_up_no_other() -> None:
    bench = Bench()
    async with bench.verdicts() as verdicts:
        bench.fails["write_statuses"] = OUTAGE
        verdicts.moved(judged("1"))
        await bench.clock.settle()
        assert bench.forge.posted == []
        bench.fails.clear()
        verdicts.moved(judged("2"))
        await bench.clock.settle()
        assert bench.forge.heard("2" * 40)[APPLY][0] == "success"
        assert bench.forge.heard(COMMIT) == {}
        await bench.clock.advance(10.0)
        assert len(bench.texts(COMMIT)) == len(bench.texts(HEAD)) == 1


async def test_a_revoked_token_is_tried_again_slowly_and_counted() -> None:
    bench = Bench()
    async with bench.verdicts() as verdicts:
        bench.fails["write_statuses"] = REVOKED
        verdicts.moved(judged("1"))
        await bench.clock.settle()
        tries = bench.calls.count("write_statuses")
        await bench.clock.advance(60.0)
        assert bench.calls.count("write_statuses") == tries
        assert bench.metrics.forge_errors.labels(code="forge-unauthorized")._value.get() == 1
        bench.fails.clear()
        await bench.clock.advance(300.0)
        assert len(bench.texts(COMMIT)) == 1


async def test_a_commit_that_is_not_taken_is_told_so_when_the_forge_is_back() -> None:
    bench = Bench()
    async with bench.verdicts() as verdicts:
        bench.fails["write_statuses"] = OUTAGE
        verdicts.refuse(revision("1"), Problem(code="history-rewritten", subject="main", message="does not descend"))
        await bench.clock.settle()
        bench.fails.clear()
        await bench.clock.advance(10.0)
        assert bench.forge.heard(COMMIT) == {
            "clusterops/plan": ("failure", "main: does not descend (history-rewritten)")
        }


async def test_a_defect_in_telling_of_one_commit_keeps_no_other_from_its_verdict() -> None:
    bench = Bench()
    async with bench.verdicts() as verdicts:
        bench.fails["write_statuses"] = ValueError("a defect")
        verdicts.refuse(revision("2"), Problem(code="history-rewritten", subject="main", message="does not descend"))
        await bench.clock.settle()
        bench.fails.clear()
        verdicts.moved(judged("1"))
        await bench.clock.settle()
        assert len(bench.texts(COMMIT)) == 1


async def test_killed_between_apply_and_status_the_next_process_posts_it_once() -> None:
    """Wherever the post was cut, the same statuses stand in the end, and none of them twice."""
    whole = Bench()
    async with whole.verdicts() as verdicts:
        verdicts.moved(judged("1"))
        await whole.clock.settle()
    count = len(whole.forge.posted)
    for cut in range(count + 1):
        bench = Bench()

        def killed(method: str, bench: Bench = bench, cut: int = cut) -> None:
            if method == "write_statuses" and len(bench.forge.posted) == cut:
                raise asyncio.CancelledError

        bench.forge.before = killed
        async with bench.verdicts() as verdicts:
            verdicts.moved(judged("1"))
            await bench.clock.settle()
        assert len(bench.forge.posted) == cut
        bench.forge.before = lambda method: None
        assert (await standing(bench.board(), COMMIT, "default")).applied == (cut == count)
        async with bench.verdicts() as verdicts:
            verdicts.moved(judged("1"))
            await bench.clock.settle()
        assert sorted(map(str, bench.forge.posted)) == sorted(map(str, whole.forge.posted))


async def test_a_forge_that_does_not_answer_holds_no_commit_up() -> None:
    bench = Bench()
    bench.fails["read_statuses"] = OUTAGE
    found = await standing(bench.board(), COMMIT, "default")
    assert (found.known, found.applied) == (False, False)


def test_each_cluster_of_a_small_commit_has_a_status_of_its_own() -> None:
    found = judged("1")
    forge = ForgeFile(kind=ForgeKind.GITEA, repository="platform/fleet", per_cluster_status_up_to=1)
    found.fleet = replace(found.fleet, file=replace(found.fleet.file, forge=forge))
    contexts = [each.context for each in statuses_of(found, "default", found.seen_at)]
    assert f"{APPLY}: eu/pay" in contexts
    found.fleet = replace(found.fleet, file=replace(found.fleet.file, forge=replace(forge, per_cluster_status_up_to=0)))
    contexts = [each.context for each in statuses_of(found, "default", found.seen_at)]
    assert [each for each in contexts if each.startswith(APPLY)] == [APPLY, f"{APPLY}: eu"]
    assert isinstance(found.outcomes["eu/pay"], Outcome)


async def test_what_an_earlier_process_posted_is_not_replaced_by_one_that_could_not_ask() -> None:
    """It knows less of the commit than whoever brought it to its end."""
    bench = Bench()
    told = status(State.SUCCESS, "1 of 1 clusters settled in 41m: 12 machines replaced")
    await bench.board().write_statuses(COMMIT, [told])
    async with bench.verdicts() as verdicts:
        found = judged("1")
        found.unasked = True
        bench.fails["read_statuses"] = OUTAGE
        verdicts.moved(found)
        await bench.clock.settle()
        bench.fails.clear()
        await bench.clock.advance(10.0)
        assert bench.texts(COMMIT) == [told.text]


async def test_what_an_earlier_process_did_not_post_is_posted_once_it_can_be_asked() -> None:
    bench = Bench()
    await bench.board().write_statuses(COMMIT, [status(State.PENDING, "0 of 1 clusters settled")])
    async with bench.verdicts() as verdicts:
        found = judged("1")
        found.unasked = True
        verdicts.moved(found)
        await bench.clock.settle()
        assert bench.forge.heard(COMMIT)[APPLY][0] == "success"
