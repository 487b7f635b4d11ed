"""A sandbox from outside: brought up, looked at, held, taken down."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import clusterops
from clusterops.errors import TerminalError
from clusterops.process import Running, identify, is_alive, send_signal, start, wait_gone
from clusterops.sandbox.alone import alone
from clusterops.sandbox.spec import Layout, Mode, Spec
from clusterops.sandbox.state import State, read_state

_POLL_S = 0.05
_STOP_TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox: where it answers and which files open it.

    ``cert_file`` and ``key_file`` are those of an admin. ``pids`` maps the names of running processes to pids.
    """

    name: str
    mode: Mode
    directory: Path
    server: str
    kubeconfig: Path
    ca_file: Path
    cert_file: Path
    key_file: Path
    audit_log: Path | None
    pids: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``word`` is ``up``, ``starting``, ``down`` or ``crashed``; ``processes`` maps names to whether they run."""

    name: str
    mode: Mode
    word: str
    server: str
    kubeconfig: Path
    processes: dict[str, bool]


class Held:
    """The holder's side of a sandbox that ends with its holder."""

    def __init__(self, spec: Spec, supervisor: Running, commands: int) -> None:
        self._spec = spec
        self._supervisor = supervisor
        self._commands = commands

    @property
    def sandbox(self) -> Sandbox:
        """As it is now: pids change when a process is started again."""
        return _sandbox(self._spec, _state(self._spec))

    async def stop_process(self, name: str, *, kill: bool = False) -> None:
        """Stop one process, politely or not, and return when it is gone."""
        await self._command("kill" if kill else "stop", name)

    async def start_process(self, name: str) -> None:
        """Start a stopped process again and return when it is ready."""
        await self._command("start", name)

    async def _command(self, verb: str, name: str) -> None:
        state = _checked(self._spec, self._supervisor)
        if name not in {process.name for process in state.processes}:
            raise ValueError(f"no process of this sandbox is named {name!r}")
        before = state.answered
        os.write(self._commands, f"{verb} {name}\n".encode())
        while _checked(self._spec, self._supervisor).answered == before:  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(_POLL_S)


@contextlib.asynccontextmanager
async def held(spec: Spec) -> AsyncIterator[Held]:
    """A sandbox for as long as the block, or this process, lasts; its folder is left to the caller.

    Raises TerminalError ``sandbox-not-ready``, ``sandbox-process-ended``, ``sandbox-install-failed``,
    ``sandbox-failed`` and ``sandbox-no-address``.
    """
    reading, writing = os.pipe()
    try:
        me = identify(os.getpid())
        assert me is not None
        try:
            arguments = ("--held", str(me.pid), str(me.started_ticks))
            supervisor = await _start_supervisor(spec, arguments, stdin_fd=reading)
        finally:
            os.close(reading)
        try:
            await _until_ready(spec, supervisor)
            yield Held(spec, supervisor, writing)
        finally:
            os.close(writing)
            writing = -1
            await asyncio.shield(_end(spec, supervisor))
    finally:
        if writing >= 0:
            os.close(writing)


async def up(spec: Spec) -> tuple[Sandbox, bool]:
    """Bring a sandbox up that outlives this process; one that is up already stays as it is (False).

    What is left of a crashed one is stopped, and it is started again with its data. One that does not become ready
    is stopped; its folder with the logs stays. Raises as `held` does, and TerminalError ``sandbox-other-mode``
    when it exists in another mode.
    """
    async with alone(spec.directory):
        layout = Layout(spec.directory)
        if layout.spec.exists():
            before = _read_spec(layout)
            _check_mode(before, spec)
            if status(spec.directory).word == "up":
                return _sandbox(before, _state(before)), False
            await _stop(spec.directory)
        try:
            await _until_ready(spec, await _start_supervisor(spec, ()))
        except BaseException:
            await asyncio.shield(_stop(spec.directory))
            raise
        return _sandbox(spec, _state(spec)), True


async def down(directory: Path) -> bool:
    """Stop everything that a sandbox started and remove its folder; False when there was none."""
    if directory not in _folders(directory.parent):
        return False
    async with alone(directory):
        await _stop(directory)
        await asyncio.to_thread(shutil.rmtree, directory)
    return True


def status(directory: Path) -> Status:
    """What runs of the sandbox in this folder; TerminalError ``sandbox-missing`` when there is none."""
    layout = Layout(directory)
    if not layout.spec.exists():
        raise TerminalError(
            "sandbox-missing",
            f"sandbox {directory.name}",
            "there is none of this name",
            hint=f"clusterops sandbox up --name {directory.name}",
        )
    spec, state = _read_spec(layout), read_state(layout.state)
    return Status(
        name=spec.name,
        mode=spec.mode,
        word=_word(state),
        server=state.server if state else "",
        kubeconfig=layout.kubeconfig,
        processes={process.name: process.alive for process in state.processes} if state else {},
    )


def found(sandboxes: Path) -> list[Status]:
    """The sandboxes below this folder, by name."""
    return [status(folder) for folder in _folders(sandboxes)]


