"""`new cluster`, `resize` and `upgrade` on real clones with a real origin."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from clusterops.cli import deletion, drift, requests
from clusterops.cli.adoption import Adopted
from clusterops.cli.locally import LocalFleet
from clusterops.edit import set_value
from clusterops.errors import TransientError
from clusterops.model.fleet import Target
from clusterops.model.live import LiveObject
from clusterops.source.transfer import Transfer
from tests.fake_forge import FakeForge
from tests.sealed import AgeKey, sealed
from tests.unit.cli.desks import ALPHA, BETA, Person, begin, git, other_clone

FORGE = "forge: {kind: gitea, repository: platform/fleet}\n"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: a copy costs a tenth."""
    return begin(tmp_path_factory.mktemp("desk")).parent


@pytest.fixture
def person(begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Person:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return _person(tmp_path / "clone", tmp_path, capsys, monkeypatch)


def _person(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: str = ""
) -> Person:
    """Without helm and kustomize: what they render is for tests/doors/test_desk.py."""
    monkeypatch.setenv("CLUSTEROPS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def capture() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return Person(clone=clone, folder=folder, _capture=capture, _monkeypatch=monkeypatch)


def test_without_a_branch_the_working_tree_is_edited_and_nothing_committed(person: Person) -> None:
    before, head = person.text(ALPHA), person.git("rev-parse", "HEAD")
    said = person.types("resize", "alpha", "general=5")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        f"{ALPHA}:7   pools.general.replicas: 2 -> 5        written, not committed",
        f"Next: clusterops plan north/alpha; then git add {ALPHA} && git commit, and open a request",
    ]
    assert person.text(ALPHA) == before.replace("replicas: 2", "replicas: 5")
    assert (person.git("rev-parse", "HEAD"), person.git("status", "--short")) == (head, f" M {ALPHA}\n")


def test_with_a_branch_a_dirty_checkout_stays_as_it_is(person: Person) -> None:
    person.write(ALPHA, "half: done\n")
    person.write("notes.txt", "mine\n")
    person.write(BETA, person.text(BETA) + "# staged\n")
    person.git("add", BETA)
    before = person.git("status", "--short")
    said = person.types("upgrade", "north/alpha", "1.34.2", "--branch", "up")
    commit = person.git("rev-parse", "--short=7", "up").strip()
    line = f"{ALPHA}:2   version: v1.34.1 -> v1.34.2        committed {commit}, pushed to origin/up\n"
    assert (said.code, said.out) == (0, line), said.err
    assert (person.git("status", "--short"), person.text(ALPHA)) == (before, "half: done\n")
    assert person.changed("up") == [f"M\t{ALPHA}"]
    assert person.text(ALPHA, "up") == person.text(ALPHA, "main").replace("v1.34.1", "v1.34.2")
    assert person.git("log", "-1", "--format=%an <%ae>: %B", "up").strip() == (
        "A Person <person@example.org>: north/alpha: version v1.34.1 -> v1.34.2"
    )
    assert person.git("rev-parse", "up") == person.git("rev-parse", "origin/up")


def test_a_second_command_goes_on_with_the_branch(person: Person) -> None:
    person.types("upgrade", "north/alpha", "v1.34.2", "-b", "up")
    said = person.types("resize", "north/alpha", "general=5", "-b", "up", "-m", "More room\n\nCHG-2310")
    assert "pushed to origin/up" in said.out
    assert person.git("log", "--format=%s", "main..origin/up").split("\n")[:2] == [
        "More room",
        "north/alpha: version v1.34.1 -> v1.34.2",
    ]


def test_several_clusters_are_one_commit(person: Person) -> None:
    person.write(BETA, person.text(BETA).replace("late", "canary"))
    person.commits("beta is a canary")
    said = person.types("upgrade", "v1.35.0", "--label", "ring=canary", "-b", "up", "--no-push")
    assert said.code == 0, said.err
    assert person.changed("up") == [f"M\t{ALPHA}"], "the remote's main is what a request is merged into"
    person.git("push", "-q", "origin", "main")
    said = person.types("upgrade", "v1.35.0", "--label", "ring=canary", "-b", "both", "--no-push")
    assert person.changed("both") == [f"M\t{ALPHA}", f"M\t{BETA}"]
    assert said.out.splitlines()[-1].endswith("on both, not pushed")
    assert person.git("log", "-1", "--format=%s", "both") == "upgrade 2 clusters to v1.35.0\n"


def test_on_the_branch_itself_its_files_change_and_what_is_staged_stays_staged(person: Person) -> None:
    person.git("switch", "-q", "-c", "up")
    person.write(BETA, person.text(BETA) + "# staged\n")
    person.git("add", BETA)
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert said.code == 0, said.err
    assert (person.git("status", "--short"), person.changed("HEAD")) == (f"M  {BETA}\n", [f"M\t{ALPHA}"])
    assert "replicas: 5" in person.text(ALPHA)


@pytest.mark.parametrize("staged", [False, True])
def test_an_uncommitted_change_of_the_file_is_never_committed_with_it(person: Person, *, staged: bool) -> None:
    person.git("switch", "-q", "-c", "up")
    person.write(ALPHA, person.text(ALPHA) + "# mine\n")
    if staged:
        person.git("add", ALPHA)
    head, before = person.git("rev-parse", "HEAD"), person.text(ALPHA)
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "file-uncommitted" in said.err) == (3, True), said.err
    assert (person.git("rev-parse", "HEAD"), person.text(ALPHA)) == (head, before)


