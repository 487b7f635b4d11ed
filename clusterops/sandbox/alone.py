"""One process at a time brings a sandbox up or down."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

_POLL_S = 0.1


@contextlib.asynccontextmanager
async def alone(directory: Path) -> AsyncIterator[None]:
    """Hold the lock of this folder, which is the folder itself: made here, and it may be removed under the lock."""
    descriptor = await _locked(directory)
    try:
        yield
    finally:
        os.close(descriptor)


async def _locked(directory: Path) -> int:
    while True:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the folder, and another may have made it again.
            if _is_still(directory, descriptor):
                return descriptor
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        await asyncio.sleep(_POLL_S)


def _is_still(directory: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
