"""Requests to the API server as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from clusterops.kube.resources import Resource
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, Manager
from clusterops.model.managers import to_body

JSON: Final = "application/json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
"""JSON is YAML, and the server reads it some thirty times faster than we could write YAML."""
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRICT: Final = "Strict"
"""A field that the server does not know is an error: pruned silently, a typo would look applied.

Costs nothing measurable, since a server-side apply checks every field against the schema anyway.
"""
CHUNK: Final = 500
"""Objects per answer to a list. **Source:** client-go tools/pager, defaultPageSize."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``verb`` is the word for people; ``key`` is None for collections; ``writes``: it may change something."""

    verb: str
    method: str
    path: str
    resource: Resource | None = None
    namespace: str | None = None
    key: ObjectKey | None = None
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    writes: bool = False

    @property
    def urgent(self) -> bool:
        """A Lease that waits behind a slow fleet's writes is lost, and with it the right to make them."""
        return self.resource is not None and self.resource.group == "coordination.k8s.io"

    @property
    def subject(self) -> str:
        """``MachineDeployment fleet/web``, or ``MachineDeployments in fleet``."""
        if self.key is not None:
            return self.key.label
        if self.resource is None:
            return "API server"
        return f"{self.resource.kind}s" + (f" in {self.namespace}" if self.namespace else "")


def get_request(resource: Resource, key: ObjectKey) -> Request:
    return _on_object("get", "GET", resource, key)


def list_request(
    resource: Resource, *, namespace: str | None, labels: str = "", limit: int = CHUNK, following: str = ""
) -> Request:
    """One chunk of a collection; ``following`` is the continue token of the chunk before."""
    query = {"limit": str(limit) if limit else "", "continue": following, "labelSelector": labels}
    return _on_collection("list", resource, namespace, query)


def watch_request(
    resource: Resource, *, namespace: str | None, labels: str, resource_version: str, timeout_s: int
) -> Request:
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": resource_version,
        "timeoutSeconds": str(timeout_s),
        "labelSelector": labels,
    }
    return _on_collection("watch", resource, namespace, query)


def apply_request(
    resource: Resource,
    body: Mapping[str, Any],
    *,
    uid: str,
    resource_version: str,
    force: bool,
    dry_run: bool,
    field_manager: str,
) -> Request:
    """A server-side apply.

    With ``uid`` the server answers 409 (gone) or 422 (another object of that name) instead of creating anew;
    ``resource_version`` alone would not help there: an apply with it creates an object that is gone (seen on 1.36).
    """
    pinned = {**body["metadata"], **_filled({"uid": uid, "resourceVersion": resource_version})}
    query = {
        "fieldManager": field_manager,
        "fieldValidation": STRICT,
        "force": "true" if force else "",
        "dryRun": "All" if dry_run else "",
    }
    return _on_object(
        "apply",
        "PATCH",
        resource,
        ObjectKey.of(body),
        query,
        body=encode({**body, "metadata": pinned}),
        content_type=APPLY_PATCH,
        writes=not dry_run,
    )


def managers_request(
    resource: Resource, live: LiveObject, managers: Sequence[Manager], *, field_manager: str
) -> Request:
    """metadata.managedFields alone. The resourceVersion in it makes a merge patch answer 409 when the object moved.

    **Source:** k8s.io/client-go util/csaupgrade v0.36 UpgradeManagedFieldsPatch, which sends the same as a JSON patch.
    """
    metadata = {"uid": live.uid, "resourceVersion": live.resource_version, "managedFields": to_body(managers)}
    return _on_object(
        "adopt",
        "PATCH",
        resource,
        live.key,
        {"fieldManager": field_manager},
        body=encode({"metadata": metadata}),
        content_type=MERGE_PATCH,
        writes=True,
    )


def create_request(resource: Resource, body: Mapping[str, Any], *, field_manager: str) -> Request:
    key = ObjectKey.of(body)
    query = {"fieldManager": field_manager, "fieldValidation": STRICT}
    return Request(
        verb="create",
        method="POST",
        path=_with_query(resource.path(key.namespace), query),
        resource=resource,
        namespace=key.namespace,
        key=key,
        body=encode(body),
        writes=True,
    )


def rehearsal_request(resource: Resource, live: LiveObject, body: Mapping[str, Any], *, field_manager: str) -> Request:
    """``live`` edited to ``body``, as a dry run. A JSON patch: a PUT would need the right to update."""
    edits = [{"op": "test", "path": "/metadata/uid", "value": live.uid}, *_edits("", live.body, body)]
    query = {"fieldManager": field_manager, "dryRun": "All"}
    return _on_object(
        "edit", "PATCH", resource, live.key, query, body=json.dumps(edits).encode(), content_type=JSON_PATCH
    )


def _edits(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Whole fields of the object and of its metadata."""
    for name, value in old.items():
        if name == "metadata" and not at:
            yield from _edits("/metadata", value, new[name])
        elif name not in new:
            yield {"op": "remove", "path": f"{at}/{name}"}
        elif new[name] != value:
            yield {"op": "replace", "path": f"{at}/{name}", "value": new[name]}
    yield from ({"op": "add", "path": f"{at}/{name}", "value": new[name]} for name in new if name not in old)


def replace_request(resource: Resource, body: Mapping[str, Any], *, field_manager: str) -> Request:
    query = {"fieldManager": field_manager, "fieldValidation": STRICT}
    return _on_object("replace", "PUT", resource, ObjectKey.of(body), query, body=encode(body), writes=True)


def delete_request(resource: Resource, key: ObjectKey, *, uid: str, resource_version: str) -> Request:
    """With preconditions; dependents go in the background, after the object itself."""
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": _filled({"uid": uid, "resourceVersion": resource_version}),
    }
    return _on_object("delete", "DELETE", resource, key, body=encode(options), writes=True)


def plain_request(path: str, accept: str = JSON) -> Request:
    """Anything that is no object: discovery, the version."""
    return Request(verb="get", method="GET", path=path, accept=accept)


def encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _on_object(
    verb: str,
    method: str,
    resource: Resource,
    key: ObjectKey,
    query: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    content_type: str = JSON,
    writes: bool = False,
) -> Request:
    return Request(
        verb=verb,
        method=method,
        path=_with_query(resource.path(key.namespace, key.name), query or {}),
        resource=resource,
        namespace=key.namespace,
        key=key,
        body=body,
        content_type=content_type,
        writes=writes,
    )


def _on_collection(verb: str, resource: Resource, namespace: str | None, query: Mapping[str, str]) -> Request:
    path = _with_query(resource.path(namespace), query)
    return Request(verb=verb, method="GET", path=path, resource=resource, namespace=namespace)


def _with_query(path: str, query: Mapping[str, str]) -> str:
    filled = _filled(query)
    return f"{path}?{urlencode(filled)}" if filled else path


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
