"""Which objects a body names, in the spellings of v1beta1 and v1beta2 and of the providers.

**Source:** Cluster API api/core/v1beta2 (ContractVersionedObjectReference: apiGroup, kind, name; same namespace),
api/core/v1beta1 (corev1.ObjectReference: apiVersion, kind, namespace, name); identities and credentials of the
providers openstack v0.14 (identityRef.type), aws v2.13, azure v1.21, gcp v1.13 (credentialsRef), vsphere v1.14.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from clusterops.capi.kinds import CLUSTER_NAME_LABEL, CORE, INFRASTRUCTURE
from clusterops.model.key import ObjectKey, group_of

_SECRET_FIELDS: Final = frozenset({"secretRef", "credentialsRef", "credentialsSecretRef", "secretName", "secret"})
_CONFIG_MAP_FIELDS: Final = frozenset({"configMapRef", "configMap"})
_CLUSTER_SECRETS: Final = ("ca", "etcd", "sa", "proxy", "kubeconfig")
"""Secrets that Cluster API finds by name. Source: Cluster API util/secret/consts.go."""

_CORE_KINDS: Final = frozenset({"Secret", "ConfigMap"})


def references(body: Mapping[str, Any]) -> frozenset[ObjectKey]:
    """Keys that spec and ownerReferences name. The namespace is the body's own unless the reference gives one.

    A reference does not tell whether its kind has namespaces: compare with ``names``. O(size of the body).
    """
    metadata = body.get("metadata") or {}
    namespace = metadata.get("namespace") or None
    found = set(_walk(body.get("spec") or {}, namespace))
    found.update(owners(metadata, namespace))
    cluster = cluster_of(body)
    if cluster is not None:
        found.add(cluster)
    found.update(_well_known(body, namespace))
    return frozenset(found)


def spec_references(body: Mapping[str, Any]) -> frozenset[ObjectKey]:
    """As ``references``, of what the author wrote alone: no owners, and no Secrets that Cluster API finds by name."""
    namespace = (body.get("metadata") or {}).get("namespace") or None
    found = set(_walk(body.get("spec") or {}, namespace))
    cluster = cluster_of(body)
    if cluster is not None:
        found.add(cluster)
    found.update(key for key in _well_known(body, namespace) if key.kind != "Secret")
    return frozenset(found)


def is_made_by_cluster_api(key: ObjectKey, cluster: ObjectKey) -> bool:
    """Whether it is one of the Secrets that Cluster API makes for a Cluster: ``NAME-kubeconfig``, ``NAME-ca`` ..."""
    if (key.group, key.kind, key.namespace) != ("", "Secret", cluster.namespace):
        return False
    return key.name in {f"{cluster.name}-{suffix}" for suffix in _CLUSTER_SECRETS}


def names(reference: ObjectKey, key: ObjectKey) -> bool:
    """Whether a reference means that object, cluster-scoped or in the reference's namespace."""
    same = (reference.group, reference.kind, reference.name) == (key.group, key.kind, key.name)
    return same and key.namespace in {None, reference.namespace}


def cluster_of(body: Mapping[str, Any]) -> ObjectKey | None:
    """The Cluster that an object belongs to, by spec.clusterName or by the cluster-name label."""
    metadata = body.get("metadata") or {}
    name = (body.get("spec") or {}).get("clusterName") or (metadata.get("labels") or {}).get(CLUSTER_NAME_LABEL)
    if not isinstance(name, str) or not name:
        return None
    return ObjectKey(group=CORE, kind="Cluster", namespace=metadata.get("namespace") or None, name=name)


def closed_group(roots: Iterable[ObjectKey], bodies: Iterable[tuple[ObjectKey, Mapping[str, Any]]]) -> set[ObjectKey]:
    """The roots, all that names them, and all that any of these reaches, among the objects given.

    A key may come with several bodies (desired and live). O(objects * references).
    """
    known: dict[ObjectKey, set[ObjectKey]] = {}
    for key, body in bodies:
        known.setdefault(key, set()).update(references(body))
    group = set(roots)
    group.update(key for key, named in known.items() if any(names(ref, root) for ref in named for root in roots))
    frontier = list(group)
    while frontier:
        reached = {ref for key in frontier for ref in known.get(key, ())}
        frontier = [key for key in known if key not in group and any(_means(reached, key))]
        group.update(frontier)
    return group


def _means(references_found: set[ObjectKey], key: ObjectKey) -> Iterator[bool]:
    if key.namespace is not None:
        yield key in references_found
    else:
        yield any(names(reference, key) for reference in references_found)


def _walk(value: Any, namespace: str | None) -> Iterator[ObjectKey]:
    if isinstance(value, Mapping):
        for field, child in value.items():
            key = _reference(field, child, namespace)
            if key is not None:
                yield key
            yield from _walk(child, namespace)
    elif isinstance(value, list):
        for item in value:
            key = _reference("", item, namespace)
            if key is not None:
                yield key
            yield from _walk(item, namespace)


def _reference(field: str, value: Any, namespace: str | None) -> ObjectKey | None:
    if field == "secretName" and isinstance(value, str) and value:
        return ObjectKey(group="", kind="Secret", namespace=namespace, name=value)
    if not isinstance(value, Mapping):
        return None
    name = value.get("name")
    kind = _kind_of(field, value)
    if not (isinstance(name, str) and name and kind):
        return None
    return ObjectKey(group=kind[0], kind=kind[1], namespace=value.get("namespace") or namespace, name=name)


def _kind_of(field: str, value: Mapping[str, Any]) -> tuple[str, str] | None:
    kind = value.get("kind") or (value.get("type") if field == "identityRef" else None)
    if isinstance(kind, str) and kind:
        return _group_of_reference(field, kind, value), kind
    if field in _SECRET_FIELDS or field.endswith("SecretRef") or field == "identityRef":
        return "", "Secret"
    if field == "classRef":
        return CORE, "ClusterClass"
    return ("", "ConfigMap") if field in _CONFIG_MAP_FIELDS else None


def _group_of_reference(field: str, kind: str, value: Mapping[str, Any]) -> str:
    if kind in _CORE_KINDS:
        return ""
    if value.get("apiGroup"):
        return str(value["apiGroup"])
    if value.get("apiVersion"):
        return group_of(str(value["apiVersion"]))
    return INFRASTRUCTURE if field == "identityRef" else ""


def owners(metadata: Mapping[str, Any], namespace: str | None) -> Iterator[ObjectKey]:
    """What ``metadata.ownerReferences`` names, in its order; ``namespace`` is the object's own."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") and owner.get("name"):
            group = group_of(str(owner.get("apiVersion", "")))
            yield ObjectKey(group=group, kind=owner["kind"], namespace=namespace, name=owner["name"])


def _well_known(body: Mapping[str, Any], namespace: str | None) -> Iterator[ObjectKey]:
    """Names that Cluster API derives, and v1beta1's ``topology.class``."""
    if body.get("kind") != "Cluster" or group_of(str(body.get("apiVersion", ""))) != CORE:
        return
    for suffix in _CLUSTER_SECRETS:
        secret = f"{body['metadata']['name']}-{suffix}"
        yield ObjectKey(group="", kind="Secret", namespace=namespace, name=secret)
    topology = (body.get("spec") or {}).get("topology") or {}
    if isinstance(topology.get("class"), str):
        home = topology.get("classNamespace") or namespace
        yield ObjectKey(group=CORE, kind="ClusterClass", namespace=home, name=topology["class"])
