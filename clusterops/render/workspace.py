"""An empty folder that holds exactly the files of one closure, so that an undeclared read fails."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from clusterops.errors import TerminalError, TransientError

OWN: Final = ".clusterops"
"""Our own files, beside those of the repository."""
_LFS: Final = b"version https://git-lfs.github.com/spec/v1\n"
"""**Source:** git-lfs docs/spec.md, "The Pointer"."""
_SOPS: Final = re.compile(rb"^sops:\s*$|^\s*\"sops\":|ENC\[AES256_GCM,", re.MULTILINE)
"""**Source:** getsops/sops, the metadata key and the form of an encrypted value."""


@asynccontextmanager
async def workspace(
    files: Mapping[str, bytes], piped: Mapping[str, bytes] = MappingProxyType({})
) -> AsyncIterator[Path]:
    """A private folder with ``files`` by their path below it, gone afterwards. Raises TransientError.

    ``piped`` are read from pipes of these names, once each: their content is in memory only.
    """
    filling = asyncio.get_running_loop().run_in_executor(None, _fill, files)
    try:
        root = await asyncio.shield(filling)
    except asyncio.CancelledError:
        # The thread cannot be stopped: what it makes is removed once it is done.
        filling.add_done_callback(_discard)
        raise
    pipes: list[_Pipe] = []
    try:
        for path, content in piped.items():
            pipes.append(_Pipe(root / path, content))
        yield root
    finally:
        for pipe in pipes:
            await asyncio.to_thread(pipe.close)
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


class _Pipe:
    """Gives its content to the one that opens it first. A thread waits for that, as opening a pipe waits."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path, 0o600)
        self._thread = threading.Thread(target=self._serve, name="piped file", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """A reader of our own lets go of one that nobody opened."""
        reader = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        while self._thread.is_alive():
            with suppress(BlockingIOError):
                os.read(reader, 64 * 1024)
            self._thread.join(timeout=0.01)
        os.close(reader)

    def _serve(self) -> None:
        with suppress(BrokenPipeError), open(self._path, "wb") as file:
            file.write(self._content)


def _discard(filling: asyncio.Future[Path]) -> None:
    if not filling.cancelled() and filling.exception() is None:
        shutil.rmtree(filling.result(), ignore_errors=True)


def _fill(files: Mapping[str, bytes]) -> Path:
    root = ""
    try:
        root = tempfile.mkdtemp(prefix="clusterops-render-")
        for folder in sorted({os.path.dirname(path) for path in files}):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        for path, content in files.items():
            with open(os.path.join(root, path), "wb") as file:
                file.write(content)
    except OSError as error:
        shutil.rmtree(root, ignore_errors=True)
        raise TransientError("workspace-unwritable", "render", f"{error.filename}: {error.strerror}") from error
    return Path(root)


def refuse_unreadable(files: Mapping[str, bytes], *, subject: str) -> None:
    """Pointers to content elsewhere, and encrypted content, by the names of their files in the repository."""
    for path, content in files.items():
        if content.startswith(_LFS):
            hint = "`git lfs untrack` it and commit the file itself"
            raise TerminalError("lfs-refused", subject, "is a Git LFS pointer, not the file", hint=hint, path=path)
        mark = _SOPS.search(content)
        if mark is not None:
            raise TerminalError(
                "secret-not-decrypted",
                subject,
                "carries SOPS marks: applied as it is, ciphertext would replace the live secret",
                hint="only values.yaml and secrets.yaml of charts and templates are decrypted: put it there, or keep "
                "the Secret out of this target and refer to it by name",
                path=path,
                line=content.count(b"\n", 0, mark.start()) + 1,
            )