def test_what_somebody_else_pushed_to_the_branch_is_built_on(person: Person, tmp_path: Path) -> None:
    person.types("upgrade", "north/alpha", "v1.34.2", "-b", "up")
    theirs = _push_from_elsewhere(tmp_path, "up", BETA)
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert said.code == 0, said.err
    assert person.git("rev-parse", "up~1").strip() == theirs


def test_branches_that_went_apart_are_told_before_anything_is_done(person: Person, tmp_path: Path) -> None:
    person.types("upgrade", "north/alpha", "v1.34.2", "-b", "up")
    _push_from_elsewhere(tmp_path, "up", BETA)
    person.types("resize", "alpha", "general=5", "-b", "up", "--no-push")
    head = person.git("rev-parse", "up")
    said = person.types("resize", "alpha", "general=6", "-b", "up")
    assert (said.code, "git switch up && git pull --rebase" in said.err) == (1, True), said.err
    assert ("branch-diverged" in said.err, person.git("rev-parse", "up")) == (True, head)


def test_a_push_that_comes_second_loses_nothing(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one pushes between our fetch and our push."""
    person.types("upgrade", "north/alpha", "v1.34.2", "-b", "up")
    fetch = Transfer.fetch

    async def beaten(self: Transfer) -> None:
        await fetch(self)
        _push_from_elsewhere(tmp_path, "up", BETA)

    monkeypatch.setattr(Transfer, "fetch", beaten)
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "push-rejected" in said.err) == (1, True), said.err
    assert "the commit is kept on up here" in said.err
    assert "replicas: 5" in person.text(ALPHA, "up")
    for command in said.err.splitlines()[-1].strip(" `").split(" && "):
        person.git(*command.split()[1:])
    assert person.git("rev-parse", "up") == person.git("rev-parse", "origin/up"), "the hint works"


def test_an_origin_that_refuses_is_told_with_its_words(person: Person, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "pre-receive hook declined" in said.err) == (1, True), said.err
    assert "replicas: 5" in person.text(ALPHA, "up")
    hook.unlink()
    again = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (again.code, "nothing to commit, pushed to origin/up" in again.out) == (0, True), again.err


def test_an_origin_that_is_away_stops_it_and_no_push_goes_on_without(person: Person, tmp_path: Path) -> None:
    shutil.move(tmp_path / "origin.git", tmp_path / "away.git")
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "fetch-failed" in said.err, "--no-push" in said.err) == (1, True, True), said.err
    assert "up" not in person.git("branch", "--list")
    said = person.types("resize", "alpha", "general=5", "-b", "up", "--no-push")
    assert (said.code, "on up, not pushed" in said.out) == (0, True), said.err


def test_without_a_remote_it_commits(person: Person) -> None:
    person.git("remote", "remove", "origin")
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "on up, not pushed" in said.out) == (0, True), said.err
    said = person.types("resize", "alpha", "general=6", "-b", "up", "--push")
    assert (said.code, "remote-missing" in said.err) == (1, True), said.err


def test_a_fleet_in_a_folder_of_its_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = begin(tmp_path, "deploy/fleet")
    person = _person(clone, tmp_path, capsys, monkeypatch, "deploy/fleet")
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, person.changed("up")) == (0, [f"M\tdeploy/fleet/{ALPHA}"]), said.err


def test_a_dry_run_shows_the_diff_and_writes_nothing(person: Person) -> None:
    said = person.types("resize", "alpha", "general=5", "-b", "up", "--dry-run")
    assert (said.code, "-    replicas: 2\n+    replicas: 5\n" in said.out) == (0, True), said.err
    assert (person.git("status", "--short"), person.git("branch", "--list", "up")) == ("", "")


def test_json_says_the_same(person: Person) -> None:
    said = person.types("resize", "alpha", "general=5", "-b", "up", "-o", "json")
    body = json.loads(said.out)
    assert body == {
        "targets": ["north/alpha"],
        "edits": [
            {
                "path": ALPHA,
                "line": 7,
                "setting": "pools.general.replicas",
                "target": "north/alpha",
                "before": 2,
                "after": 5,
            }
        ],
        "files": {"written": [ALPHA], "removed": []},
        "dryRun": False,
        "branch": "up",
        "commit": person.git("rev-parse", "up").strip(),
        "pushedTo": "origin",
        "request": None,
    }


REFUSED = [
    (["resize", "alpha"], 64, "POOL=N"),
    (["resize", "alpha", "general=x"], 64, "POOL=MIN..MAX"),
    (["resize", "alpha", "general=5", "--message", "why"], 64, "--branch"),
    (["upgrade", "v1.35.0"], 64, "--label"),
    (["upgrade", "v1.35.0", "--label", "ring"], 64, "KEY=VALUE"),
    (["upgrade", "v1.35.0", "--label", "ring=none"], 1, "target-unknown"),
    (["upgrade", "alpha", "v1.36.0"], 3, "version-skip"),
    (["upgrade", "alpha", "v1.33.9"], 3, "version-downgrade"),
    (["upgrade", "alpha", "beta", "v1.33.9", "-b", "up"], 3, "version-downgrade"),
    (["resize", "alpha", "genral=5"], 1, "did you mean `general`?"),
    (["resize", "alpa", "general=5"], 1, "did you mean north/alpha?"),
    (["resize", "alpha", "general=5", "-b", "a..b"], 1, "branch-name"),
    (["new", "cluster", "north/alpha", "--version", "v1.34.1"], 1, "name-taken"),
    (["new", "cluster", "nort/x", "--version", "v1.34.1"], 1, "did you mean north?"),
    (["new", "cluster", "x", "--version", "v1.34.1"], 1, "name-invalid"),
    (["new", "cluster", "north/X", "--version", "v1.34.1"], 1, "name-invalid"),
    (["new", "cluster", "north/x"], 64, "--like"),
    (["new", "cluster", "north/x", "--version", "v1.34.1", "--nodes", "10.68.0.0/24"], 1, "range-invalid"),
]


def test_what_cannot_be_done_is_told_and_nothing_is_written(person: Person) -> None:
    for words, code, said in REFUSED:
        found = person.types(*words)
        assert (found.code, said in found.err) == (code, True), (words, found.err)
    assert (person.git("status", "--short"), person.git("branch", "--list", "up")) == ("", "")


def test_what_is_so_already_is_said_and_is_no_commit(person: Person) -> None:
    said = person.types("upgrade", "alpha", "v1.34.1", "-b", "up")
    assert (said.code, said.out) == (0, "north/alpha: at v1.34.1 already        nothing to commit\n"), said.err
    assert person.git("branch", "--list", "up") == ""
    said = person.types("upgrade", "alpha", "v1.34.1")
    assert (said.code, said.out) == (0, "north/alpha: at v1.34.1 already        nothing to write\n"), said.err


GPG = """\
#!/bin/sh
cat >/dev/null
echo "[GNUPG:] SIG_CREATED " >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nabc\\n-----END PGP SIGNATURE-----\\n'
"""


def test_who_signs_every_commit_signs_this_one(person: Person, tmp_path: Path) -> None:
    program = tmp_path / "gpg"
    program.write_text(GPG)
    program.chmod(0o755)
    person.git("config", "commit.gpgsign", "true")
    person.git("config", "gpg.program", str(program))
    said = person.types("resize", "alpha", "general=5", "-b", "up", "-m", "why")
    assert said.code == 0, said.err
    assert "BEGIN PGP SIGNATURE" in person.git("cat-file", "commit", "up")
    assert person.git("log", "-1", "--format=%an: %B", "up").strip() == "A Person: why"
    program.write_text("#!/bin/sh\nexit 2\n")
    person.git("switch", "-q", "up")
    said = person.types("resize", "alpha", "general=6", "-b", "up")
    assert (said.code, "signing-failed" in said.err) == (1, True), said.err
    assert person.git("status", "--short") == "", "what was written is put back"


def test_nobody_commits_without_a_name(person: Person, tmp_path: Path) -> None:
    person.git("config", "--unset", "user.name")
    levels = (ConfigLevel.GLOBAL, ConfigLevel.XDG, ConfigLevel.SYSTEM)
    kept = {level: pygit2.settings.search_path[level] for level in levels}
    try:
        for level in levels:
            pygit2.settings.search_path[level] = str(tmp_path / "nowhere")
        said = person.types("resize", "alpha", "general=5", "-b", "up")
    finally:
        for level, path in kept.items():
            pygit2.settings.search_path[level] = path
    assert (said.code, "git config --global user.name" in said.err) == (1, True), said.err


def test_an_edit_that_breaks_the_fleet_is_not_written(person: Person) -> None:
    """Its region is wrong: found before anything is written, whoever did it."""
    person.write("regions/north/region.yaml", "cloud: elsewhere\ncredentials: {}\n")
    before = person.git("status", "--short")
    said = person.types("resize", "alpha", "general=5")
    assert (said.code, "cloud-unknown" in said.err) == (1, True), said.err
    assert person.git("status", "--short") == before


# A new cluster.


def test_a_new_cluster_has_the_next_free_range_and_only_its_own_file(person: Person) -> None:
    words = ["--version", "v1.34.1", "--pool", "general=3", "--pool", "batch=3..20", "--size", "large", "-b", "new"]
    said = person.types("new", "cluster", "north/gamma", *words, "--control-plane", "3", "--label", "ring=late")
    assert said.code == 0, said.err
    assert person.changed("new") == ["A\tclusters/north/gamma/values.yaml"]
    assert person.text("clusters/north/gamma/values.yaml", "new") == (
        "version: v1.34.1\n"
        "controlPlane: {replicas: 3}\n"
        "pools:\n"
        "  general:\n"
        "    replicas: 3\n"
        "    size: large\n"
        "  batch:\n"
        "    autoscale: {min: 3, max: 20}\n"
        "    size: large\n"
        "network: {nodes: 10.64.0.0/24}\n"
        "clusterops: {labels: {ring: late}}\n"
    )


def test_two_requests_never_get_the_same_range(person: Person, tmp_path: Path) -> None:
    """Neither is merged yet, and one is somebody else's."""
    create = ["--version", "v1.34.1", "--pool", "general=1"]
    person.types("new", "cluster", "north/one", *create, "-b", "one")
    person.git("branch", "-D", "one")
    said = person.types("new", "cluster", "north/two", *create, "-b", "two", "-o", "json")
    assert json.loads(said.out)["nodes"] == "10.64.1.0/24"
    said = person.types("new", "cluster", "north/three", *create, "-o", "json")
    assert json.loads(said.out)["nodes"] == "10.64.2.0/24"
    said = person.types("new", "cluster", "north/four", *create, "--nodes", "10.64.1.0/25")
    assert (said.code, "north/two on branch" in said.err) == (1, True), said.err


def test_a_region_whose_addresses_are_all_taken_says_so(person: Person) -> None:
    region = person.text("regions/north/region.yaml").replace("10.64.0.0/14", "10.64.0.0/24")
    person.write("regions/north/region.yaml", region)
    person.types("new", "cluster", "north/one", "--version", "v1.34.1")
    said = person.types("new", "cluster", "north/two", "--version", "v1.34.1")
    assert (said.code, "range-exhausted" in said.err) == (1, True), said.err
    assert not (person.root / "clusters/north/two").exists()


def test_the_shape_of_another_one_but_not_what_is_its_own(person: Person) -> None:
    person.write(
        BETA,
        "version: v1.34.1\npools:\n  general:\n    # three\n    replicas: 3\n    labels: {a: b}\n"
        "network: {nodes: 10.68.9.0/24, pods: [10.244.0.0/16]}\nendpoint: {host: beta.example.org, port: 443}\n",
    )
    said = person.types("new", "cluster", "south/delta", "--like", "beta", "--pool", "general=7")
    assert said.code == 0, said.err
    assert person.text("clusters/south/delta/values.yaml") == (
        "version: v1.34.1\n"
        "pools:\n"
        "  general:\n"
        "    replicas: 7\n"
        "    labels: {a: b}\n"
        "network: {pods: [10.244.0.0/16], nodes: 10.68.10.0/24}\n"
        "endpoint: {port: 443}\n"
    )


def test_what_is_encrypted_beside_a_clusters_values_is_nobody_elses_shape(person: Person) -> None:
    secrets = sealed({"kubeadm": {"preCommands": ["echo hush"]}}, AgeKey()).decode()
    person.write("clusters/south/beta/secrets.yaml", secrets)
    said = person.types("new", "cluster", "south/delta", "--like", "beta")
    assert said.code == 0, said.err
    text = person.text("clusters/south/delta/values.yaml")
    assert (text.startswith("version: v1.34.1\n"), "ENC" in text, "sops" in text) == (True, False, False)
    said = person.types("resize", "beta", "general=4")
    assert (said.code, "replicas: 4" in person.text(BETA)) == (0, True), said.err
    assert person.text("clusters/south/beta/secrets.yaml") == secrets


def test_a_name_that_is_being_deleted_is_not_given_again(person: Person) -> None:
    person.write(
        "deletions/gone.yaml",
        "target: north/gone\nuid: 6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10\nreason: CHG-1\nexpires: 2026-11-28\n",
    )
    said = person.types("new", "cluster", "north/gone", "--version", "v1.34.1")
    assert (said.code, "name-being-deleted" in said.err) == (3, True), said.err


# The request.


@pytest.fixture
def forge(person: Person, monkeypatch: pytest.MonkeyPatch) -> FakeForge:
    """Named by fleet.yaml of main, with a token."""
    person.commits("a forge", **{"fleet.yaml": person.text("fleet.yaml") + FORGE})
    person.git("push", "-q", "origin", "main")
    monkeypatch.setenv("CLUSTEROPS_FORGE_TOKEN", "secret-token")
    found = FakeForge()

    @asynccontextmanager
    async def opened(file: Any, *rest: Any, **named: Any) -> AsyncIterator[FakeForge]:
        assert file.repository == "platform/fleet"
        yield found

    monkeypatch.setattr(requests, "open_forge", opened)
    return found


def test_the_request_is_opened_once_and_then_pushed_to(person: Person, forge: FakeForge) -> None:
    said = person.types("upgrade", "alpha", "v1.34.2", "-b", "up", "-m", "alpha: v1.34.2\n\nCHG-2310")
    assert (said.code, ", pull request 1 opened" in said.out) == (0, True), said.err
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, ", pushed to pull request 1" in said.out) == (0, True), said.err
    assert [each.branch for each in _open(forge)] == ["up"]
    assert [each.title for each in _open(forge)] == ["alpha: v1.34.2"]


