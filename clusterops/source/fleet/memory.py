"""What was parsed before, by content: of the last reading only, so that it cannot grow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypeVar

from clusterops.errors import TerminalError
from clusterops.model.problem import Problem
from clusterops.model.revision import EntryKind, FileEntry, Snapshot
from clusterops.source.fleet.content import Content, Layer, read_block, read_content, read_layer
from clusterops.source.fleet.recipe import SECRETS, VALUES

T = TypeVar("T")
_AT_ONCE: Final = 500
"""Blobs read in one go: bounds what is in memory, and how long other readers of the mirror wait."""


class Memory:
    """Two generations: what this reading uses survives it, the rest goes."""

    def __init__(self) -> None:
        self._before: dict[Hashable, Any] = {}
        self._now: dict[Hashable, Any] = {}

    def begin(self) -> None:
        self._before, self._now = {**self._before, **self._now}, {}

    def end(self) -> None:
        self._before = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key in self._now:
            known: T = self._now[key]
            return known
        found: T = self._before[key] if key in self._before else make()
        self._now[key] = found
        return found

    def knows(self, key: Hashable) -> bool:
        """Whether it is there; it is then kept."""
        if key in self._before:
            self._now[key] = self._before[key]
        return key in self._now


class Reading:
    """One snapshot through the memory. Raises what Snapshot.read raises for a store that cannot be read."""

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        self._snapshot = snapshot
        self.memory = memory

    @property
    def files(self) -> Mapping[str, FileEntry]:
        return self._snapshot.files

    def under(self, directory: str) -> dict[str, FileEntry]:
        return {path: self.files[path] for path in self._snapshot.under(directory)}

    def prefetch(self, files: Iterable[tuple[str, FileEntry]]) -> None:
        """Reads and judges all that is not known yet, in few calls to the store."""
        unknown = iter([(path, entry.id) for path, entry in files if self._is_unknown(path, entry)])
        while batch := list(islice(unknown, _AT_ONCE)):
            for (path, id_), text in zip(batch, self._texts(batch), strict=True):
                self._judge(path, id_, text)

    def content(self, path: str) -> Content | None:
        """None for what is no file."""
        entry = self.files[path]
        if entry.kind is not EntryKind.FILE:
            return None
        self.prefetch([(path, entry)])
        return self.memory.get(("content", entry.id), Content)

    def layer(self, path: str) -> Layer | None:
        """A values file; None when there is none."""
        entry = self.files.get(path)
        if entry is None or entry.kind is not EntryKind.FILE:
            return None
        self.prefetch([(path, entry)])
        return self.memory.get(("layer", path, entry.id), lambda: Layer(path=path))

    def layers(self, directory: str) -> tuple[Layer, ...]:
        """values.yaml, and above it secrets.yaml where SOPS encrypted one of values."""
        secrets = f"{directory}/{SECRETS}"
        content = self.content(secrets) if secrets in self.files else None
        sealed = content is not None and content.sealed and not content.manifest
        found = (self.layer(f"{directory}/{VALUES}"), self.layer(secrets) if sealed else None)
        return tuple(layer for layer in found if layer is not None)

    def text(self, path: str) -> bytes | None:
        """Raises TerminalError ``file-too-large``."""
        entry = self.files.get(path)
        return None if entry is None or entry.kind is not EntryKind.FILE else self._snapshot.read(path)

    def _is_unknown(self, path: str, entry: FileEntry) -> bool:
        if entry.kind is not EntryKind.FILE:
            return False
        known = self.memory.knows(("content", entry.id))
        return not (known and (not _is_layer(path) or self.memory.knows(("layer", path, entry.id))))

    def _texts(self, batch: list[tuple[str, str]]) -> list[bytes | Problem]:
        try:
            return [*self._snapshot.reader.read(batch)]
        except TerminalError:
            return [self._text(pair) for pair in batch]

    def _text(self, pair: tuple[str, str]) -> bytes | Problem:
        try:
            return self._snapshot.reader.read([pair])[0]
        except TerminalError as error:
            return Problem.of(error)

    def _judge(self, path: str, id_: str, text: bytes | Problem) -> None:
        if isinstance(text, Problem):
            self.memory.get(("content", id_), lambda: Content(unreadable=text))
            return
        content = self.memory.get(("content", id_), lambda: read_content(text))
        if _is_layer(path):
            usable = not (content.lfs or (content.sops_line and not content.sealed))
            self.memory.get(
                ("layer", path, id_),
                lambda: self._make_layer(path, text, sealed=content.sealed) if usable else Layer(path=path),
            )

    def _make_layer(self, path: str, text: bytes, *, sealed: bool) -> Layer:
        read = read_layer(path, text, blocks=lambda block: self.memory.get(("block", block), lambda: read_block(block)))
        return replace(read, sealed=sealed)


def _is_layer(path: str) -> bool:
    return path.endswith((f"/{VALUES}", f"/{SECRETS}"))
