"""A drift report as JSON values; its schema is report_schema.json beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from clusterops.drift.report_words import doubtful, drifting, ignored_by_author
from clusterops.model.drift import DriftedField, DriftedObject, DriftRecord, DriftReport, Ignored, TargetDrift
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING

SCHEMA_FILE: Final = "report_schema.json"


def report_to_json(report: DriftReport) -> dict[str, Any]:
    """All targets, in sync or not. A field's value that is not there has no key, and neither has what nobody knows."""
    drifted, unknown = len(drifting(report)), len(doubtful(report))
    return {
        "apiVersion": "clusterops.io/v1alpha1",
        "kind": "DriftReport",
        "fleet": report.fleet,
        "revision": report.revision,
        "takenAt": time_text(report.taken_at),
        "summary": {
            "targets": len(report.targets),
            "objects": report.objects,
            "inSync": len(report.targets) - drifted - unknown,
            "drifted": drifted,
            "notCompared": unknown,
            "ignored": {str(author): count for author, count in ignored_by_author(report.targets).items()},
        },
        "targets": [_target(target) for target in report.targets],
    }


def object_to_json(drifted: DriftedObject) -> dict[str, Any]:
    cost = drifted.cost
    return {
        "object": key_to_json(drifted.key),
        "what": str(drifted.what),
        "fields": [_field(field) for field in drifted.fields],
        "author": str(drifted.author),
        "remedy": str(drifted.remedy),
        "machines": {"replaced": cost.replaced, "added": cost.added, "removed": cost.removed},
        "predictable": not drifted.unknown_cost,
        **_known(why=drifted.why, seenAt=drifted.seen_at),
    }


def key_to_json(key: ObjectKey) -> dict[str, str]:
    return {"group": key.group, "kind": key.kind, "name": key.name, **_known(namespace=key.namespace)}


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: ``2026-11-21T14:30:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _target(target: TargetDrift) -> dict[str, Any]:
    return {
        "target": target.target,
        "objects": target.objects,
        "inSync": target.in_sync,
        "drifted": [object_to_json(drifted) for drifted in target.drifted],
        "ignored": [_ignored(ignored) for ignored in target.ignored],
        "left": {str(author): count for author, count in target.left.items()},
        "unknown": [problem.to_body() for problem in target.unknown],
        "history": [_record(record) for record in target.history],
        **_known(revision=target.revision, inSyncSince=target.in_sync_since),
    }


def _field(field: DriftedField) -> dict[str, Any]:
    values = {name: value for name, value in (("git", field.git), ("live", field.live)) if value is not MISSING}
    known = _known(manager=field.manager, operation=field.operation, changedAt=field.changed_at, user=field.user)
    return {"pointer": field.pointer, **values, "author": str(field.author), **known}


def _ignored(ignored: Ignored) -> dict[str, Any]:
    return {"object": key_to_json(ignored.key), "field": _field(ignored.field), "rule": ignored.rule}


def _record(record: DriftRecord) -> dict[str, Any]:
    return {
        "at": time_text(record.at),
        "what": record.what,
        "author": str(record.author),
        **({"object": key_to_json(record.object)} if record.object else {}),
        **_known(pointer=record.pointer, manager=record.manager, remedy=record.remedy),
    }


def _known(**values: str | datetime | None) -> Mapping[str, str]:
    """Without those that are empty."""
    texts = {name: time_text(value) if isinstance(value, datetime) else value for name, value in values.items()}
    return {name: text for name, text in texts.items() if text}