def test_a_forge_that_is_away_leaves_the_commit_and_the_same_command_opens_the_request(
    person: Person, forge: FakeForge
) -> None:
    def away(method: str) -> None:
        raise TransientError("forge-unreachable", "forge", "no route")

    forge.before = away
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "forge-unreachable" in said.err, "pushed to origin/up" in said.out) == (1, True, True), said.err
    forge.before = lambda method: None
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "nothing to commit, pull request 1 opened" in said.out) == (0, True), said.err


def test_without_a_token_it_is_pushed_and_the_next_step_told(
    person: Person, forge: FakeForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLUSTEROPS_FORGE_TOKEN")
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "CLUSTEROPS_FORGE_TOKEN" in said.err, _open(forge)) == (1, True, ()), said.err
    assert "pushed to origin/up" in said.out


def test_the_watched_branch_itself_gets_no_request(person: Person, forge: FakeForge) -> None:
    said = person.types("resize", "alpha", "general=5", "-b", "main")
    assert (said.code, "pushed to origin/main" in said.out, _open(forge)) == (0, True, ()), said.err


def test_a_branch_chooses_nobody_that_our_token_goes_to(person: Person, forge: FakeForge) -> None:
    """Its fleet.yaml may say anything: the watched branch's counts (the fixture holds the repository's name)."""
    person.git("switch", "-q", "-c", "up")
    person.commits("elsewhere", **{"fleet.yaml": person.text("fleet.yaml").replace("platform/fleet", "evil/fleet")})
    said = person.types("resize", "alpha", "general=5", "-b", "up")
    assert (said.code, "pull request 1 opened" in said.out) == (0, True), said.err


