"""An API server in memory that keeps ports.Cluster, with server-side apply's ownership, for injecting failures.

The same suite runs on a real kube-apiserver (tests/doors/test_apply.py), which keeps this one honest. Lists of maps
with a ``name`` are associative, others atomic; there is no defaulting, no schema and no controller. Of Cluster API
it knows that extraArgs are keyed by name and value, and that its schema wants each name once.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

from clusterops.errors import TerminalError, TransientError
from clusterops.model.canonical import canonical_json
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject, LiveSet, Manager, Unreadable
from clusterops.model.managers import to_body
from clusterops.model.problem import Problem
from clusterops.ports import ServerInfo, WatchEvent

Tree = dict[str, Any]
_IDENTITY = {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}


class ModelCluster:
    """``before_write`` and ``after_write`` are called with (verb, key) and may raise; ``writes`` records them."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, dict[str, Any]] = {}
        self.unreadable: set[ObjectKey] = set()
        self.unserved: set[tuple[str, str]] = set()
        self.writes: list[tuple[str, ObjectKey]] = []
        self.before_write: Callable[[str, ObjectKey], None] = lambda verb, key: None
        self.after_write: Callable[[str, ObjectKey], None] = lambda verb, key: None
        self._revision = 1
        self._uid = 0

    async def server(self) -> ServerInfo:
        return ServerInfo("v1.36.3", "model")

    async def read_as(self, versions: Mapping[ObjectKey, str]) -> LiveSet:
        """Every object has one version here."""
        return await self.read(versions.keys())

    async def read(self, keys: Collection[ObjectKey], *, fresh: bool = False) -> LiveSet:
        return LiveSet({key: self._read(key) for key in keys})

    def _read(self, key: ObjectKey) -> LiveObject | Absent | Unreadable:
        if key in self.unreadable:
            return Unreadable(key=key, problem=Problem(code="api-unavailable", subject=key.label, message="503"))
        if (key.group, key.kind) in self.unserved:
            return Absent(key=key, kind_served=False)
        body = self.objects.get(key)
        return LiveObject.of(copy.deepcopy(body)) if body is not None else Absent(key=key)

    async def list_objects(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> tuple[LiveObject, ...]:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        found = [LiveObject.of(copy.deepcopy(body)) for body in self.objects.values()]
        return tuple(
            sorted(
                (
                    one
                    for one in found
                    if (one.key.group, one.key.kind) == (group, kind)
                    and namespace in {None, one.key.namespace}
                    and wanted.items() <= one.labels.items()
                ),
                key=lambda one: one.key,
            )
        )

    async def apply(
        self,
        body: Mapping[str, Any],
        *,
        uid: str = "",
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
        field_manager: str = "clusterops",
    ) -> LiveObject:
        key = ObjectKey.of(body)
        if not dry_run:
            self.before_write("apply", key)
        merged = self._merged(key, body, uid=uid, resource_version=resource_version, manager=field_manager, force=force)
        if dry_run:
            return LiveObject.of(merged)
        self._store(key, merged)
        self.writes.append(("apply", key))
        self.after_write("apply", key)
        return LiveObject.of(copy.deepcopy(self.objects[key]))

    async def set_managers(self, live: LiveObject, managers: Sequence[Manager]) -> LiveObject:
        self.before_write("adopt", live.key)
        there = self.objects.get(live.key)
        if there is None or there["metadata"]["resourceVersion"] != live.resource_version:
            raise _changed(live.key)
        raw = copy.deepcopy(there)
        raw["metadata"]["managedFields"] = to_body(managers)
        self._store(live.key, raw)
        self.writes.append(("adopt", live.key))
        self.after_write("adopt", live.key)
        return LiveObject.of(copy.deepcopy(raw))

    async def create(self, body: Mapping[str, Any]) -> LiveObject:
        key = ObjectKey.of(body)
        if key in self.objects:
            raise TransientError("object-exists", key.label, "is there already")
        return self.edit(key, lambda raw: raw.update(copy.deepcopy(dict(body))), manager="create")

    async def rehearse(self, live: LiveObject, body: Mapping[str, Any]) -> LiveObject:
        return LiveObject.of(copy.deepcopy(dict(body)))

    async def replace(self, body: Mapping[str, Any]) -> LiveObject:
        raise NotImplementedError

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        self.before_write("delete", key)
        body = self.objects.get(key)
        if body is not None:
            if (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) != (uid, resource_version):
                raise _changed(key)
            del self.objects[key]
        self.writes.append(("delete", key))
        self.after_write("delete", key)

    def watch(
        self, group: str, kind: str, *, namespace: str | None = None, labels: str = "", fresh: bool = False
    ) -> AsyncIterator[WatchEvent]:
        raise NotImplementedError

    def edit(self, key: ObjectKey, change: Callable[[dict[str, Any]], None], *, manager: str) -> LiveObject:
        """Somebody else's write, as an Update that takes the fields it changes."""
        before = self.objects.get(key)
        raw = copy.deepcopy(before) if before else {"metadata": {}}
        change(raw)
        body = raw if before else {**raw, "metadata": {**raw["metadata"], "managedFields": []}}
        content = _flat(_content(body))
        touched = _changed_paths(_flat(_content(before or {})), content)
        for entry in body["metadata"].get("managedFields") or []:
            entry["fieldsV1"] = _tree(_paths(entry["fieldsV1"]) - touched)
        if set_now := touched & content.keys():
            entry = {
                "manager": manager,
                "operation": "Update",
                "apiVersion": body["apiVersion"],
                "fieldsV1": _tree(set_now),
            }
            body["metadata"].setdefault("managedFields", []).append(entry)
        self._store(key, body)
        return LiveObject.of(copy.deepcopy(self.objects[key]))

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> None:
        """As a controller does: the resourceVersion moves, the generation does not."""
        self.objects[key]["status"] = copy.deepcopy(dict(status))
        self._stamp(self.objects[key])

    def _merged(
        self, key: ObjectKey, body: Mapping[str, Any], *, uid: str, resource_version: str, manager: str, force: bool
    ) -> dict[str, Any]:
        before = self.objects.get(key)
        if before is None and uid:
            raise _changed(key)
        raw = copy.deepcopy(before) if before else {**copy.deepcopy(dict(body)), "metadata": dict(_identity(body))}
        entries = [e for e in raw["metadata"].get("managedFields") or [] if not _is(e, manager)]
        mine = next((e for e in raw["metadata"].get("managedFields") or [] if _is(e, manager)), None)
        wanted, there = _flat(_content(body)), _flat(_content(before or {}))
        for entry in entries:
            clash = {p for p in _paths(entry["fieldsV1"]) & set(wanted) if p in there and there[p] != wanted[p]}
            if clash and not force:
                field = ".".join(step[2:] for step in min(clash))
                raise TerminalError("field-owner-conflict", key.label, f".{field} is owned by {entry['manager']}")
            entry["fieldsV1"] = _tree(_paths(entry["fieldsV1"]) - clash)
        if before and resource_version and resource_version != before["metadata"]["resourceVersion"]:
            raise _changed(key)
        if before and uid and uid != before["metadata"]["uid"]:
            raise TerminalError("object-invalid", key.label, "metadata.uid: field is immutable")
        kept = {path for entry in entries for path in _paths(entry["fieldsV1"])}
        dropped = (_paths(mine["fieldsV1"]) if mine else set()) - set(wanted) - kept
        content = {path: value for path, value in there.items() if path not in dropped} | wanted
        _refuse_twice(key, content)
        result = _unflat(content)
        metadata = {**result.pop("metadata", {}), **{f: v for f, v in raw["metadata"].items() if f in _IDENTITY}}
        new = {
            "manager": manager,
            "operation": "Apply",
            "apiVersion": body["apiVersion"],
            "fieldsV1": _tree(set(wanted)),
        }
        metadata["managedFields"] = [*(e for e in entries if e["fieldsV1"]), *([new] if wanted else [])]
        merged = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, **result}
        return {**merged, "status": raw["status"]} if "status" in raw else merged

    def _store(self, key: ObjectKey, body: dict[str, Any]) -> None:
        before = self.objects.get(key)
        if before == body:
            return
        if before is None:
            self._uid += 1
            body["metadata"].update({"uid": f"uid-{self._uid}", "generation": 1})
        elif _spec(before) != _spec(body):
            body["metadata"]["generation"] += 1
        self._stamp(body)
        self.objects[key] = body

    def _stamp(self, body: dict[str, Any]) -> None:
        self._revision += 1
        body["metadata"]["resourceVersion"] = str(self._revision)


