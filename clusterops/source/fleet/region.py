"""region.yaml, and what every target of a region inherits: its cloud, its values layers, its problems."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from clusterops.errors import TerminalError
from clusterops.model.document import Document, load_document
from clusterops.model.fleet import Region
from clusterops.model.problem import Problem, Retry
from clusterops.source.fleet.content import Layer
from clusterops.source.fleet.layout import KUSTOMIZATIONS, SHARED, Files
from clusterops.source.fleet.schema import Finding, pointer_text, without
from clusterops.source.fleet.tables import DNS_LABEL, REGION_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """``layers`` are the cloud's and the region's values, lowest first. Equal ``key``: equal ground."""

    region: Region
    layers: tuple[Layer, ...] = ()
    problems: tuple[Problem, ...] = ()
    key: tuple[Any, ...] = field(default=(), compare=False)


def region_path(name: str) -> str:
    return f"regions/{name}/region.yaml"


def parse_region(name: str, text: bytes | None, files: Files) -> tuple[Region, Document | None, tuple[Problem, ...]]:
    """``text`` is region.yaml's, None when there is no such file. Never raises."""
    component = f"regions/{name}" if any(f"regions/{name}/{file}" in files for file in KUSTOMIZATIONS) else ""
    nothing = Region(name=name, cloud="", namespace=name, component=component)
    if text is None:
        return nothing, None, (_missing(name), *name_problems(name, region_path(name), what="region"))
    try:
        document = load_document(text, region_path(name))
    except TerminalError as error:
        return nothing, None, (Problem.of(error),)
    findings = list(REGION_FILE.check(document.value, ()))
    right = without(document.value, (finding.pointer for finding in findings))
    problems = tuple(finding.problem(document) for finding in findings)
    region = _build(name, right if isinstance(right, Mapping) else {}, component)
    return region, document, (*problems, *name_problems(name, region_path(name), what="region"))


def _build(name: str, value: Mapping[str, Any], component: str) -> Region:
    return Region(
        name=name,
        cloud=value.get("cloud") or "",
        namespace=value.get("namespace") or name,
        management=value.get("management") or "default",
        component=component,
        facts=value,
    )


def cloud_problem(region: Region, document: Document, clouds: Mapping[str, object]) -> Problem | None:
    if not region.cloud or region.cloud in clouds:
        return None
    close = get_close_matches(region.cloud, clouds, n=1)
    known = f"did you mean `{close[0]}`?" if close else f"known there: {', '.join(sorted(clouds)) or 'none'}"
    message = f'"{region.cloud}" is not among the `clouds` of fleet.yaml'
    return Finding(code="cloud-unknown", pointer=("cloud",), message=message, hint=known).problem(document)


def unclaimed(region: Region, text: bytes | None, claimed: Collection[str]) -> Problem | None:
    """For a region that no daemon will ever plan or apply. ``text`` is region.yaml's."""
    if region.management in claimed or text is None:
        return None
    try:
        place = load_document(text, region_path(region.name)).key_mark(("management",))
    except TerminalError:
        return None
    return Problem(
        code="region-unclaimed",
        subject=f"region {region.name}",
        message=f"belongs to management cluster {region.management}, which fleet.yaml does not name",
        hint=f"correct it, or add it to fleet.yaml: `management: [{', '.join((*claimed, region.management))}]`",
        path=region_path(region.name),
        line=place.line,
        retry=Retry.HUMAN,
    )


def name_problems(name: str, path: str, *, what: str) -> tuple[Problem, ...]:
    """A directory's name becomes the name of objects, so it has to be one."""
    bad = list(DNS_LABEL.check(name, ("name",)))
    if not bad and not (what == "region" and name == SHARED):
        return ()
    message = f'"{name}" is reserved: `shared/NAME` names other targets' if not bad else bad[0].message
    hint = "rename the directory: small letters, digits and `-`, at most 63"
    return (
        Problem(code="name-invalid", subject=f"{what} {pointer_text((name,))}", message=message, hint=hint, path=path),
    )


def _missing(name: str) -> Problem:
    return Problem(
        code="region-file-missing",
        subject=f"region {name}",
        message="has no region.yaml",
        hint=f"write regions/{name}/region.yaml with at least `cloud: NAME`, or correct the directory's name",
        path=region_path(name),
    )
