"""Where one cluster's own words are: its values file, or its files of plain objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.edit.draft import Draft
from clusterops.errors import TerminalError
from clusterops.model.document import Pointer, load_documents
from clusterops.model.key import ObjectKey

VARIABLES: Final = "variables"
_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::?[=-](?P<default>[^}]*))?\}\Z")
"""A value that is a clusterctl variable and nothing else. **Source:** drone/envsubst, which clusterctl uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``values`` is the path of its own values file, there or to be made; ``merged`` are the values of all layers.

    ``manifests`` are its own files of objects; empty where a chart renders it. ``where`` is a file to name to people.
    """

    target: str
    cluster: str
    values: str
    merged: Mapping[str, Any] = field(default_factory=dict)
    manifests: Sequence[str] = ()
    templated: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A field of an object in a file. ``document`` counts those of the file that are not empty."""

    path: str
    document: int
    name: str
    """``MachineDeployment/web``"""
    pointer: Pointer
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One object of a file."""

    path: str
    document: int
    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind") or "")

    @property
    def name(self) -> str:
        metadata = self.body.get("metadata")
        return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""

    @property
    def key(self) -> ObjectKey:
        group = str(self.body.get("apiVersion") or "").rpartition("/")[0]
        return ObjectKey(group=group, kind=self.kind, namespace=None, name=self.name)

    def at(self, pointer: Pointer, value: Any) -> Found:
        return Found(
            path=self.path, document=self.document, name=f"{self.kind}/{self.name}", pointer=pointer, value=value
        )


def bodies(draft: Draft, sources: Sources) -> Iterator[Body]:
    """Every object of its own files. Raises TerminalError ``edit-not-possible`` where one is not YAML as it stands."""
    for path in sources.manifests:
        for place, body in enumerate(_documents(draft, path)):
            if isinstance(body, Mapping) and body.get("kind"):
                yield Body(path=path, document=place, body=body)


def _documents(draft: Draft, path: str) -> list[Any]:
    try:
        return [document.value for document in load_documents(draft.text(path), path)]
    except TerminalError as error:
        hint = "put its variables in quotes, or edit the file by hand"
        message = "is no YAML before it is filled in"
        raise TerminalError("edit-not-possible", "", message, hint=hint, path=path) from error


def said(sources: Sources, found: Found) -> Any:
    """The field's value, that of its variable where it is one."""
    variable = _variable(sources, found)
    if variable is None:
        return found.value
    known = sources.merged.get(VARIABLES)
    given = known.get(variable["name"]) if isinstance(known, Mapping) else None
    return variable["default"] if given is None else given


def write(draft: Draft, sources: Sources, found: Found, value: Any) -> None:
    """Where it stands, or in ``variables`` of the cluster's own values where the field is one of these."""
    variable = _variable(sources, found)
    if variable is not None:
        draft.set(sources.values, (VARIABLES, variable["name"]), value, target=sources.target)
        return
    setting = f"{found.name}:/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in found.pointer)
    draft.set(found.path, found.pointer, value, target=sources.target, setting=setting, document=found.document)


def not_said(sources: Sources, what: str) -> TerminalError:
    return TerminalError(
        "edit-not-possible",
        sources.target,
        f"no file of its own says its {what}: it comes from elsewhere, or is written in another way",
        hint=f"edit it by hand, for a base under a kustomization with a patch beside {sources.where}",
        path=sources.where,
    )


def _variable(sources: Sources, found: Found) -> re.Match[str] | None:
    return _VARIABLE.match(found.value) if sources.templated and isinstance(found.value, str) else None
