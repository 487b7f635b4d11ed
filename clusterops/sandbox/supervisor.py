"""The process that owns a sandbox: starts everything, holds it, and stops it in reverse order.

Run as ``python -m clusterops.sandbox.supervisor SPEC [--held PID TICKS]``. Held, it ends when its standard input
does or its owner is gone, and takes commands from there; otherwise it ends on SIGTERM alone.
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.process import ProcessId, Running, identify, is_alive, start
from clusterops.sandbox.addresses import Addresses, Reserved, reserve
from clusterops.sandbox.api import ApiServer
from clusterops.sandbox.certificates import write_certificates, write_kubeconfig
from clusterops.sandbox.components import MANAGERS, Component, api_components, audit_policy, controller_components
from clusterops.sandbox.manifests import Objects, bare_definitions, served_definitions, served_webhooks
from clusterops.sandbox.spec import Layout, Spec
from clusterops.sandbox.state import ProcessState, State, write_state

_POLL_S = 0.1
_READY_TIMEOUT_S = 180.0
_STOP_GRACE_S = 5.0
_PARALLEL_INSTALLS = 4
_LOG_TAIL_BYTES = 1500


class Supervisor:
    """All processes of one sandbox, and what is known of them."""

    def __init__(self, spec: Spec, reserved: Reserved) -> None:
        self._spec = spec
        self._layout = Layout(spec.directory)
        self._reserved = reserved
        self._api = ApiServer.of(self._layout, self._addresses.server)
        self._components: dict[str, Component] = {}
        self._running: dict[str, Running] = {}
        self._put_down: set[str] = set()
        me = identify(os.getpid())
        assert me is not None
        self._state = State(phase="starting", supervisor=me, server=self._addresses.server)
        self._write()

    @property
    def _addresses(self) -> Addresses:
        return self._reserved.addresses

    async def bring_up(self) -> None:
        """Start and install everything; returns when the whole sandbox is ready to be used."""
        for component in api_components(self._spec, self._layout, self._addresses):
            await self._start(component)
        await self._until(self._api_ready, "kube-apiserver")
        if self._spec.mode == "crds":
            await self._install(definition for objects in self._manifests() for definition in bare_definitions(objects))
        if self._spec.mode == "full":
            await self._bring_up_controllers()
        for companion in self._spec.companions:
            await self._start(Component(name=companion.name, argv=companion.argv, env=companion.env))
        self._change(phase="ready")

    async def command(self, line: str) -> None:
        """``stop NAME``, ``kill NAME`` or ``start NAME``, from whoever holds this sandbox."""
        verb, _, name = line.partition(" ")
        if verb == "start" and self._running[name].exit_code is not None:
            self._put_down.discard(name)
            await self._start(self._components[name])
            await self._until_ready(self._components[name])
        elif verb in ("stop", "kill"):
            self._put_down.add(name)
            if verb == "kill":
                self._running[name].kill()
            await self._running[name].stop(grace_s=_STOP_GRACE_S)
        self._change(answered=self._state.answered + 1)

    def fail(self, error: ClusterOpsError) -> None:
        self._change(phase="failed", failure=(error.code, error.subject, error.message))

    async def tear_down(self) -> None:
        """Stop everything in reverse order; controllers all at once, as none needs another to end."""
        names = list(self._running)
        await asyncio.gather(*(self._running[name].stop(grace_s=_STOP_GRACE_S) for name in names[2:]))
        for name in reversed(names[:2]):
            await self._running[name].stop(grace_s=_STOP_GRACE_S)
        self._reserved.release()
        if self._state.phase != "failed":
            self._change(phase="stopped")

    async def _bring_up_controllers(self) -> None:
        bundle = base64.b64encode(self._layout.ca.read_bytes()).decode()
        ports = [self._addresses.webhooks[manager.program] for manager in MANAGERS]
        sets = list(zip(self._manifests(), ports, strict=True))
        await self._install(item for objects, port in sets for item in served_definitions(objects, port, bundle))
        components = controller_components(self._spec, self._layout, self._addresses)
        for component in components:
            await self._start(component)
        for component in components:
            await self._until_ready(component)
        # Last: until a manager serves them, they would refuse every write.
        await self._install(item for objects, port in sets for item in served_webhooks(objects, port, bundle))

    def _manifests(self) -> list[Objects]:
        folder = self._spec.tools["cluster-api-manifests"]
        return [json.loads((folder / f"{manager.program}.json").read_text(encoding="utf-8")) for manager in MANAGERS]

    async def _install(self, objects: Iterable[dict[str, Any]]) -> None:
        gate = asyncio.Semaphore(_PARALLEL_INSTALLS)
        installed: list[dict[str, Any]] = list(objects)

        async def install(item: dict[str, Any]) -> None:
            async with gate:
                await asyncio.to_thread(self._api.apply, item)

        await asyncio.gather(*(install(item) for item in installed))
        wanted = {_name(item) for item in installed if item["kind"] == "CustomResourceDefinition"}

        async def all_served() -> bool:
            return wanted <= await asyncio.to_thread(self._api.established)

        if wanted:
            await self._until(all_served, "kube-apiserver")

    async def _start(self, component: Component) -> None:
        self._components[component.name] = component
        self._running[component.name] = await start(
            component.argv,
            env={"HOME": str(self._layout.directory), "PATH": os.defpath, **component.env},
            log=self._layout.log(component.name),
            cwd=self._layout.directory,
        )
        self._change()

    async def _until_ready(self, component: Component) -> None:
        if component.name == "kube-apiserver":
            await self._until(self._api_ready, component.name)
        elif component.health:
            url = component.health

            async def healthy() -> bool:
                return await asyncio.to_thread(_answers, url)

            await self._until(healthy, component.name)

    async def _api_ready(self) -> bool:
        return await asyncio.to_thread(self._api.is_ready)

    async def _until(self, ready: Callable[[], Awaitable[bool]], name: str) -> None:
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                while not await ready():
                    self._check_alive()
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise TerminalError(
                "sandbox-not-ready", name, f"not ready within {_READY_TIMEOUT_S:g} s:\n{self._tail(name)}"
            ) from error

    def _check_alive(self) -> None:
        for name, running in self._running.items():
            if running.exit_code is not None and name not in self._put_down:
                raise TerminalError(
                    "sandbox-process-ended", name, f"ended with exit code {running.exit_code}:\n{self._tail(name)}"
                )

    def _tail(self, name: str) -> str:
        return self._layout.log(name).read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()

    def _change(self, **changes: object) -> None:
        processes = tuple(
            ProcessState(name=name, identity=running.identity, exit_code=running.exit_code)
            for name, running in self._running.items()
        )
        self._state = replace(
            self._state,
            processes=processes,
            **changes,  # type: ignore[arg-type]
        )
        self._write()

    def _write(self) -> None:
        write_state(self._layout.state, self._state)


def prepare(spec: Spec) -> Reserved:
    """Write everything that the processes read, and take their addresses."""
    layout = Layout(spec.directory)
    layout.log("any").parent.mkdir(parents=True, exist_ok=True)
    write_certificates(layout)
    reserved = reserve(tuple(manager.program for manager in MANAGERS), layout.addresses)
    write_kubeconfig(layout, spec.name, reserved.addresses.server)
    layout.audit_policy.write_text(json.dumps(audit_policy(spec)), encoding="utf-8")
    return reserved


async def supervise(spec: Spec, owner: ProcessId | None) -> int:
    """Own a sandbox until told to end; the exit code is 0 when it was whole until then."""
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    supervisor = Supervisor(spec, prepare(spec))
    watchers: list[asyncio.Task[Any]] = [asyncio.create_task(told_to_end.wait(), name="signal")]
    lines: asyncio.Queue[str] = asyncio.Queue()
    if owner:
        watchers.append(asyncio.create_task(_read_lines(lines), name="input"))
        watchers.append(asyncio.create_task(_outlive(owner), name="owner"))
    work = asyncio.create_task(_work(supervisor, lines), name="work")
    try:
        await asyncio.wait([work, *watchers], return_when=asyncio.FIRST_COMPLETED)
        failed = work.done()
    finally:
        for task in (work, *watchers):
            task.cancel()
        outcome, *_ = await asyncio.gather(work, *watchers, return_exceptions=True)
        await supervisor.tear_down()
        if isinstance(outcome, Exception):
            # Into the supervisor's log: nobody else is left to hear of it.
            traceback.print_exception(outcome)
    return 1 if failed else 0


async def _work(supervisor: Supervisor, lines: asyncio.Queue[str]) -> None:
    """Bring everything up, then do as told; returns only after a failure."""
    try:
        await supervisor.bring_up()
        while True:
            await supervisor.command(await lines.get())
    except ClusterOpsError as error:
        supervisor.fail(error)
    except Exception as error:
        supervisor.fail(TerminalError("sandbox-failed", "supervisor", repr(error)))
        raise


async def _read_lines(lines: asyncio.Queue[str]) -> None:
    """Returns when standard input ends: whoever held its other side is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        lines.put_nowait(line.decode().strip())


async def _outlive(owner: ProcessId) -> None:
    """Returns when the owner is gone. A child that it forked may keep the pipe open for longer than it lives."""
    try:
        descriptor = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    try:
        # Asked after opening: from here on the descriptor speaks of this very process.
        if is_alive(owner):
            await gone.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def _answers(url: str) -> bool:
    try:
        # Never through a proxy: this is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _name(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


def main(argv: Sequence[str]) -> int:
    """The entry point of the process."""
    spec = Spec.from_json(Path(argv[0]).read_text(encoding="utf-8"))
    owner = ProcessId(pid=int(argv[2]), started_ticks=int(argv[3])) if argv[1:2] == ["--held"] else None
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(supervise(spec, owner))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
