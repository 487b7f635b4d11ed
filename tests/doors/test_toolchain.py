"""Finding and installing: with a Go that only pretends, and once with the real tools."""

import asyncio
import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clusterops.errors import TerminalError
from clusterops.process import Limits, run
from clusterops.toolchain import Silent, ToolchainSettings, ensure, locate, tool_named
from clusterops.toolchain.recipe import install_folder

# Answers like Go; a build writes a program that tells version 4.3.1, and notes in $NOTES that it ran.
_GO = """#!/bin/sh
case "$1" in
  env) echo "${PRETENDED_VERSION:-go1.26.8}" ;;
  build)
    echo build >> "$NOTES"
    out=""; while [ $# -gt 0 ]; do [ "$1" = -o ] && out="$2"; shift; done
    echo some/package >&2
    [ -n "$FIFO" ] && echo half > "$out" && echo $$ > "$FIFO" && sleep 600
    [ -n "$FAILS" ] && echo "main.go:1:1: cannot find module" >&2 && exit 1
    [ -n "$SLOW" ] && sleep 0.3
    printf '#!/bin/sh\\necho v4.3.1\\n' > "$out"; chmod +x "$out" ;;
esac
"""


@dataclass
class Heard:
    """What an installation told."""

    started: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


class Listener(Silent):
    def __init__(self) -> None:
        self.heard = Heard()

    def started(self, tool: str, what: str) -> None:
        self.heard.started.append(what)

    def line(self, tool: str, text: str) -> None:
        self.heard.lines.append(text)

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        self.heard.sources.append(source)


@pytest.fixture
def pretended(tmp_path: Path) -> ToolchainSettings:
    """A machine whose only Go is a pretended one, with an empty cache."""
    _program(tmp_path / "go" / "go", _GO)
    environment = {"PATH": f"{tmp_path / 'go'}:/usr/bin:/bin", "NOTES": str(tmp_path / "notes")}
    return ToolchainSettings(cache_dir=tmp_path / "cache", environment=environment)


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _with(settings: ToolchainSettings, **changes: str) -> ToolchainSettings:
    return ToolchainSettings(cache_dir=settings.cache_dir, environment={**settings.environment, **changes})


