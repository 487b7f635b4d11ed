"""ports.Repository on real repositories: a bare one, a working one, and one behind git's HTTP backend."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pygit2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.secret import SecretText
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git import GitRepository
from clusterops.telemetry import build_logger
from tests.fake_clock import FakeClock
from tests.unit.source.origins import GitServer, Origin, corrupt_objects, git, serve_git, serve_tunnel

TOKEN = "correct-horse-battery"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def status(context: str, state: State = State.SUCCESS, text: str = "fine") -> CommitStatus:
    return CommitStatus(context=context, state=state, text=text, at=AT)


class Bench:
    """One origin, reached in one way, and mirrors of it."""

    def __init__(self, folder: Path, origin: Origin, url: str) -> None:
        self.folder = folder
        self.origin = origin
        self.settings = RepositorySettings(url=url, token=SecretText(TOKEN), timeout_s=60.0, connect_timeout_s=30.0)
        self.network = NetworkSettings()
        self.clock = FakeClock()
        self.log = io.StringIO()

    def repository(self, mirror: str = "mirror", **changes: object) -> GitRepository:
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        logger = build_logger(stream=self.log)
        return GitRepository(settings, self.network, self.folder / mirror, logger, clock=self.clock)

    def mirror_path(self, mirror: str = "mirror") -> Path:
        return next((self.folder / mirror).glob("*.git"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    with serve_git(tmp_path / "served", token=TOKEN) as running:
        yield running


@pytest.fixture
def http_bench(tmp_path: Path, server: GitServer) -> Bench:
    return Bench(tmp_path, Origin(tmp_path / "served" / "fleet.git"), f"{server.url}/fleet.git")


@pytest.fixture
def local_bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Origin(tmp_path / "fleet.git"), str(tmp_path / "fleet.git"))


@pytest.fixture(params=["path", "file", "http"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "http":
        found: Bench = request.getfixturevalue("http_bench")
        return found
    origin = Origin(tmp_path / "fleet.git")
    prefix = "file://" if request.param == "file" else ""
    return Bench(tmp_path, origin, f"{prefix}{tmp_path / 'fleet.git'}")


async def error_of(work: object) -> ClusterOpsError:
    with pytest.raises(ClusterOpsError) as caught:
        await work  # type: ignore[misc]
    return caught.value


async def test_fetch_gives_the_head_and_a_snapshot_gives_its_files(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n", "clusters/eu/web/values.yaml": "b: 2\n"}, subject="two files")
    repository = bench.repository()
    revision = await repository.fetch()
    snapshot = await repository.snapshot(commit)
    assert (revision.commit, revision.branch, revision.subject) == (commit, "main", "two files")
    assert revision.committed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert snapshot.paths == ("clusters/eu/web/values.yaml", "fleet.yaml")
    assert snapshot.read("clusters/eu/web/values.yaml") == b"b: 2\n"
    assert snapshot.files["fleet.yaml"].id == str(pygit2.hash(b"a: 1\n"))


async def test_only_the_watched_branch_is_fetched(bench: Bench) -> None:
    bench.origin.commit({"fleet.yaml": "a: 1\n"})
    bench.origin.commit({"fleet.yaml": "a: 2\n"}, branch="other")
    await bench.repository().fetch()
    assert list(pygit2.Repository(str(bench.mirror_path())).references) == ["refs/heads/main"]


async def test_a_new_commit_is_seen_by_the_next_fetch(bench: Bench) -> None:
    first = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    second = bench.origin.commit({"fleet.yaml": "a: 2\n"})
    assert (await repository.fetch()).commit == second
    assert await repository.descends(second, first)
    assert not await repository.descends(first, second)
    assert await repository.descends(first, first)
    assert (await repository.snapshot(second)).read("fleet.yaml") == b"a: 2\n"


async def test_a_force_push_is_followed_and_told_by_descends(bench: Bench) -> None:
    root = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    dropped = bench.origin.commit({"fleet.yaml": "a: 2\n"})
    repository = bench.repository()
    await repository.fetch()
    rewritten = bench.origin.commit({"fleet.yaml": "a: 3\n"}, onto=root)
    assert (await repository.fetch()).commit == rewritten
    assert not await repository.descends(rewritten, dropped)
    assert await repository.descends(rewritten, root)
    assert not await repository.descends(rewritten, "f" * 40)


async def test_a_deleted_branch_is_missing_until_it_is_back(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    bench.origin.commit({"fleet.yaml": "a: 1\n"}, branch="trunk")
    repository = bench.repository()
    await repository.fetch()
    bench.origin.repository.references.delete("refs/heads/main")
    error = await error_of(repository.fetch())
    assert isinstance(error, TerminalError)
    assert error.code == "branch-missing"
    assert "trunk" in error.hint
    bench.origin.repository.references.create("refs/heads/main", commit)
    assert (await repository.fetch()).commit == commit


async def test_an_empty_repository_says_so_and_is_picked_up_with_its_first_commit(bench: Bench) -> None:
    repository = bench.repository()
    error = await error_of(repository.fetch())
    assert (type(error), error.code) == (TerminalError, "repository-empty")
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    assert (await repository.fetch()).commit == commit


@pytest.mark.parametrize("commit", ["f" * 40, "main", "", "zz"])
async def test_a_commit_that_is_not_there_is_missing(local_bench: Bench, commit: str) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()
    error = await error_of(repository.snapshot(commit))
    assert (type(error), error.code) == (TerminalError, "commit-missing")


def _objects_gone(mirror: Path) -> None:
    corrupt_objects(mirror)


def _head_garbled(mirror: Path) -> None:
    (mirror / "HEAD").write_text("nonsense")


def _branch_garbled(mirror: Path) -> None:
    (mirror / "refs/heads/main").write_text("nonsense")


def _branch_points_nowhere(mirror: Path) -> None:
    (mirror / "refs/heads/main").write_text("1" * 40 + "\n")


def _config_garbled(mirror: Path) -> None:
    (mirror / "config").write_text("[core\nx")


def _packs_removed(mirror: Path) -> None:
    for file in [*mirror.glob("objects/pack/*"), *mirror.glob("objects/??/*")]:
        file.unlink()


@pytest.mark.parametrize(
    "damage",
    [_objects_gone, _head_garbled, _branch_garbled, _branch_points_nowhere, _config_garbled, _packs_removed],
)
async def test_a_damaged_mirror_is_cloned_again(bench: Bench, damage: Callable[[Path], None]) -> None:
    bench.origin.commit({"fleet.yaml": "a: 1\n"})
    await bench.repository().fetch()
    damage(bench.mirror_path())
    commit = bench.origin.commit({"fleet.yaml": "a: 2\n"})
    repository = bench.repository()
    assert (await repository.fetch()).commit == commit
    assert (await repository.snapshot(commit)).read("fleet.yaml") == b"a: 2\n"


async def test_damage_found_by_a_snapshot_is_repaired_on_the_spot(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    await bench.repository().fetch()
    corrupt_objects(bench.mirror_path())
    snapshot = await bench.repository().snapshot(commit)
    assert snapshot.read("fleet.yaml") == b"a: 1\n"


async def test_damage_found_while_reading_a_blob_is_repaired_by_the_next_fetch(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    snapshot = await repository.snapshot(commit)
    corrupt_objects(bench.mirror_path())
    fresh = bench.repository()
    fresh_snapshot = replace(snapshot, reader=fresh._mirror.blobs)
    with pytest.raises(TransientError, match="mirror-unreadable"):
        fresh_snapshot.read("fleet.yaml")
    await fresh.fetch()
    assert fresh_snapshot.read("fleet.yaml") == b"a: 1\n"


async def test_a_mirror_that_was_deleted_is_made_again(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    bench.mirror_path().rename(bench.folder / "away")
    assert (await repository.fetch()).commit == commit
    assert (await repository.snapshot(commit)).read("fleet.yaml") == b"a: 1\n"


async def test_many_fetches_do_not_pile_up_packs(local_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterops.source.git.mirror._MOST_PACKS", 3)
    repository = local_bench.repository()
    for number in range(8):
        commit = local_bench.origin.commit({"fleet.yaml": f"a: {number}\n"})
        await repository.fetch()
        assert (await repository.snapshot(commit)).read("fleet.yaml") == f"a: {number}\n".encode()
    assert len(list(local_bench.mirror_path().glob("objects/pack/*.pack"))) <= 4


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/fleet.git", "https://fleet.invalid/fleet.git", "ssh://git@127.0.0.1:1/x"]
)
async def test_a_host_that_cannot_be_had_is_transient(local_bench: Bench, url: str) -> None:
    error = await error_of(local_bench.repository(url=url).fetch())
    assert (type(error), error.code) == (TransientError, "repository-unreachable")


async def test_a_path_without_a_repository_is_transient_and_named(local_bench: Bench, tmp_path: Path) -> None:
    error = await error_of(local_bench.repository(url=str(tmp_path / "nowhere")).fetch())
    assert (type(error), error.code) == (TransientError, "repository-unreachable")
    assert "nowhere" in str(error)


async def test_a_server_that_stops_answering_is_given_up_after_the_timeout(
    http_bench: Bench, server: GitServer
) -> None:
    http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    server.stall_after = 40
    error = await error_of(http_bench.repository(timeout_s=0.3).fetch())
    assert (type(error), error.code) == (TransientError, "repository-unreachable")
    server.stall_after = -1
    await http_bench.repository().fetch()


@pytest.mark.parametrize("token", ["", "wrong-horse-battery"])
async def test_credentials_that_are_not_accepted_are_forbidden_and_never_shown(http_bench: Bench, token: str) -> None:
    http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    error = await error_of(http_bench.repository(token=SecretText(token)).fetch())
    assert (type(error), error.code) == (TerminalError, "repository-forbidden")
    assert "horse" not in f"{error} {error.hint} {http_bench.log.getvalue()}"


async def test_a_repository_that_the_server_does_not_show_is_forbidden(http_bench: Bench, server: GitServer) -> None:
    error = await error_of(http_bench.repository(url=f"{server.url}/other.git").fetch())
    assert error.code == "repository-forbidden"


async def test_credentials_inside_the_url_are_used_and_not_shown(http_bench: Bench, server: GitServer) -> None:
    commit = http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    url = http_bench.settings.url.replace("://", f"://me:{TOKEN}@")
    repository = http_bench.repository(url=url, token=SecretText(""))
    assert (await repository.fetch()).commit == commit
    assert repository.url == http_bench.settings.url


async def test_a_file_beyond_the_limit_is_refused_by_name(local_bench: Bench) -> None:
    commit = local_bench.origin.commit({"fleet.yaml": "a: 1\n", "big.bin": "x" * 100})
    repository = local_bench.repository(max_file_bytes=50)
    await repository.fetch()
    snapshot = await repository.snapshot(commit)
    with pytest.raises(TerminalError, match=r"big\.bin.*file-too-large"):
        snapshot.read("big.bin")


async def test_statuses_are_read_back_and_others_are_kept(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    assert await repository.read_statuses(commit) == ()
    await repository.write_statuses(commit, [status("clusterops/plan"), status("clusterops/apply", State.PENDING)])
    await repository.write_statuses(commit, [status("clusterops/apply", State.FAILURE, "no")])
    assert await repository.read_statuses(commit) == (
        status("clusterops/apply", State.FAILURE, "no"),
        status("clusterops/plan"),
    )


async def test_statuses_reach_the_origin_as_lines_that_git_shows(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    await repository.write_statuses(commit, [status("clusterops/plan")])
    assert bench.origin.git("notes", "--ref=clusterops", "show", commit) == (
        '{"context": "clusterops/plan", "state": "success", "text": "fine", "at": "2026-11-21T12:00:00+00:00"}\n'
    )
    assert bench.origin.git("rev-parse", "main").strip() == commit
    bench.origin.git("fsck", "--strict")


async def test_notes_from_two_writers_keep_both_contexts(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    one, two = bench.repository("one"), bench.repository("two")
    await one.fetch()
    await two.fetch()
    await one.write_statuses(commit, [status("clusterops/plan"), status("clusterops-one/plan")])
    await two.write_statuses(commit, [status("clusterops/plan", State.FAILURE), status("clusterops-two/plan")])
    await one.write_statuses(commit, [status("clusterops-one/apply")])
    await two.fetch()
    both = {found.context: found.state for found in await two.read_statuses(commit)}
    assert both == {
        "clusterops/plan": State.FAILURE,
        "clusterops-one/plan": State.SUCCESS,
        "clusterops-one/apply": State.SUCCESS,
        "clusterops-two/plan": State.SUCCESS,
    }
    assert len(bench.origin.git("notes", "--ref=clusterops", "show", commit).splitlines()) == 4


async def test_many_writers_of_one_commit_lose_nothing(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repositories = [bench.repository(f"mirror{number}") for number in range(3)]
    for repository in repositories:
        await repository.fetch()
    names = [f"clusterops/apply: r{number}" for number in range(9)]
    await asyncio.gather(
        *(repositories[number % 3].write_statuses(commit, [status(name)]) for number, name in enumerate(names))
    )
    shown = bench.origin.git("notes", "--ref=clusterops", "show", commit)
    missing = [name for name in names if name not in shown]
    for repository in repositories:
        await repository.fetch()
    shown = bench.origin.git("notes", "--ref=clusterops", "show", commit)
    assert [name for name in names if name not in shown] == [], f"before the last fetch: {missing}"


async def test_a_note_that_git_wrote_is_kept_beside_ours(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    bench.origin.git("notes", "--ref=clusterops", "add", "-m", "by hand", commit)
    repository = bench.repository()
    await repository.fetch()
    await repository.write_statuses(commit, [status("clusterops/plan")])
    lines = bench.origin.git("notes", "--ref=clusterops", "show", commit).splitlines()
    assert lines[1] == "by hand"
    assert "clusterops/plan" in lines[0]


async def test_notes_reach_a_repository_with_a_working_tree(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    (work / "fleet.yaml").write_text("a: 1\n")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "one")
    bench = Bench(tmp_path, Origin(tmp_path / "unused.git"), str(work))
    repository = bench.repository()
    commit = (await repository.fetch()).commit
    await repository.write_statuses(commit, [status("clusterops/plan")])
    assert "clusterops/plan" in git(work, "notes", "--ref=clusterops", "show", commit)
    assert git(work, "status", "--porcelain") == ""


async def test_notes_that_cannot_be_pushed_are_kept_and_said_once(http_bench: Bench, server: GitServer) -> None:
    commit = http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    server.may_push = False
    repository = http_bench.repository()
    await repository.fetch()
    await repository.write_statuses(commit, [status("clusterops/plan")])
    await repository.write_statuses(commit, [status("clusterops/apply")])
    assert len(await repository.read_statuses(commit)) == 2
    assert http_bench.log.getvalue().count("notes cannot be pushed") == 1
    server.may_push = True
    await repository.fetch()
    assert "clusterops/apply" in http_bench.origin.git("notes", "--ref=clusterops", "show", commit)


async def test_notes_stay_here_when_pushing_is_switched_off(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository(push_notes=False)
    await repository.fetch()
    await repository.write_statuses(commit, [status("clusterops/plan")])
    await repository.fetch()
    assert len(await repository.read_statuses(commit)) == 1
    assert "refs/notes/clusterops" not in bench.origin.repository.references


async def test_notes_that_the_origin_lost_are_pushed_again(bench: Bench) -> None:
    commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = bench.repository()
    await repository.fetch()
    await repository.write_statuses(commit, [status("clusterops/plan")])
    bench.origin.repository.references.delete("refs/notes/clusterops")
    await repository.fetch()
    assert "clusterops/plan" in bench.origin.git("notes", "--ref=clusterops", "show", commit)


async def test_a_local_commit_wakes_the_watcher_and_a_note_does_not(local_bench: Bench) -> None:
    first = local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()
    events = repository.moved()
    waiting = asyncio.ensure_future(anext(events))
    try:
        await repository.write_statuses(first, [status("clusterops/plan")])
        local_bench.origin.git("update-ref", "refs/heads/elsewhere", first)
        done, _ = await asyncio.wait({waiting}, timeout=0.5)
        assert not done
        second = local_bench.origin.commit({"fleet.yaml": "a: 2\n"})
        await asyncio.wait_for(asyncio.shield(waiting), 60)
        assert (await repository.fetch()).commit == second
    finally:
        await _close(waiting)


async def test_a_commit_made_before_watching_begins_is_told_at_once(local_bench: Bench) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()
    local_bench.origin.commit({"fleet.yaml": "a: 2\n"})
    events = repository.moved()
    await asyncio.wait_for(anext(events), 60)


async def test_a_commit_that_was_not_fetched_is_told_again(local_bench: Bench) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository(poll_s=0.05)
    events = repository.moved()
    await asyncio.wait_for(anext(events), 60)
    await asyncio.wait_for(anext(events), 60)


async def test_a_local_repository_that_is_gone_is_polled(local_bench: Bench, tmp_path: Path) -> None:
    commit = local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()
    local_bench.origin.path.rename(tmp_path / "moved.git")
    events = repository.moved()
    await asyncio.wait_for(anext(events), 60)
    (tmp_path / "moved.git").rename(local_bench.origin.path)
    assert (await repository.fetch()).commit == commit


async def test_a_remote_repository_is_polled_by_the_clock(http_bench: Bench) -> None:
    events = http_bench.repository(poll_s=30.0).moved()
    waiting = asyncio.ensure_future(anext(events))
    await http_bench.clock.advance(29.0)
    assert not waiting.done()
    await http_bench.clock.advance(2.0)
    await asyncio.wait_for(waiting, 60)


async def test_a_commit_in_the_moment_before_the_watch_begins_is_not_lost(
    local_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()

    def common_folder(origin: Path) -> Path:
        local_bench.origin.commit({"fleet.yaml": "a: 2\n"})
        return origin

    monkeypatch.setattr("clusterops.source.git.watch._common_folder", common_folder)
    await asyncio.wait_for(anext(repository.moved()), 60)


async def test_a_watcher_ends_at_once_when_it_is_cancelled(local_bench: Bench) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = local_bench.repository()
    await repository.fetch()
    waiting = asyncio.ensure_future(anext(repository.moved()))
    await asyncio.sleep(0)
    await asyncio.wait_for(_close(waiting), 60)


_FETCH = """
import asyncio, sys
from pathlib import Path
from clusterops.model.secret import SecretText
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git import GitRepository
from clusterops.telemetry import build_logger
from tests.fake_clock import FakeClock
settings = RepositorySettings(url=sys.argv[1], token=SecretText(sys.argv[2]))
repository = GitRepository(settings, NetworkSettings(), Path(sys.argv[3]), build_logger(), clock=FakeClock())
asyncio.run(repository.fetch())
"""


def _start_fetch(bench: Bench) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    arguments = [bench.settings.url, TOKEN, str(bench.folder / "mirror")]
    return subprocess.Popen([sys.executable, "-c", _FETCH, *arguments], cwd=root, env={**os.environ, "PYTHONPATH": "."})


@pytest.mark.parametrize("stage", ["clone", "fetch"])
async def test_a_process_killed_in_the_middle_leaves_nothing_in_the_way(
    http_bench: Bench, server: GitServer, stage: str
) -> None:
    noise = {f"clusters/eu/c{number}/values.yaml": os.urandom(400).hex() for number in range(200)}
    http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    if stage == "fetch":
        await http_bench.repository().fetch()
    commit = http_bench.origin.commit(noise)
    server.stall_after = 60_000
    process = _start_fetch(http_bench)
    try:
        assert await asyncio.to_thread(server.stalled.wait, 30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    server.stall_after = -1
    server.resume.set()
    repository = http_bench.repository()
    assert (await repository.fetch()).commit == commit
    assert len((await repository.snapshot(commit)).files) == 201
    names = [path.name for path in (http_bench.folder / "mirror").rglob("*")]
    assert [name for name in names if "_git2_" in name] == []
    assert len([name for name in names if ".gen-" in name]) == 1


async def test_a_lock_left_by_a_killed_fetch_is_swept(local_bench: Bench) -> None:
    local_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    await local_bench.repository().fetch()
    (local_bench.mirror_path() / "refs/heads/main.lock").write_text("")
    commit = local_bench.origin.commit({"fleet.yaml": "a: 2\n"})
    assert (await local_bench.repository().fetch()).commit == commit
    assert "cloning again" not in local_bench.log.getvalue()


async def test_another_process_that_holds_the_mirror_is_waited_for_then_named(
    http_bench: Bench, server: GitServer
) -> None:
    http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    server.stall_after = 40
    process = _start_fetch(http_bench)
    try:
        assert await asyncio.to_thread(server.stalled.wait, 30)
        error = await error_of(http_bench.repository(timeout_s=0.2).fetch())
        assert (type(error), error.code) == (TransientError, "mirror-locked")
        server.stall_after = -1
        server.resume.set()
        await http_bench.repository(timeout_s=30.0).fetch()
    finally:
        process.wait(30)


async def test_a_cancelled_fetch_stops_its_transfer(http_bench: Bench, server: GitServer) -> None:
    noise = {f"clusters/eu/c{number}/values.yaml": os.urandom(4000).hex() for number in range(200)}
    commit = http_bench.origin.commit(noise)
    server.stall_after = 200_000
    repository = http_bench.repository(timeout_s=60.0)
    fetching = asyncio.ensure_future(repository.fetch())
    assert await asyncio.to_thread(server.stalled.wait, 30)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    server.stall_after = -1
    server.resume.set()
    assert (await http_bench.repository().fetch()).commit == commit


async def test_reads_go_on_while_a_fetch_hangs(http_bench: Bench, server: GitServer) -> None:
    commit = http_bench.origin.commit({"fleet.yaml": "a: 1\n"})
    repository = http_bench.repository()
    await repository.fetch()
    http_bench.origin.commit({"fleet.yaml": "a: 2\n"})
    server.stall_after = 40
    fetching = asyncio.ensure_future(repository.fetch())
    assert await asyncio.to_thread(server.stalled.wait, 30)
    snapshot = await asyncio.wait_for(repository.snapshot(commit), 60)
    assert snapshot.read("fleet.yaml") == b"a: 1\n"
    server.resume.set()
    await fetching


async def test_blobs_are_read_from_many_threads(local_bench: Bench) -> None:
    files = {f"f{number}": f"{number}" for number in range(200)}
    commit = local_bench.origin.commit(files)
    repository = local_bench.repository()
    await repository.fetch()
    snapshot = await repository.snapshot(commit)
    wrong: list[str] = []

    def read() -> None:
        wrong.extend(path for path, text in files.items() if snapshot.read(path) != text.encode())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server certificate of its own for 127.0.0.1, and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: libgit2 trusts by process, and OpenSSL would try an earlier test's key under the same name.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, tmp_path.name[-60:])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context, tmp_path / "ca.pem"


async def test_https_is_trusted_by_the_ca_file_and_not_without(
    tmp_path: Path, authority: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca_file = authority
    (tmp_path / "served").mkdir()
    with serve_git(tmp_path / "served", token=TOKEN, tls=context) as running:
        bench = Bench(tmp_path, Origin(tmp_path / "served/fleet.git"), f"{running.url}/fleet.git")
        commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
        error = await error_of(bench.repository().fetch())
        assert (type(error), error.code) == (TerminalError, "repository-untrusted")
        bench.network = NetworkSettings(ca_file=ca_file)
        repository = bench.repository()
        assert (await repository.fetch()).commit == commit
        await repository.write_statuses(commit, [status("clusterops/plan")])
        assert "clusterops/plan" in bench.origin.git("notes", "--ref=clusterops", "show", commit)


async def test_https_goes_through_the_proxy_unless_its_host_is_excepted(
    tmp_path: Path, authority: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca_file = authority
    (tmp_path / "served").mkdir()
    with serve_git(tmp_path / "served", token=TOKEN, tls=context) as running, serve_tunnel() as tunnel:
        bench = Bench(tmp_path, Origin(tmp_path / "served/fleet.git"), f"{running.url}/fleet.git")
        commit = bench.origin.commit({"fleet.yaml": "a: 1\n"})
        bench.network = NetworkSettings(https_proxy=tunnel.url, ca_file=ca_file)
        assert (await bench.repository().fetch()).commit == commit
        through = len(tunnel.hosts)
        assert set(tunnel.hosts) == {running.url.removeprefix("https://")}
        bench.network = replace(bench.network, no_proxy=("127.0.0.1",))
        assert (await bench.repository("direct").fetch()).commit == commit
        assert len(tunnel.hosts) == through


async def _close(waiting: asyncio.Future[None]) -> None:
    waiting.cancel()
    await asyncio.wait({waiting})
