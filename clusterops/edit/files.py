"""Files of the working tree written, each whole or not at all, and all of them or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from clusterops.errors import TerminalError, TransientError


def write_files(root: Path, files: Mapping[str, bytes | None], before: Mapping[str, bytes | None]) -> None:
    """``files`` by path from ``root``, None for one that goes, in this order; ``before`` is what each was.

    A mode is kept, a folder is made where it is missing and goes with its last file, as git does it. What was written
    is put back where a later file fails. Raises TransientError ``file-changed`` where one is another by now than
    ``before``, TerminalError ``path-not-plain`` where a link stands in the way, ``file-not-writable`` where the disk
    refuses.
    """
    for path in files:
        _refuse_links(root, path, itself=files[path] is not None)
    done: list[str] = []
    try:
        for path, content in files.items():
            _change(root, path, before.get(path), content)
            done.append(path)
    except BaseException:
        for path in reversed(done):
            _change(root, path, files[path], before.get(path))
        raise


def _change(root: Path, path: str, before: bytes | None, after: bytes | None) -> None:
    place = root / path
    try:
        if _content(place) != before:
            raise TransientError("file-changed", "", "changed while it was being read", hint="run it again", path=path)
        if after is None:
            place.unlink(missing_ok=True)
            _drop_empty(root, place.parent)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            _replace(place, after)
    except OSError as error:
        raise TerminalError("file-not-writable", path, error.strerror or str(error), path=path) from error


def _content(place: Path) -> bytes | None:
    """A link stands for where it points to, as git has it."""
    if place.is_symlink():
        return os.fsencode(os.readlink(place))
    return place.read_bytes() if place.exists() else None


def _refuse_links(root: Path, path: str, *, itself: bool) -> None:
    above = [part for part in PurePosixPath(path).parents if part.parts]
    for part in (*reversed(above), *([PurePosixPath(path)] if itself else [])):
        if (root / part).is_symlink():
            raise TerminalError("path-not-plain", path, "is a link, so nothing is changed behind it", path=path)


def _drop_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _replace(place: Path, content: bytes) -> None:
    mode = place.stat().st_mode & 0o7777 if place.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, mode)
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
