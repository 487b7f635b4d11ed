"""What people see for wrong inputs, and the forms that every command keeps: JSON, plain text, exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.shows.bad_clusters import CLUSTER_ROWS, fleet
from tests.shows.bad_files import FILE_ROWS
from tests.shows.bad_inputs import Bench, Row, Seen, golden_entries
from tests.shows.bench import bench

pytestmark = [pytest.mark.apiserver, pytest.mark.tools]
ROWS = (*FILE_ROWS, *CLUSTER_ROWS)
ADMIN = "--kubeconfig HOME/admin.kubeconfig"
GONE = "--kubeconfig HOME/gone.kubeconfig"


@pytest.fixture(scope="module")
def trying(apiserver: Sandbox, tools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("bad-inputs"), apiserver, tools) as ready:
        yield ready


@pytest.fixture(scope="module")
def seen(trying: Bench) -> dict[str, Seen]:
    return {each.row.title: each for each in trying.try_all(ROWS)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_wrong_input_is_told_as_agreed(row: Row, seen: dict[str, Seen]) -> None:
    """Place, words, code, next step and exit code, as they stand in tests/golden/bad_inputs.txt."""
    assert list(seen[row.title].wrong()) == []
    assert seen[row.title].entry == golden_entries().get(row.title)


def test_the_agreed_texts_are_those_of_the_rows() -> None:
    assert list(golden_entries()) == [row.title for row in ROWS]


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("init HOME/json-init -o json", 0),
        ("validate -o json", 0),
        ("render alpha -o json", 0),
        ("explain alpha pools.general.replicas -o json", 0),
        (f"plan -o json {ADMIN}", 0),
        (f"plan alpha -o json --detailed-exitcode {ADMIN}", 2),
        (f"status -o json {ADMIN}", 0),
        (f"status bad-first/web -o json {ADMIN}", 0),
        (f"pause bad-first/web -o json {ADMIN}", 0),
        (f"resume bad-first/web -o json {ADMIN}", 0),
        (f"resume -o json {ADMIN}", 0),
        ("tools list -o json", 0),
        ("sandbox status -o json", 1),
        ("sandbox list -o json", 0),
        ("init REPO -o json", 1),
        ("validate --repo HOME -o json", 1),
        ("render alhpa -o json", 1),
        ("explain alpha pools.genral -o json", 1),
        (f"plan -o json {GONE}", 1),
        (f"plan -o json --management other alpha {ADMIN}", 3),
        (f"apply alpha -o json {GONE}", 1),
        (f"reconcile alpha -o json {GONE}", 1),
        (f"reconcile bad-first/web -o json {ADMIN}", 1),
        (f"pause nobody -o json {ADMIN}", 1),
        (f"resume nobody -o json {ADMIN}", 1),
        (f"resume -o json {GONE}", 1),
        (f"status nobody -o json {ADMIN}", 1),
        ("tools install nothing -o json", 1),
        ("sandbox kubeconfig --name nobody -o json", 1),
        ("sandbox down --name nobody -o json", 0),
    ],
)
def test_json_is_one_document_on_stdout_whatever_happens(trying: Bench, command: str, exit_code: int) -> None:
    said = trying.say(
        trying.base, command.split(), {"CLUSTEROPS_CLUSTER_ATTEMPTS": "1", "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "1"}
    )
    body = json.loads(said.out)
    assert said.exit == exit_code
    if exit_code in {1, 3} and isinstance(body, dict) and "error" in body:
        assert {"code", "subject", "message", "hint", "text"} <= body["error"].keys()


@pytest.mark.parametrize("command", ["validate", "--help", "tools list", "status --context none", "render alpha"])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}])
def test_a_pipe_gets_plain_text(trying: Bench, command: str, environment: dict[str, str]) -> None:
    said = trying.say(trying.base, command.split(), environment)
    assert "\x1b" not in said.out + said.err


def test_a_bare_name_is_enough_where_one_cluster_has_it(trying: Bench) -> None:
    full, bare = (trying.say(trying.base, ["render", name]) for name in ("north/alpha", "alpha"))
    assert (bare.exit, bare.out) == (0, full.out)


def test_apply_then_plan_finds_nothing_to_do(trying: Bench) -> None:
    """Exit 2 says that there are changes; afterwards there are none."""
    repo = trying.home / "settled"
    trying.copy(repo, fleet("bad-settled"))
    words = f"web {ADMIN}".split()
    codes = [trying.say(repo, [*command, *words]).exit for command in (["apply"], ["plan", "--detailed-exitcode"])]
    assert codes == [0, 0]
