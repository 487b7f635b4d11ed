"""An empty folder that holds exactly the files of one closure, so that an undeclared read fails."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from clusterops.errors import TerminalError, TransientError

OWN: Final = ".clusterops"
"""Our own files, beside those of the repository."""
_LFS: Final = b"version https://git-lfs.github.com/spec/v1\n"
"""**Source:** git-lfs docs/spec.md, "The Pointer"."""
_SOPS: Final = re.compile(rb"^sops:\s*$|^\s*\"sops\":|ENC\[AES256_GCM,", re.MULTILINE)
"""**Source:** getsops/sops, the metadata key and the form of an encrypted value."""


@asynccontextmanager
async def workspace(files: Mapping[str, bytes]) -> AsyncIterator[Path]:
    """A private folder with ``files`` by their path below it, gone afterwards. Raises TransientError."""
    filling = asyncio.get_running_loop().run_in_executor(None, _fill, files)
    try:
        root = await asyncio.shield(filling)
    except asyncio.CancelledError:
        # The thread cannot be stopped: what it makes is removed once it is done.
        filling.add_done_callback(_discard)
        raise
    try:
        yield root
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


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
                hint="this release does not decrypt: keep the Secret out of this target, and refer to it by name",
                path=path,
                line=content.count(b"\n", 0, mark.start()) + 1,
            )
