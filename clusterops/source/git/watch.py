"""When to look at a repository again: at once for one on this machine, else every poll interval."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import pygit2
from structlog.stdlib import BoundLogger
from watchfiles import Change, watch

from clusterops.ports import Clock

_SETTLE_MS: Final = 20
"""A push writes several files; we wait until none has changed for this long."""
_DEBOUNCE_MS: Final = 500
_LOOK_S: Final = 1.0
"""A look costs a fifth of a millisecond, and makes up for events from before the watch began, or lost ones."""
_NAMES: Final = frozenset({"HEAD", "packed-refs"})


async def poll(clock: Clock, every_s: float) -> AsyncGenerator[None, None]:
    while True:
        await clock.sleep(every_s)
        yield


def branch_head(origin: Path, branch: str) -> str:
    """The commit of a branch in a local repository, "" when it cannot be had. Blocking."""
    try:
        reference = pygit2.Repository(str(origin)).references.get(f"refs/heads/{branch}")
        return "" if reference is None else str(reference.peel(pygit2.Commit).id)
    except (pygit2.GitError, KeyError, OSError, ValueError):
        return ""


async def follow(
    origin: Path, branch: str, *, fetched: Callable[[], str], clock: Clock, every_s: float, logger: BoundLogger
) -> AsyncGenerator[None, None]:
    """Yields when the branch's commit is no longer the ``fetched`` one; other references wake nobody.

    A commit is told at once, and told again every ``every_s`` while it has not been fetched.
    """
    told = fetched()
    async with aclosing(_looks(origin, clock=clock, every_s=every_s, logger=logger)) as looks:
        async for again in looks:
            head = await asyncio.to_thread(branch_head, origin, branch)
            if head != (fetched() if again else told):
                told = head
                yield


async def _looks(origin: Path, *, clock: Clock, every_s: float, logger: BoundLogger) -> AsyncGenerator[bool, None]:
    """When to look at the branch: True when ``every_s`` have passed, False for a change on disk or a second."""
    yield True
    try:
        folder = await asyncio.to_thread(_common_folder, origin)
        async with aclosing(_watch(folder, min(_LOOK_S, every_s))) as batches:
            waited_s = 0.0
            async for passed_s in batches:
                waited_s += passed_s
                yield waited_s >= every_s
                waited_s = 0.0 if waited_s >= every_s else waited_s
    except (OSError, RuntimeError, pygit2.GitError) as error:
        logger.warning("repository cannot be watched, polling it", why=str(error), every_s=every_s)
    async with aclosing(poll(clock, every_s)) as polls:
        async for _ in polls:
            yield True


async def _watch(folder: Path, timeout_s: float) -> AsyncGenerator[float, None]:
    """0 for a change, ``timeout_s`` when there was none for so long. A cancelled wait frees its thread at once."""
    stop = threading.Event()
    batches = _batches(folder, stop, timeout_s)
    try:
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            yield 0.0 if batch else timeout_s
    finally:
        stop.set()


def _batches(folder: Path, stop: threading.Event, timeout_s: float) -> Iterator[set[tuple[Change, str]]]:
    references = folder / "refs"

    def matters(_: Change, path: str) -> bool:
        place = Path(path)
        return place.suffix != ".lock" and (place.is_relative_to(references) or place.name in _NAMES)

    return watch(
        folder,
        watch_filter=matters,
        debounce=_DEBOUNCE_MS,
        step=_SETTLE_MS,
        stop_event=stop,
        rust_timeout=int(timeout_s * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    )


def _common_folder(origin: Path) -> Path:
    """Where the references are: of a linked worktree in its main repository. **Source:** gitrepository-layout(5)."""
    folder = Path(pygit2.Repository(str(origin)).path)
    pointer = folder / "commondir"
    return (folder / pointer.read_text().strip()).resolve() if pointer.is_file() else folder
