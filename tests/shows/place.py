"""A place for a show: tools, a sandbox that ends with it, and a folder that goes afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from clusterops.cli.tools import shown_progress, toolchain_settings
from clusterops.sandbox import Mode, Sandbox, Spec, held, tools_for
from clusterops.toolchain import ensure
from tests.stage import folder


@contextlib.contextmanager
def place(mode: Mode, *, audit_bodies: bool = False) -> Iterator[tuple[Path, Sandbox, dict[str, Path]]]:
    """Yields (folder, sandbox with an audit log, paths of helm and kustomize)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()
    with folder("show") as home:
        try:
            yield asyncio.run_coroutine_threadsafe(_enter(stack, mode, home, audit_bodies), loop).result()
        finally:
            asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


async def _enter(
    stack: contextlib.AsyncExitStack, mode: Mode, home: Path, audit_bodies: bool
) -> tuple[Path, Sandbox, dict[str, Path]]:
    async with shown_progress() as progress:
        tools = await ensure([*tools_for(mode), "kustomize", "helm"], toolchain_settings(), progress)
    spec = Spec(
        name="show",
        mode=mode,
        directory=home / "sandbox",
        tools={name: tools[name] for name in tools_for(mode)},
        audit_log=home / "audit.log",
        audit_bodies=audit_bodies,
    )
    holder = await stack.enter_async_context(held(spec))
    return home, holder.sandbox, {name: tools[name] for name in ("helm", "kustomize")}