def _builds(settings: ToolchainSettings) -> int:
    notes = Path(settings.environment["NOTES"])
    return len(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else 0


async def test_what_is_missing_is_built_once_and_then_found(pretended: ToolchainSettings) -> None:
    listener = Listener()
    assert (await locate("helm", pretended)).source == "missing"
    first = await ensure(["helm"], pretended, listener)
    second = await ensure(["helm"], pretended, listener)
    assert first == second
    assert listener.heard == Heard(started=["building helm 4.3.1"], lines=["some/package"], sources=["built", "cache"])
    assert _builds(pretended) == 1
    assert (await locate("helm", pretended)).source == "cache"
    told = await run([first["helm"]], env=pretended.environment)
    assert told.stdout == b"v4.3.1\n"


async def test_two_that_install_at_once_build_once(pretended: ToolchainSettings) -> None:
    slow = _with(pretended, SLOW="1")
    paths = await asyncio.gather(*(ensure(["helm"], slow, Silent()) for _ in range(3)))
    assert paths[0] == paths[1] == paths[2]
    assert _builds(slow) == 1


async def test_a_killed_build_never_counts_and_leaves_no_litter(pretended: ToolchainSettings, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    work = asyncio.create_task(ensure(["helm"], _with(pretended, FIFO=str(fifo)), Silent()))
    pid = int(await asyncio.to_thread(fifo.read_text))
    os.killpg(pid, signal.SIGKILL)
    with pytest.raises(TerminalError, match="tool-build-failed"):
        await work
    assert (await locate("helm", pretended)).source == "missing"
    await ensure(["helm"], pretended, Silent())
    assert [entry.name for entry in install_folder(tool_named("helm"), pretended).parent.iterdir()] == [
        install_folder(tool_named("helm"), pretended).name
    ]


async def test_a_cancelled_build_stops_and_leaves_no_litter(pretended: ToolchainSettings, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    work = asyncio.create_task(ensure(["helm"], _with(pretended, FIFO=str(fifo)), Silent()))
    await asyncio.to_thread(fifo.read_text)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert list(install_folder(tool_named("helm"), pretended).parent.iterdir()) == []


async def test_leftovers_of_a_process_that_was_killed_are_removed(pretended: ToolchainSettings) -> None:
    parent = install_folder(tool_named("helm"), pretended).parent
    (parent / ".build-left").mkdir(parents=True)
    (parent / ".build-left" / "helm").write_text("half", encoding="utf-8")
    await ensure(["helm"], pretended, Silent())
    assert not (parent / ".build-left").exists()


async def test_a_failed_build_says_what_go_said(pretended: ToolchainSettings) -> None:
    with pytest.raises(TerminalError, match="cannot find module") as caught:
        await ensure(["helm"], _with(pretended, FAILS="1"), Silent())
    assert caught.value.code == "tool-build-failed"
    assert "some/package" not in caught.value.message


@pytest.mark.parametrize("version", ["go1.25.9", "devel"])
async def test_a_go_that_is_too_old_is_as_good_as_none(pretended: ToolchainSettings, version: str) -> None:
    with pytest.raises(TerminalError, match=version) as caught:
        await ensure(["helm"], _with(pretended, PRETENDED_VERSION=version), Silent())
    assert (caught.value.code, caught.value.hint) == ("tool-missing", "install Go >= 1.26, or helm 4.3.1 on PATH")


async def test_without_go_and_binary_the_error_names_what_to_install(tmp_path: Path) -> None:
    bare = ToolchainSettings(cache_dir=tmp_path, environment={"PATH": str(tmp_path)})
    with pytest.raises(TerminalError, match=r"helm 4\.3\.1: .* no Go") as caught:
        await ensure(["helm"], bare, Silent())
    assert caught.value.hint == "install Go >= 1.26, or helm 4.3.1 on PATH"
    with pytest.raises(TerminalError) as other:
        await ensure(["cluster-api"], bare, Silent())
    assert other.value.hint == "install Go >= 1.26"


async def test_a_fitting_program_on_path_is_taken_as_it_is(pretended: ToolchainSettings, tmp_path: Path) -> None:
    program = _program(tmp_path / "bin" / "helm", "#!/bin/sh\necho v4.3.7+gabc\n")
    settings = _with(pretended, PATH=f"{tmp_path / 'bin'}:{pretended.search_path}")
    found = await locate("helm", settings)
    assert (found.path, found.source, found.version) == (program, "path", "4.3.7")
    assert await ensure(["helm"], settings, Silent()) == {"helm": program}
    assert _builds(settings) == 0


@pytest.mark.parametrize(
    "script", ["echo v3.19.0", "echo v4.3.7; exit 1", "echo nothing of use", "exec /no/such/program"]
)
async def test_a_program_that_does_not_fit_is_passed_over_with_the_reason(
    pretended: ToolchainSettings, tmp_path: Path, script: str
) -> None:
    program = _program(tmp_path / "bin" / "helm", f"#!/bin/sh\n{script}\n")
    settings = _with(pretended, PATH=f"{tmp_path / 'bin'}:{pretended.search_path}")
    found = await locate("helm", settings)
    assert found.source == "missing"
    assert len(found.passed_over) == 1
    assert found.passed_over[0].startswith(f"{program}: ")


async def test_the_assets_of_envtest_are_used_when_they_fit(pretended: ToolchainSettings, tmp_path: Path) -> None:
    program = _program(tmp_path / "assets" / "etcd", "#!/bin/sh\necho etcd Version: 3.6.9\n")
    _program(tmp_path / "assets" / "kube-apiserver", "#!/bin/sh\necho Kubernetes v1.31.0\n")
    settings = ToolchainSettings(
        cache_dir=pretended.cache_dir, environment=pretended.environment, kubebuilder_assets=program.parent
    )
    assert (await locate("etcd", settings)).source == "kubebuilder-assets"
    assert (await locate("kube-apiserver", settings)).source == "missing"


async def test_managers_on_path_are_never_used_since_they_would_listen_everywhere(
    pretended: ToolchainSettings, tmp_path: Path
) -> None:
    for name in ("cluster-api", "core", "dev"):
        _program(tmp_path / "bin" / name, "#!/bin/sh\necho v1.14.0\n")
    settings = _with(pretended, PATH=f"{tmp_path / 'bin'}:{pretended.search_path}")
    assert (await locate("cluster-api", settings)).source == "missing"


@pytest.mark.tools
async def test_the_real_tools_tell_the_version_that_was_asked_for(
    tools: dict[str, Path], toolchain_settings: ToolchainSettings
) -> None:
    for name, path in tools.items():
        tool = tool_named(name)
        told = await run([path, *tool.version_args], env=toolchain_settings.environment, limits=Limits(timeout_s=30))
        version = told.stdout.decode().strip().lstrip("v").partition("+")[0]
        assert tool.accepts(version), (name, version)


@pytest.mark.apiserver
async def test_the_manifests_of_every_manager_are_rendered_with_their_definitions(
    toolchain_settings: ToolchainSettings, apiserver: object
) -> None:
    assert apiserver
    folder = (await locate("cluster-api-manifests", toolchain_settings)).path
    assert folder is not None
    for name in ("core", "bootstrap", "control-plane", "dev"):
        kinds = {item["kind"] for item in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))}
        assert kinds == {
            "Namespace",
            "CustomResourceDefinition",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        }
