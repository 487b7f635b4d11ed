"""Settings: where each comes from, what beats what, and that all problems are told together."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.cli.environment import SettingsError, cache_dir, read_settings, setting_names
from clusterops.errors import TerminalError

HOME = {"HOME": "/home/ops"}
VARIABLE = "CLUSTEROPS_REPOSITORY_BRANCH"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("repository: {url: /srv/fleet.git, branch: from-file}\ncluster: {timeout_s: 2m}\n")
    return path


@pytest.mark.parametrize(
    ("environment", "overrides", "branch"),
    [
        ({}, {}, "from-file"),
        ({VARIABLE: "from-environment"}, {}, "from-environment"),
        ({VARIABLE: "from-environment"}, {"repository.branch": "from-option"}, "from-option"),
        ({VARIABLE: "from-environment"}, {"repository.branch": None}, "from-environment"),
        ({VARIABLE: ""}, {}, "from-file"),
    ],
)
def test_an_option_beats_the_environment_which_beats_the_file(
    file: Path, environment: dict[str, str], overrides: dict[str, str | None], branch: str
) -> None:
    assert read_settings(file=file, environ=HOME | environment, overrides=overrides).repository.branch == branch


def test_defaults_need_nothing() -> None:
    settings = read_settings(environ=HOME)
    assert (settings.repository.url, settings.cluster.max_in_flight) == ("", 32)
    assert settings.render.cache_dir == Path("/home/ops/.cache/clusterops")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), ("30s", 30.0), ("1.5m", 90.0), ("250ms", 0.25), ("2 h", 7200.0)]
)
def test_durations_are_seconds_or_carry_their_unit(text: str, seconds: float) -> None:
    environment = HOME | {"CLUSTEROPS_CLUSTER_TIMEOUT_S": text}
    assert read_settings(environ=environment).cluster.timeout_s == seconds


def test_all_problems_are_told_together_each_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("cluster:\n  timeout_s: soon\n  max_inflight: 3\nrepo: {}\n")
    environment = HOME | {
        "CLUSTEROPS_DAEMON_WORKERS": "many",
        "CLUSTEROPS_NETWORK_CA_FILE": "",
        "CLUSTEROPS_REPOSITORY_PUSH_NOTES": "why",
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(file=path, environ=environment, overrides={"daemon.listen_port": "here"})
    assert {problem.text.replace(str(path), "FILE") for problem in caught.value.problems} == {
        "FILE:2:3: cluster.timeout_s: 'soon' is neither a number nor a duration such as 30s or 5m (settings-invalid)",
        "FILE:3:3: cluster.max_inflight: there is no such setting (settings-invalid)",
        "FILE:4:1: repo: there is no such setting (settings-invalid)",
        "CLUSTEROPS_DAEMON_WORKERS: daemon.workers: 'many' is not a whole number (settings-invalid)",
        "CLUSTEROPS_REPOSITORY_PUSH_NOTES: repository.push_notes: 'why' is neither true nor false (settings-invalid)",
        "--listen: daemon.listen_port: 'here' is not a whole number (settings-invalid)",
    }
    hints = {problem.line: problem.hint for problem in caught.value.problems if problem.line}
    assert hints[3] == "did you mean `cluster.max_in_flight`?"


@pytest.mark.parametrize("text", ["- a\n", "cluster: 3\n", "a: [\n", "a: 1\na: 2\n"])
def test_a_file_that_is_no_settings_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(TerminalError) as caught:
        read_settings(file=path, environ=HOME)
    assert caught.value.path == str(path)
    assert caught.value.line


def test_proxies_are_the_systems_unless_ours_are_set() -> None:
    system = {"https_proxy": "http://system:3128", "NO_PROXY": "localhost, .svc"}
    ours = {"CLUSTEROPS_NETWORK_HTTPS_PROXY": "http://ours:3128"}
    assert read_settings(environ=HOME | system).network.https_proxy == "http://system:3128"
    assert read_settings(environ=HOME | system).network.no_proxy == ("localhost", ".svc")
    assert read_settings(environ=HOME | system | ours).network.https_proxy == "http://ours:3128"


def test_a_token_never_shows_in_the_text_of_settings() -> None:
    settings = read_settings(environ=HOME | {"CLUSTEROPS_REPOSITORY_TOKEN": "hunter2"})
    assert settings.repository.token.reveal() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/h"}, "/h/.cache/clusterops"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/clusterops"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x", "CLUSTEROPS_CACHE_DIR": "/own"}, "/own"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(environment: dict[str, str], folder: str) -> None:
    assert cache_dir(environment) == Path(folder)


def test_every_setting_can_be_set_by_a_variable_of_its_own() -> None:
    names = [name for name, _ in setting_names()]
    variables = {name.replace(".", "_").upper() for name in names}
    assert len(variables) == len(names) > 30


def test_age_keys_are_looked_for_where_sops_looks_and_our_own_settings_come_first(tmp_path: Path) -> None:
    own = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    home = {"HOME": str(tmp_path)}
    assert read_settings(environ=home).render.age_key_file is None
    own.parent.mkdir(parents=True)
    own.touch()
    assert read_settings(environ=home).render.age_key_file == own
    named = home | {"SOPS_AGE_KEY_FILE": "/run/keys", "SOPS_AGE_KEY": "AGE-SECRET-KEY-1X"}
    render = read_settings(environ=named).render
    assert (render.age_key_file, render.age_key.reveal()) == (Path("/run/keys"), "AGE-SECRET-KEY-1X")
    assert "AGE-SECRET" not in repr(render)
    ours = named | {"CLUSTEROPS_RENDER_AGE_KEY_FILE": "/ours"}
    assert read_settings(environ=ours).render.age_key_file == Path("/ours")
