"""The closure of a kustomization: every file that kustomize would read."""

from __future__ import annotations

import posixpath
from typing import Any, Final, TypeVar

from clusterops.errors import TerminalError
from clusterops.model.revision import EntryKind, Snapshot
from clusterops.render.graph.chart import Chart, ChartReader
from clusterops.render.graph.kustomization import (
    NAMES,
    Kustomization,
    Reference,
    Wanted,
    parse_kustomization,
    parse_plugin,
)

_KEPT: Final = 20_000
"""Parsed files in memory: a few hundred bytes each."""

T = TypeVar("T")


class Graph:
    """Remembers parsed files by path and blob id, so that the closure of an unchanged target costs look-ups."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, str], Any] = {}
        self._charts = ChartReader()
        self._snapshot: Snapshot | None = None
        self._closures: dict[tuple[str, str], frozenset[str]] = {}

    def kustomization(
        self, snapshot: Snapshot, directory: str, *, subject: str, kind: str = "Kustomization"
    ) -> frozenset[str]:
        """Paths of all files that building ``directory`` reads.

        Raises TerminalError ``file-missing``, ``path-escapes``, ``remote-base-refused``, ``plugin-refused``,
        ``symlink-refused``, ``submodule-refused``, ``kustomization-cycle``, ``kustomization-kind``, ``yaml-syntax``.
        """
        if snapshot is not self._snapshot:
            self._snapshot, self._closures = snapshot, {}
        return _Walk(self, snapshot, subject).directory(directory, kind, None, "")

    def chart(self, snapshot: Snapshot, path: str, *, subject: str) -> Chart:
        """Raises TerminalError ``chart-missing``, ``chart-invalid`` or ``not-supported-yet``, and what paths raise."""
        return self._charts.read(snapshot, path, subject=subject)

    def remembered(self, directory: str, kind: str) -> frozenset[str] | None:
        return self._closures.get((directory, kind))

    def remember(self, directory: str, kind: str, paths: frozenset[str]) -> frozenset[str]:
        return self._closures.setdefault((directory, kind), paths)

    def parsed(self, path: str, blob: str) -> Any:
        return self._parsed.get((path, blob))

    def keep(self, path: str, blob: str, value: T) -> T:
        if len(self._parsed) >= _KEPT:
            self._parsed.clear()
        self._parsed[(path, blob)] = value
        return value


class _Walk:
    """One descent; directories on the way down are open, to see a cycle."""

    def __init__(self, graph: Graph, snapshot: Snapshot, subject: str) -> None:
        self._graph = graph
        self._snapshot = snapshot
        self._subject = subject
        self._open: list[str] = []

    def directory(self, directory: str, kind: str, named_by: Reference | None, path: str) -> frozenset[str]:
        known = self._graph.remembered(directory, kind)
        if known is not None:
            return known
        if directory in self._open:
            raise self._error(
                "kustomization-cycle", f"{directory} includes itself", named_by, path, "remove one of them"
            )
        self._open.append(directory)
        own = find_kustomization(self._snapshot, directory)
        if own is None:
            raise self._no_kustomization(directory, named_by, path)
        parsed = self._parse(own)
        self._check_kind(parsed.kind, kind, own)
        found = {own}
        for reference in parsed.references:
            found |= self._named(reference, directory, own)
        self._open.pop()
        return self._graph.remember(directory, kind, frozenset(found))

    def _named(self, reference: Reference, directory: str, path: str) -> frozenset[str]:
        target = self._resolve(reference, directory, path)
        self._refuse_links(target, reference, path)
        if target in self._snapshot.files and reference.wanted is not Wanted.DIRECTORY:
            return self._file(target, reference, directory)
        if self._snapshot.under(target) and reference.wanted in {Wanted.DIRECTORY, Wanted.EITHER}:
            kind = "Component" if self._is_component(target) else "Kustomization"
            return self.directory(target, kind, reference, path)
        raise self._missing(target, reference, path)

    def _file(self, target: str, reference: Reference, directory: str) -> frozenset[str]:
        if reference.wanted is not Wanted.PLUGIN:
            return frozenset({target})
        inner = parse_plugin(self._snapshot.read(target), target, subject=self._subject)
        found = {target}
        for each in inner:
            found |= self._named(each, directory, target)
        return frozenset(found)

    def _parse(self, path: str) -> Kustomization:
        blob = self._snapshot.files[path].id
        known = self._graph.parsed(path, blob)
        if known is not None:
            return known  # type: ignore[no-any-return]
        text = self._snapshot.read(path)
        return self._graph.keep(path, blob, parse_kustomization(text, path, subject=self._subject))

    def _is_component(self, directory: str) -> bool:
        own = find_kustomization(self._snapshot, directory)
        return own is not None and self._parse(own).kind == "Component"

    def _resolve(self, reference: Reference, directory: str, path: str) -> str:
        joined = posixpath.normpath(posixpath.join(directory, reference.text))
        if joined.startswith(("/", "../")) or joined == "..":
            hint = "name files of this repository only, by relative paths"
            raise self._error("path-escapes", f"{reference.text} leaves the repository", reference, path, hint)
        return "" if joined == "." else joined

    def _refuse_links(self, target: str, reference: Reference, path: str) -> None:
        parts = target.split("/")
        for count in range(1, len(parts) + 1):
            entry = self._snapshot.files.get("/".join(parts[:count]))
            if entry is not None and entry.kind is not EntryKind.FILE:
                what = "symbolic link" if entry.kind is EntryKind.SYMLINK else "git submodule"
                hint = "put the files themselves here"
                code = f"{entry.kind.value}-refused"
                raise self._error(code, f"{'/'.join(parts[:count])} is a {what}", reference, path, hint)

    def _check_kind(self, found: str, wanted: str, path: str) -> None:
        if found == wanted or wanted != "Component":
            return
        raise TerminalError(
            "kustomization-kind",
            self._subject,
            f"is a {found}, but it is laid over what the region renders and so has to be a Component",
            hint="begin it with `apiVersion: kustomize.config.k8s.io/v1alpha1` and `kind: Component`",
            path=path,
        )

    def _missing(self, target: str, reference: Reference, path: str) -> TerminalError:
        message = (
            f"{reference.text} is not there: no {target or '.'} in this commit ({reference.wanted.value} is expected)"
        )
        return self._error("file-missing", message, reference, path, "commit the file, or correct the path")

    def _no_kustomization(self, directory: str, named_by: Reference | None, path: str) -> TerminalError:
        message = f"{directory} has no kustomization.yaml"
        return self._error(
            "file-missing", message, named_by, path or directory, "add one, or name the files themselves"
        )

    def _error(self, code: str, message: str, reference: Reference | None, path: str, hint: str) -> TerminalError:
        line, column = (reference.line, reference.column) if reference else (0, 0)
        return TerminalError(code, self._subject, message, hint=hint, path=path, line=line, column=column)


def find_kustomization(snapshot: Snapshot, directory: str) -> str | None:
    """The path of a directory's kustomization file; None when it has none."""
    candidates = (posixpath.join(directory, name) for name in NAMES)
    return next((path for path in candidates if path in snapshot.files), None)
