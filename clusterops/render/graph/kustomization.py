"""What one kustomization file names.

**Source:** sigs.k8s.io/kustomize/api v0.21.2, types/kustomization.go (fields), types/kvpairsources.go (generator
files), internal/git/repospec.go (what is taken for a git repository), internal/plugins/loader (what runs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.document import Document, Pointer, load_document, load_values

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""**Source:** kustomize api/konfig RecognizedKustomizationFileNames."""
_REMOTE: Final = re.compile(r"(?i)(git::|github\.com[/:]|[a-z][a-z0-9-]*@[^/]*[:/]|.*://|.*[?](ref|version|timeout)=)")
_FUNCTION_ANNOTATIONS: Final = ("config.kubernetes.io/function", "config.k8s.io/function")
_HELM_FIELDS: Final = ("helmCharts", "helmGlobals", "helmChartInflationGenerator")
_PLUGIN_FIELDS: Final = ("generators", "transformers", "validators")


class Wanted(Enum):
    """What a reference may be."""

    FILE = "a file"
    DIRECTORY = "a directory with a kustomization"
    EITHER = "a file or a directory with a kustomization"
    PLUGIN = "a file with the configuration of a builtin transformer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """``text`` as it is written, relative to the kustomization's directory."""

    text: str
    wanted: Wanted
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomization:
    """``kind`` is ``Kustomization`` or ``Component``."""

    kind: str
    references: tuple[Reference, ...]


def parse_kustomization(text: bytes, path: str, *, subject: str) -> Kustomization:
    """Raises TerminalError ``yaml-syntax``, ``plugin-refused``, ``remote-base-refused``; kustomize judges the rest."""
    document = load_document(text, path)
    value = document.value if isinstance(document.value, Mapping) else {}
    for name in _HELM_FIELDS:
        if value.get(name):
            raise _refused_helm(document, name, subject)
    references = tuple(_references(document, value, subject))
    for reference in references:
        refuse_remote(reference, path, subject=subject)
    return Kustomization(kind=str(value.get("kind") or "Kustomization"), references=references)


def parse_plugin(text: bytes, path: str, *, subject: str, line: int = 0) -> tuple[Reference, ...]:
    """The files that the builtin plugins of a configuration read. Raises ``plugin-refused`` for any other plugin."""
    found: list[Reference] = []
    for body in load_values(text, path):
        if not isinstance(body, Mapping):
            continue
        _refuse_plugin(body, path, subject=subject, line=line)
        texts = [body.get("path"), body.get("env"), *_listed(body.get("paths")), *_listed(body.get("envs"))]
        texts += [_after_key(text) for text in _listed(body.get("files"))]
        texts += [each.get("path") for each in _listed(body.get("replacements")) if isinstance(each, Mapping)]
        found += [Reference(text=one, wanted=Wanted.FILE, line=line) for one in texts if _is_path(one)]
    for reference in found:
        refuse_remote(reference, path, subject=subject)
    return tuple(found)


def refuse_remote(reference: Reference, path: str, *, subject: str) -> None:
    if not _REMOTE.match(reference.text):
        return
    raise TerminalError(
        "remote-base-refused",
        subject,
        f"{reference.text} is outside this repository; a render reads nothing but the commit",
        hint="copy it into this repository (`kustomize localize` does it) and name the copy",
        path=path,
        line=reference.line,
        column=reference.column,
    )


def _references(document: Document, value: Mapping[str, Any], subject: str) -> Iterator[Reference]:
    plain = {"crds": Wanted.FILE, "configurations": Wanted.FILE, "resources": Wanted.EITHER}
    plain |= {"bases": Wanted.DIRECTORY, "components": Wanted.DIRECTORY}
    for name, wanted in plain.items():
        yield from _strings(document, (name,), _listed(value.get(name)), wanted)
    yield from _patches(document, value)
    yield from _generated(document, value)
    yield from _plugins(document, value, subject)
    yield from _strings(document, ("openapi",), [(value.get("openapi") or {}).get("path")], Wanted.FILE)


def _patches(document: Document, value: Mapping[str, Any]) -> Iterator[Reference]:
    for name in ("patches", "patchesJson6902", "replacements"):
        for index, each in enumerate(_listed(value.get(name))):
            if isinstance(each, Mapping):
                yield from _at(document, (name, index, "path"), each.get("path"), Wanted.FILE)
    for index, each in enumerate(_listed(value.get("patchesStrategicMerge"))):
        if isinstance(each, str) and not _is_inline(each):
            yield from _at(document, ("patchesStrategicMerge", index), each, Wanted.FILE)


def _generated(document: Document, value: Mapping[str, Any]) -> Iterator[Reference]:
    for name in ("configMapGenerator", "secretGenerator"):
        for index, each in enumerate(_listed(value.get(name))):
            if not isinstance(each, Mapping):
                continue
            for number, text in enumerate(_listed(each.get("files"))):
                yield from _at(document, (name, index, "files", number), _after_key(text), Wanted.FILE)
            yield from _strings(document, (name, index, "envs"), _listed(each.get("envs")), Wanted.FILE)
            yield from _at(document, (name, index, "env"), each.get("env"), Wanted.FILE)


def _plugins(document: Document, value: Mapping[str, Any], subject: str) -> Iterator[Reference]:
    for name in _PLUGIN_FIELDS:
        for index, each in enumerate(_listed(value.get(name))):
            if not isinstance(each, str):
                continue
            if _is_inline(each):
                line = document.mark((name, index)).line
                yield from parse_plugin(each.encode(), document.path, subject=subject, line=line)
            else:
                yield from _at(document, (name, index), each, Wanted.PLUGIN)


def _strings(document: Document, pointer: Pointer, texts: Sequence[Any], wanted: Wanted) -> Iterator[Reference]:
    for index, text in enumerate(texts):
        yield from _at(document, (*pointer, index), text, wanted)


def _at(document: Document, pointer: Pointer, text: Any, wanted: Wanted) -> Iterator[Reference]:
    if _is_path(text):
        mark = document.mark(pointer)
        yield Reference(text=text, wanted=wanted, line=mark.line, column=mark.column)


def _refuse_plugin(body: Mapping[str, Any], path: str, *, subject: str, line: int) -> None:
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    what = f"{body.get('kind')} of {body.get('apiVersion')}"
    builtin = body.get("apiVersion") == "builtin" and body.get("kind") != "HelmChartInflationGenerator"
    if builtin and not any(name in annotations for name in _FUNCTION_ANNOTATIONS):
        return
    raise TerminalError(
        "plugin-refused",
        subject,
        f"{what} would run a program; only builtin generators and transformers are allowed",
        hint="commit what the plugin prints, or use a builtin transformer (`apiVersion: builtin`)",
        path=path,
        line=line,
    )


def _refused_helm(document: Document, name: str, subject: str) -> TerminalError:
    mark = document.key_mark((name,))
    return TerminalError(
        "plugin-refused",
        subject,
        f"`{name}` would make kustomize run helm and fetch a chart",
        hint="let ClusterOps run the chart: values.yaml beside it, and `clusterops: {chart: {path: charts/NAME}}`",
        path=document.path,
        line=mark.line,
        column=mark.column,
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _is_path(text: Any) -> bool:
    return isinstance(text, str) and bool(text)


def _is_inline(text: str) -> bool:
    return "\n" in text.strip() or text.lstrip().startswith("{") or ": " in text


def _after_key(text: Any) -> Any:
    """``key=path`` or ``path``."""
    return text.partition("=")[2] or text if isinstance(text, str) else None
