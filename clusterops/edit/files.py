"""One file of the working tree replaced, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath

from clusterops.errors import TerminalError, TransientError


def replace_file(root: Path, path: str, before: bytes, after: bytes) -> None:
    """Keeps the file's mode. ``path`` is from the root of the repository.

    Raises TransientError ``file-changed`` where it is another one by now than ``before``, TerminalError
    ``path-not-plain`` where a link stands in the way, ``file-not-writable`` where the disk refuses.
    """
    place = root / path
    for part in (*reversed(PurePosixPath(path).parents), PurePosixPath(path)):
        if (root / part).is_symlink():
            raise TerminalError("path-not-plain", path, "is a link, so nothing is changed behind it", path=path)
    try:
        if place.read_bytes() != before:
            raise TransientError("file-changed", "", "changed while it was being read", hint="run it again", path=path)
        _replace(place, after)
    except OSError as error:
        raise TerminalError("file-not-writable", path, error.strerror or str(error), path=path) from error


def _replace(place: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, place.stat().st_mode & 0o7777)
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise
