"""Both keys of a deletion, written into the working tree."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from clusterops.errors import TerminalError
from clusterops.model.deletion import DeletionKey

FOLDER: Final = "deletions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """Paths from the root of the repository."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def key_path(target: str, known: Iterable[DeletionKey]) -> str:
    """``deletions/search.yaml``; with the region where that name is another target's. A key that is there is reused."""
    by_path = {key.path: key.target for key in known}
    own = sorted(path for path, named in by_path.items() if named == target)
    short = f"{FOLDER}/{target.rpartition('/')[2]}.yaml"
    if own:
        return own[0]
    return short if short not in by_path else f"{FOLDER}/{target.replace('/', '-')}.yaml"


def key_text(key: DeletionKey) -> str:
    """The file as people read it in review."""
    quoted = (
        yaml.safe_dump(key.reason, default_style=None, width=1000, allow_unicode=True).removesuffix("...\n").strip()
    )
    return f"target: {key.target}\nuid: {key.uid}\nreason: {quoted}\nexpires: {key.expires.isoformat()}\n"


def write_deletion(root: Path, key: DeletionKey, *, directory: str = "") -> Edited:
    """Writes the key at ``key.path`` and removes ``directory`` (the first key), "" for none.

    The key comes first: without the second step nothing is deleted. Raises TerminalError ``path-not-plain`` where a
    link stands in the way, ``file-not-writable`` where the disk refuses.
    """
    removed = _files(root, directory) if directory else ()
    try:
        _plain(root, FOLDER)
        _plain(root, key.path)
        (root / FOLDER).mkdir(exist_ok=True)
        (root / key.path).write_text(key_text(key), encoding="utf-8")
        if directory:
            shutil.rmtree(root / directory)
            _drop_empty(root / directory)
    except OSError as error:
        raise TerminalError("file-not-writable", str(error.filename or root), error.strerror or str(error)) from error
    return Edited(written=(key.path,), removed=removed)


def _files(root: Path, directory: str) -> tuple[str, ...]:
    for part in (Path(*Path(directory).parts[: depth + 1]) for depth in range(len(Path(directory).parts))):
        _plain(root, str(part))
    found = sorted(path for path in (root / directory).rglob("*") if not path.is_dir() or path.is_symlink())
    return tuple(str(path.relative_to(root)) for path in found)


def _plain(root: Path, path: str) -> None:
    if (root / path).is_symlink():
        raise TerminalError("path-not-plain", path, "is a link, so nothing is changed behind it", path=path)


def _drop_empty(directory: Path) -> None:
    """As git does: the region's folder goes with its last cluster."""
    parent = directory.parent
    if parent.name and not any(parent.iterdir()):
        os.rmdir(parent)