def opened(directory: Path) -> Sandbox:
    """The running sandbox in this folder; TerminalError ``sandbox-missing`` or ``sandbox-not-running``."""
    now = status(directory)
    if now.word != "up":
        raise TerminalError(
            "sandbox-not-running",
            f"sandbox {now.name}",
            f"is {now.word}",
            hint=f"clusterops sandbox up --name {now.name}",
        )
    spec = _read_spec(Layout(directory))
    return _sandbox(spec, _state(spec))


def _folders(sandboxes: Path) -> list[Path]:
    return sorted(path.parent for path in sandboxes.glob("*/spec.json"))


def _check_mode(before: Spec, wanted: Spec) -> None:
    if before.mode != wanted.mode:
        raise TerminalError(
            "sandbox-other-mode",
            f"sandbox {wanted.name}",
            f"exists with mode {before.mode}, asked for was {wanted.mode}",
            hint=f"clusterops sandbox down --name {wanted.name}",
        )


def _word(state: State | None) -> str:
    if state is None:
        return "down"
    running = [process.alive for process in state.processes]
    if not is_alive(state.supervisor):
        return "down" if state.phase == "stopped" and not any(running) else "crashed"
    if state.phase == "ready":
        return "up" if all(running) else "crashed"
    return "starting" if state.phase == "starting" else "crashed"


async def _start_supervisor(spec: Spec, arguments: tuple[str, ...], *, stdin_fd: int | None = None) -> Running:
    layout = Layout(spec.directory)
    layout.log("supervisor").parent.mkdir(parents=True, exist_ok=True)
    # Keys lie in there.
    spec.directory.chmod(0o700)
    layout.state.unlink(missing_ok=True)
    layout.spec.write_text(spec.to_json(), encoding="utf-8")
    return await start(
        [sys.executable, "-m", "clusterops.sandbox.supervisor", layout.spec, *arguments],
        # A checkout that is not installed must be importable from there, too.
        env={"PYTHONPATH": str(Path(next(iter(clusterops.__path__))).parent), "HOME": str(spec.directory)},
        log=layout.log("supervisor"),
        cwd=spec.directory,
        stdin_fd=stdin_fd,
    )


async def _until_ready(spec: Spec, supervisor: Running) -> None:
    path = Layout(spec.directory).state
    while (state := read_state(path)) is None or state.phase == "starting":
        if supervisor.exit_code is not None and (state is None or read_state(path) == state):
            log = Layout(spec.directory).log("supervisor").read_text(encoding="utf-8", errors="replace")
            raise TerminalError("sandbox-failed", f"sandbox {spec.name}", f"its supervisor ended:\n{log[-2000:]}")
        await asyncio.sleep(_POLL_S)
    _checked(spec, supervisor)


def _checked(spec: Spec, supervisor: Running) -> State:
    """The state of a sandbox whose supervisor runs and has not failed."""
    state = _state(spec)
    if state.phase != "ready" or supervisor.exit_code is not None:
        raise state.error()
    return state


async def _end(spec: Spec, supervisor: Running) -> None:
    """Wait until a supervisor has stopped everything, and make sure of it."""
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await supervisor.wait()
    except TimeoutError:
        supervisor.kill()
        await supervisor.wait()
    await _kill_leftovers(spec.directory)


async def _stop(directory: Path) -> None:
    state = read_state(Layout(directory).state)
    if state is None:
        return
    if send_signal(state.supervisor, signal.SIGTERM) and not await wait_gone(
        state.supervisor, timeout_s=_STOP_TIMEOUT_S
    ):
        send_signal(state.supervisor, signal.SIGKILL)
        await wait_gone(state.supervisor, timeout_s=_STOP_TIMEOUT_S)
    await _kill_leftovers(directory)


async def _kill_leftovers(directory: Path) -> None:
    """Kill what a supervisor that was itself killed could not stop any more."""
    state = read_state(Layout(directory).state)
    for process in reversed(state.processes if state else ()):
        if send_signal(process.identity, signal.SIGKILL):
            await wait_gone(process.identity, timeout_s=_STOP_TIMEOUT_S)


def _read_spec(layout: Layout) -> Spec:
    return Spec.from_json(layout.spec.read_text(encoding="utf-8"))


def _state(spec: Spec) -> State:
    state = read_state(Layout(spec.directory).state)
    if state is None:
        raise TerminalError("sandbox-failed", f"sandbox {spec.name}", "its state file is gone")
    return state


def _sandbox(spec: Spec, state: State) -> Sandbox:
    layout = Layout(spec.directory)
    return Sandbox(
        name=spec.name,
        mode=spec.mode,
        directory=spec.directory,
        server=state.server,
        kubeconfig=layout.kubeconfig,
        ca_file=layout.ca,
        cert_file=layout.admin_cert,
        key_file=layout.admin_key,
        audit_log=spec.audit_log,
        pids={process.name: process.identity.pid for process in state.processes if process.alive},
    )
