"""Real tools and real servers for tests that ask for them, started once per process and never left behind."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from clusterops.errors import TerminalError
from clusterops.sandbox import Held, Mode, Sandbox, Spec, held, tools_for
from clusterops.toolchain import PASSED_VARIABLES, ToolchainSettings, ensure
from tests.gitea.build import ensure_gitea
from tests.gitea.server import GiteaServer, serving

T = TypeVar("T")

_TESTS = Path(__file__).parent
_HEARTBEAT_S = 15.0

# The gate to main gives one answer to one commit; at a desk every run looks for new examples.
# How long an example takes says nothing on a machine that others use too.
hypothesis_settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("gate", hypothesis_settings.get_profile("desk"), derandomize=True)
hypothesis_settings.load_profile("gate" if os.environ.get("CI") else "desk")


_LONGEST_FIRST = ("system", "doors", "property")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """So that two processes (``-n 2``) end at the same time: what waits for real controllers, then whole daemons."""
    on_controllers = {item.path for item in items if item.get_closest_marker("capi")}

    def turn(item: pytest.Item) -> int:
        room = item.path.relative_to(_TESTS).parts[0]
        rank = _LONGEST_FIRST.index(room) if room in _LONGEST_FIRST else len(_LONGEST_FIRST)
        return -1 if item.path in on_controllers else rank

    items.sort(key=turn)


class Background:
    """An event loop in a thread of its own, for what lives longer than the loop of one test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="session-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Told:
    """Builds take minutes: they are told of past pytest's capture."""

    def __init__(self) -> None:
        self._next_s = _HEARTBEAT_S

    def started(self, tool: str, what: str) -> None:
        self._next_s = _HEARTBEAT_S
        print(f"\n{what}", file=sys.__stderr__, flush=True)

    def line(self, tool: str, text: str) -> None:
        pass

    def waiting(self, tool: str, elapsed_s: float) -> None:
        if elapsed_s >= self._next_s:
            self._next_s = elapsed_s + _HEARTBEAT_S
            print(f"  {tool}: {elapsed_s:.0f} s so far", file=sys.__stderr__, flush=True)

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        pass


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    loop = Background()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def toolchain_settings() -> ToolchainSettings:
    """The user's own cache: a build is too dear to be made again for every run."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return ToolchainSettings(
        cache_dir=Path(os.environ.get("CLUSTEROPS_CACHE_DIR") or Path(cache) / "clusterops"),
        environment={key: value for key, value in os.environ.items() if key in PASSED_VARIABLES},
        kubebuilder_assets=Path(assets) if assets else None,
    )


@pytest.fixture(scope="session")
def tools(background: Background, toolchain_settings: ToolchainSettings) -> dict[str, Path]:
    """The paths of helm and kustomize."""
    return _ensured(("kustomize", "helm"), background, toolchain_settings)


@pytest.fixture(scope="session")
def apiserver_held(background: Background, toolchain_settings: ToolchainSettings) -> Iterator[Held]:
    """An API server with the CRDs of Cluster API; its processes can be stopped and started."""
    with _held("crds", background, toolchain_settings) as holder:
        yield holder


@pytest.fixture(scope="session")
def apiserver(apiserver_held: Held) -> Sandbox:
    """An API server with the CRDs of Cluster API, no controllers; ``audit_log`` has every request, without bodies."""
    return apiserver_held.sandbox


@pytest.fixture(scope="session")
def capi_held(background: Background, toolchain_settings: ToolchainSettings) -> Iterator[Held]:
    """A whole management cluster; its processes can be stopped and started."""
    with _held("full", background, toolchain_settings) as holder:
        yield holder


@pytest.fixture(scope="session")
def capi_sandbox(capi_held: Held) -> Sandbox:
    """A whole management cluster with the in-memory provider; ``audit_log`` as that of `apiserver`."""
    return capi_held.sandbox


@pytest.fixture(scope="session")
def gitea(background: Background, toolchain_settings: ToolchainSettings) -> Iterator[GiteaServer]:
    """A forge with three accounts; tests make repositories of their own on it."""
    with serving(_built(ensure_gitea(toolchain_settings), background)) as server:
        yield server


def _ensured(names: tuple[str, ...], background: Background, settings: ToolchainSettings) -> dict[str, Path]:
    return _built(ensure(names, settings, _Told()), background)


def _built(work: Coroutine[Any, Any, T], background: Background) -> T:
    try:
        return background.run(work)
    except TerminalError as error:
        if error.code != "tool-missing":
            raise
        pytest.skip(f"{error}; {error.hint}")


@contextlib.contextmanager
def _held(mode: Mode, background: Background, settings: ToolchainSettings) -> Iterator[Held]:
    paths = _ensured(tools_for(mode), background, settings)
    folder = Path(tempfile.mkdtemp(prefix=f"clusterops-{mode}-"))
    spec = Spec(
        name=f"tests-{mode}", mode=mode, directory=folder / "sandbox", tools=paths, audit_log=folder / "audit.log"
    )
    stack = contextlib.AsyncExitStack()
    try:
        yield background.run(stack.enter_async_context(held(spec)))
    finally:
        background.run(stack.aclose())
        shutil.rmtree(folder)