def _changed(key: ObjectKey) -> TransientError:
    return TransientError("object-changed", key.label, "was changed by somebody else")


def _is(entry: Mapping[str, Any], manager: str) -> bool:
    return bool(entry["manager"] == manager and entry["operation"] == "Apply")


def _identity(body: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in body["metadata"].items() if field in {"name", "namespace"}}


def _spec(body: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in body.items() if field not in {"metadata", "status"}}


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {f: v for f, v in (body.get("metadata") or {}).items() if f not in _IDENTITY}
    rest = {f: v for f, v in body.items() if f not in {"apiVersion", "kind", "metadata", "status"}}
    return {**rest, "metadata": metadata} if metadata else rest


def _flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, Mapping) and (value or not path):
        return {p: v for field, child in value.items() for p, v in _flat(child, (*path, f"f:{field}")).items()}
    if _associative(value):
        found: dict[tuple[str, ...], Any] = {}
        for item in value:
            keys = {field: item[field] for field in ("name", "value")[: 1 + _is_arguments(path)]}
            step = f"k:{canonical_json(keys).decode()}"
            found.update(_flat(item, (*path, step)))
        return found
    return {path: value}


def _is_arguments(path: tuple[str, ...]) -> bool:
    return bool(path) and path[-1].endswith("xtraArgs")


def _refuse_twice(key: ObjectKey, content: Mapping[tuple[str, ...], Any]) -> None:
    named = [(*path[:-2], str(value)) for path, value in content.items() if len(path) > 2 and path[-1] == "f:name"]
    arguments = [path for path in named if _is_arguments(path[:-1])]
    if len(set(arguments)) < len(arguments):
        raise TerminalError("object-invalid", key.label, "extraArgs name must be unique")


def _associative(value: Any) -> bool:
    return bool(isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value))


def _unflat(flat: Mapping[tuple[str, ...], Any]) -> Any:
    if () in flat:
        return flat[()]
    groups: dict[str, dict[tuple[str, ...], Any]] = {}
    for path, value in flat.items():
        groups.setdefault(path[0], {})[path[1:]] = value
    if any(step.startswith("k:") for step in groups):
        return [{**json.loads(step[2:]), **_unflat(child)} for step, child in groups.items()]
    return {step[2:]: _unflat(child) for step, child in groups.items()}


def _changed_paths(old: Mapping[tuple[str, ...], Any], new: Mapping[tuple[str, ...], Any]) -> set[tuple[str, ...]]:
    return {path for path in old.keys() | new.keys() if path not in old or path not in new or old[path] != new[path]}


def _tree(paths: set[tuple[str, ...]]) -> Tree:
    root: Tree = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
            if step.startswith("k:"):
                node.setdefault(".", {})
    return root


def _paths(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    children = {step: child for step, child in tree.items() if step != "."}
    if not children:
        return {path} if path else set()
    return {found for step, child in children.items() for found in _paths(child, (*path, step))}
