"""fleet.yaml as a value, as far as it can be read; everything that is wrong in it, with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.document import Document, load_document
from clusterops.model.fleet import (
    ChartRef,
    DriftPolicy,
    FleetFile,
    ForgeFile,
    ForgeKind,
    Mode,
    Pace,
    RenderOptions,
    RolloutPolicy,
)
from clusterops.model.ignore import IgnoreRule
from clusterops.model.policy import DEFAULT_BUDGETS, Budget, Exemption, Limit, Policy
from clusterops.model.problem import Problem
from clusterops.model.windows import Window, parse_spans
from clusterops.source.fleet.layout import FLEET_FILE as PATH
from clusterops.source.fleet.schema import Finding, duration_s, without
from clusterops.source.fleet.tables import API_VERSION, FLEET_FILE, FLEET_FILE_KIND

_GROUP: Final = "clusterops.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFleetFile:
    """``document`` is None when nothing of it could be read; without ``clouds_known`` nothing follows from a cloud."""

    file: FleetFile
    document: Document | None = None
    problems: tuple[Problem, ...] = ()
    clouds_known: bool = False


def parse_fleet_file(text: bytes) -> ParsedFleetFile:
    """Never raises: what is wrong is in ``problems``."""
    try:
        document = load_document(text, PATH)
    except TerminalError as error:
        return ParsedFleetFile(file=FleetFile(name=""), problems=(Problem.of(error),))
    if _is_foreign(document.value):
        return ParsedFleetFile(file=FleetFile(name=""), problems=(_foreign(document),))
    findings = list(FLEET_FILE.check(document.value, ()))
    right = without(document.value, (finding.pointer for finding in findings))
    file = _build(right, entries=_entries(document, findings), rollout_at=_rollout_place(document))
    return ParsedFleetFile(
        file=replace(file, policy=_placed(file.policy, document)),
        document=document,
        problems=tuple(finding.problem(document) for finding in findings),
        clouds_known=all(finding.pointer[:1] != ("clouds",) for finding in findings),
    )


def missing_fleet_file() -> Problem:
    return Problem(
        code="fleet-file-missing",
        subject="fleet",
        message=f"no {PATH} at the root of the repository",
        hint="`clusterops init DIR` writes a repository to start from",
        path=PATH,
    )


def _is_foreign(value: Any) -> bool:
    return not (isinstance(value, Mapping) and str(value.get("apiVersion", "")).startswith(_GROUP))


def _foreign(document: Document) -> Problem:
    mark = document.mark(("apiVersion",))
    return Problem(
        code="fleet-file-foreign",
        subject="fleet",
        message=f"is no file of ClusterOps, as its apiVersion is not {API_VERSION} (Rancher Fleet uses the same name)",
        hint=f"a file of ours begins with `apiVersion: {API_VERSION}` and `kind: {FLEET_FILE_KIND}`",
        path=PATH,
        line=mark.line,
        column=mark.column,
    )


Entries = Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]


def _entries(document: Document, findings: Sequence[Finding]) -> Entries:
    """Those of each list with their place, ``fleet.yaml:25``; one with a fault is left out, as half of it is another.

    A rule that lost its pointers would ignore everything.
    """
    faulty = {finding.pointer[:length] for finding in findings for length in range(1, 3)}
    lists = {name: document.value.get(name) for name in ("ignore", "windows")}
    return {
        name: [
            (_place(document, name, index, count=len(found)), entry)
            for index, entry in enumerate(found)
            if (name, index) not in faulty
        ]
        for name, found in lists.items()
        if isinstance(found, list)
    }


def _place(document: Document, name: str, index: int, *, count: int) -> str:
    """``fleet.yaml:25``; with the column where several entries stand in that line."""
    mark = document.mark((name, index))
    beside = (document.mark((name, other)).line for other in range(count) if other != index)
    return f"{PATH}:{mark.line}:{mark.column}" if mark.line in beside else f"{PATH}:{mark.line}"


def _rollout_place(document: Document) -> str:
    written = isinstance(document.value, Mapping) and document.value.get("rollout")
    return f"{PATH}:{document.key_mark(('rollout',)).line}" if written else ""


def _build(value: Mapping[str, Any], *, entries: Entries, rollout_at: str) -> FleetFile:
    drift = value.get("drift") or {}
    clouds = {name: chart_of((cloud or {}).get("chart")) for name, cloud in (value.get("clouds") or {}).items()}
    return FleetFile(
        name=value.get("name") or "",
        mode=Mode(value.get("mode") or Mode.OBSERVE),
        clouds=clouds,
        policy=_policy(value.get("policy") or {}),
        rollout=_rollout(value.get("rollout") or {}, rollout_at),
        render=_render(value.get("render") or {}),
        drift=DriftPolicy(drift.get("policy") or DriftPolicy.REPORT),
        drift_status=bool(drift.get("status")),
        ignore=tuple(_rule(place, entry) for place, entry in entries.get("ignore", ())),
        windows=tuple(_window(place, entry) for place, entry in entries.get("windows", ())),
        forge=_forge(value.get("forge") or {}),
        management_clusters=tuple(value.get("management") or FleetFile(name="").management_clusters),
        raw=value,
    )


def _forge(value: Mapping[str, Any]) -> ForgeFile | None:
    """None too where what is there is half of it: that is a finding of its own."""
    kind, repository = value.get("kind"), value.get("repository")
    if kind is None or repository is None:
        return None
    found, up_to = ForgeFile(kind=ForgeKind(kind), repository=repository), value.get("perClusterStatusUpTo")
    return found if up_to is None else replace(found, per_cluster_status_up_to=up_to)


def chart_of(value: Mapping[str, Any] | None) -> ChartRef:
    """An empty reference when there is none."""
    if not value:
        return ChartRef()
    parts = {key: str(value.get(key) or "") for key in ("repository", "name", "version")}
    return ChartRef(path=str(value.get("path") or "").strip("/").removeprefix("./"), **parts)


def _rollout(value: Mapping[str, Any], source: str) -> RolloutPolicy:
    pace, policy = _pace(value, Pace()), RolloutPolicy()
    settle = value.get("settleTimeout")
    return RolloutPolicy(
        pace=pace,
        regions={name: _pace(own or {}, pace) for name, own in (value.get("regions") or {}).items()},
        clouds={name: _pace(own or {}, pace) for name, own in (value.get("clouds") or {}).items()},
        rings=tuple(value.get("rings") or ()),
        halt_after_failures=value.get("haltAfterFailures") or policy.halt_after_failures,
        settle_timeout_s=duration_s(settle) if settle else policy.settle_timeout_s,
        source=source,
    )


def _pace(value: Mapping[str, Any], default: Pace) -> Pace:
    """``default`` is what a key has that is not there."""
    soak, canaries = value.get("soak"), value.get("canaries") or default.canaries
    return Pace(
        canaries={label: text for label, text in canaries.items() if text is not None},
        soak_s=duration_s(soak) if soak is not None else default.soak_s,
        max_concurrent_clusters=value.get("maxConcurrentClusters") or default.max_concurrent_clusters,
        max_machines_in_flight=value.get("maxMachinesInFlight") or default.max_machines_in_flight,
    )


def _render(value: Mapping[str, Any]) -> RenderOptions:
    defaults = RenderOptions()
    return RenderOptions(
        kube_version=value.get("kubeVersion") or defaults.kube_version,
        api_versions=tuple(value.get("apiVersions") or ()),
    )


def _rule(place: str, entry: Mapping[str, Any]) -> IgnoreRule:
    named = {name: entry[name] for name in ("kind", "group", "name", "namespace") if entry.get(name) is not None}
    pointers, managers = tuple(entry.get("pointers") or ()), tuple(entry.get("managers") or ())
    return IgnoreRule(source=place, pointers=pointers, managers=managers, **named)


def _window(place: str, entry: Mapping[str, Any]) -> Window:
    return Window(
        targets=entry["targets"],
        allow=parse_spans(entry["allow"]) if entry.get("allow") else (),
        deny=parse_spans(entry["deny"]) if entry.get("deny") else (),
        timezone=entry.get("timezone") or "UTC",
        source=place,
    )


def _policy(value: Mapping[str, Any]) -> Policy:
    days = value.get("deletionKeyDays")
    return Policy(
        budgets={**DEFAULT_BUDGETS, **_budgets(value.get("budgets"))},
        fleet_budgets=_budgets(value.get("fleetBudgets")),
        exceptions=tuple(_exemption(each) for each in value.get("exceptions") or () if _is_whole(each)),
        deletion_key_days=Policy().deletion_key_days if days is None else days,
    )


def _placed(policy: Policy, document: Document) -> Policy:
    """With the line of each exception, which its reason tells: entries that are wrong are left out before."""
    written = (document.value.get("policy") or {}).get("exceptions") if policy.exceptions else ()
    marks = [document.mark(("policy", "exceptions", index)) for index in range(len(written or ()))]
    lines = {entry.get("reason"): f"{PATH}:{mark.line}" for entry, mark in zip(written or (), marks, strict=True)}
    placed = (replace(one, source=lines.get(one.reason, "")) for one in policy.exceptions)
    return replace(policy, exceptions=tuple(placed))


def _budgets(value: Mapping[str, Any] | None) -> dict[Budget, Limit]:
    return {Budget(name): Limit.of(limit) for name, limit in (value or {}).items() if limit is not None}


def _is_whole(value: Mapping[str, Any]) -> bool:
    """What is missing or wrong in one is a finding, and half an exception is none."""
    return all(value.get(key) is not None for key in ("budget", "region", "limit", "reason", "expires"))


def _exemption(value: Mapping[str, Any]) -> Exemption:
    return Exemption(
        budget=Budget(value["budget"]),
        region=value["region"],
        limit=Limit.of(value["limit"]),
        reason=value["reason"],
        expires=date.fromisoformat(value["expires"]),
    )