def _open(forge: FakeForge) -> tuple[Any, ...]:
    return tuple(forge._open.values())


def _push_from_elsewhere(tmp_path: Path, branch: str, path: str) -> str:
    clone = other_clone(tmp_path)
    git(clone, "switch", "-q", branch)
    (clone / path).write_text((clone / path).read_text() + "# theirs\n")
    git(clone, "commit", "-q", "-am", "theirs")
    git(clone, "push", "-q", "origin", branch)
    found = git(clone, "rev-parse", "HEAD").strip()
    shutil.rmtree(clone)
    return found


# Edits that begin with what lives: they land in the same way.

UID = "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10"


@pytest.fixture
def beta_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `delete` reads of the management cluster; on a real one: tests/system/test_deletion.py."""
    status = {"controlPlane": {"replicas": 1}, "workers": {"replicas": 2}}
    metadata = {"name": "beta", "namespace": "south", "uid": UID}
    live = LiveObject.of(
        {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata, "status": status}
    )

    async def meant(*_: Any) -> Any:
        return deletion._Meant(target="south/beta", cluster=live)

    monkeypatch.setattr(deletion, "_meant", meant)


def test_both_keys_of_a_deletion_are_one_commit(person: Person, beta_lives: None) -> None:
    said = person.types("delete", "beta", "--reason", "CHG-1", "-b", "gone")
    assert (said.code, "deletes Cluster south/beta with 3 machines" in said.out) == (0, True), said.err
    assert said.out.splitlines()[-1].endswith("pushed to origin/gone")
    assert person.changed("gone") == [f"D\t{BETA}", "A\tdeletions/beta.yaml"]
    assert (person.root / BETA).exists()
    assert person.git("log", "-1", "--format=%s", "gone") == "delete south/beta: CHG-1\n"
    commit = person.git("rev-parse", "gone")
    said = person.types("delete", "beta", "--reason", "CHG-1", "-b", "gone")
    assert (said.code, person.git("rev-parse", "gone")) == (0, commit), "both are there already"


def test_a_deletion_in_the_checkout_of_its_branch(person: Person, beta_lives: None) -> None:
    person.git("switch", "-q", "-c", "gone")
    said = person.types("delete", "beta", "--reason", "CHG-1", "-b", "gone", "-o", "json")
    assert json.loads(said.out)["files"] == {"written": ["deletions/beta.yaml"], "removed": [BETA]}
    assert (person.git("status", "--short"), (person.root / "clusters/south").exists()) == ("", False)


def test_without_a_branch_both_keys_are_for_a_person_to_commit(person: Person, beta_lives: None) -> None:
    said = person.types("delete", "beta", "--reason", "CHG-1")
    assert said.out.splitlines()[-2:] == [
        "written, not committed",
        "Next: git add deletions/beta.yaml clusters/south/beta && git commit, and open a request",
    ]
    person.git("add", "deletions/beta.yaml", "clusters/south/beta")
    assert person.git("status", "--short") == f"D  {BETA}\nA  deletions/beta.yaml\n", "the next step works"


def test_what_is_adopted_is_a_commit_too(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it finds on a management cluster: tests/doors/test_adopt.py."""

    async def found(_: Any, local: LocalFleet, target: Target, object_: str, pointer: str) -> Adopted:
        text = local.snapshot.read(ALPHA).decode()
        written = set_value(text, ("pools", "general", "replicas"), 7, path=ALPHA)
        return Adopted(
            target=target.name,
            field=f"{object_}:{pointer}",
            git=2,
            live=7,
            path=ALPHA,
            setting="pools.general.replicas",
            written=written,
        )

    monkeypatch.setattr(drift, "_adopt", found)
    said = person.types("drift", "adopt", "alpha", "MachineDeployment/alpha-general", "/spec/replicas", "-b", "live")
    assert (said.code, person.changed("live")) == (0, [f"M\t{ALPHA}"]), said.err
    assert "replicas: 7" in person.text(ALPHA, "live")
