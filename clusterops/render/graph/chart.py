"""A chart of the fleet repository: its files, its dependencies, and what decides how it is rendered.

**Source:** helm.sh/helm/v4 pkg/chart/v2/metadata.go and dependency.go, pkg/action/dependency.go (when a dependency
counts as missing).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.canonical import digest_of
from clusterops.model.document import Document, load_document
from clusterops.model.revision import EntryKind, Snapshot

MARK: Final = "clusterops.io/values"
"""Annotation of a chart that follows our values contract; its value is the contract's version."""
_FILE_SCHEME: Final = "file://"
_DEEPEST: Final = 8
"""Dependencies of dependencies: no chart nests deeper, and a cycle ends here."""
_CAPABILITIES: Final = re.compile(rb"\.Capabilities\b|\$\.Capabilities")
_LOOKUP: Final = re.compile(rb"\{\{[^}]*\blookup\s+[\"(.$]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``placed`` maps where a file stands while helm runs to its path in the repository; equal for all but
    dependencies by ``file://``, which stand under ``charts/`` then."""

    path: str
    name: str
    version: str
    marked: bool
    placed: Mapping[str, str] = field(repr=False)
    capabilities: bool
    """Whether kube version and API versions can change what it renders."""
    lookups: tuple[str, ...] = ()
    """Files that ask the cluster with ``lookup``."""
    digest: str = ""

    @property
    def files(self) -> frozenset[str]:
        return frozenset(self.placed.values())

    @property
    def values_path(self) -> str:
        """ "" when it has none."""
        return self._own("values.yaml")

    @property
    def schema_path(self) -> str:
        return self._own("values.schema.json")

    def _own(self, name: str) -> str:
        path = posixpath.join(self.path, name)
        return path if path in self.placed else ""


@dataclass(frozen=True, slots=True)
class _Content:
    capabilities: bool
    lookup: bool


class ChartReader:
    """Reads each chart once per snapshot, and each file once for good."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._charts: dict[str, Chart] = {}
        self._contents: dict[str, _Content] = {}

    def read(self, snapshot: Snapshot, path: str, *, subject: str) -> Chart:
        if snapshot is not self._snapshot:
            self._snapshot, self._charts = snapshot, {}
        if path not in self._charts:
            self._charts[path] = self._read(snapshot, path, subject)
        return self._charts[path]

    def _read(self, snapshot: Snapshot, path: str, subject: str) -> Chart:
        metadata = read_metadata(snapshot, path, subject=subject)
        placed = _placed_files(snapshot, path, path, subject, depth=0)
        contents = {at: self._content(snapshot, source) for at, source in placed.items()}
        annotations = metadata.value.get("annotations") or {}
        return Chart(
            path=path,
            name=str(metadata.value["name"]),
            version=str(metadata.value.get("version") or ""),
            marked=str(annotations.get(MARK) or "") == "v1",
            placed=placed,
            capabilities=bool(metadata.value.get("kubeVersion"))
            or any(each.capabilities for each in contents.values()),
            lookups=tuple(sorted({placed[at] for at, each in contents.items() if each.lookup})),
            digest=digest_of(sorted((at, snapshot.files[source].id) for at, source in placed.items())),
        )

    def _content(self, snapshot: Snapshot, path: str) -> _Content:
        blob = snapshot.files[path].id
        if blob not in self._contents:
            text = snapshot.read(path)
            # What is packed cannot be searched, so it is taken to ask.
            capabilities = path.endswith(".tgz") or bool(_CAPABILITIES.search(text))
            self._contents[blob] = _Content(capabilities, _is_template(path) and bool(_LOOKUP.search(text)))
        return self._contents[blob]


def read_metadata(snapshot: Snapshot, path: str, *, subject: str) -> Document:
    """Chart.yaml. Raises TerminalError ``chart-missing`` or ``chart-invalid``."""
    chart_file = posixpath.join(path, "Chart.yaml")
    if chart_file not in snapshot.files:
        hint = "correct `chart.path`, or commit the chart (`clusterops init` writes one per cloud)"
        raise TerminalError("chart-missing", subject, f"no chart at {path}: no Chart.yaml", hint=hint, path=chart_file)
    document = load_document(snapshot.read(chart_file), chart_file)
    if not isinstance(document.value, Mapping) or not document.value.get("name"):
        raise TerminalError("chart-invalid", subject, "has no `name`", hint="add `name:`", path=chart_file)
    return document


def _placed_files(snapshot: Snapshot, path: str, at: str, subject: str, *, depth: int) -> dict[str, str]:
    """Every file of a chart at the path that it has while helm runs, its ``file://`` dependencies among them."""
    placed: dict[str, str] = {}
    for source in snapshot.under(path):
        if snapshot.files[source].kind is not EntryKind.FILE:
            raise _linked(source, snapshot.files[source].kind, subject)
        placed[at + source[len(path) :]] = source
    for dependency, document, index in _dependencies(snapshot, path, subject):
        name = str(dependency.get("name") or "")
        if _is_vendored(placed, at, name):
            continue
        source = _dependency_path(dependency, document, index, path, subject)
        if depth >= _DEEPEST:
            raise _at(
                document, index, "chart-invalid", subject, "its dependencies go in a circle", "remove one of them"
            )
        read_metadata(snapshot, source, subject=subject)
        placed |= _placed_files(snapshot, source, posixpath.join(at, "charts", name), subject, depth=depth + 1)
    return placed


def _dependencies(snapshot: Snapshot, path: str, subject: str) -> Sequence[tuple[Mapping[str, Any], Document, int]]:
    document = read_metadata(snapshot, path, subject=subject)
    old = posixpath.join(path, "requirements.yaml")
    if "dependencies" not in document.value and old in snapshot.files:
        document = load_document(snapshot.read(old), old)
    found = (document.value or {}).get("dependencies")
    listed = found if isinstance(found, list) else []
    return [(each, document, index) for index, each in enumerate(listed) if isinstance(each, Mapping)]


def _is_vendored(placed: Mapping[str, str], at: str, name: str) -> bool:
    folder = f"{at}/charts/"
    return f"{folder}{name}/Chart.yaml" in placed or any(
        re.fullmatch(rf"{re.escape(folder + name)}-[0-9].*\.tgz", path) for path in placed
    )


def _dependency_path(dependency: Mapping[str, Any], document: Document, index: int, path: str, subject: str) -> str:
    repository = str(dependency.get("repository") or "")
    name = dependency.get("name")
    if not repository.startswith(_FILE_SCHEME):
        hint = f"run `helm dependency update {path}` and commit the {path}/charts folder that it fills"
        message = f"dependency {name} is not in {path}/charts, and charts are not fetched from registries yet"
        raise _at(document, index, "not-supported-yet", subject, message, hint)
    source = posixpath.normpath(posixpath.join(path, repository.removeprefix(_FILE_SCHEME)))
    if source.startswith(("/", "..")):
        hint = "name a chart of this repository by a relative path"
        raise _at(document, index, "path-escapes", subject, f"dependency {name} leaves the repository", hint)
    return source


def _at(  # noqa: PLR0917
    document: Document, index: int, code: str, subject: str, message: str, hint: str
) -> TerminalError:
    mark = document.mark(("dependencies", index))
    return TerminalError(code, subject, message, hint=hint, path=document.path, line=mark.line, column=mark.column)


def _linked(path: str, kind: EntryKind, subject: str) -> TerminalError:
    what = "symbolic link" if kind is EntryKind.SYMLINK else "git submodule"
    hint = "put the files themselves here"
    return TerminalError(f"{kind.value}-refused", subject, f"is a {what}", hint=hint, path=path)


def _is_template(path: str) -> bool:
    return "/templates/" in path
