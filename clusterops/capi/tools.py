"""Marks that GitOps tools put on objects: who applies one, and what its annotations forbid, ours among them.

**Source:** Flux kustomize-controller (name, prune, reconcile, ssa) and helm-controller, Argo CD (tracking-id,
sync-options), Rancher Fleet (objectset.rio.cattle.io), cli-utils and Config Sync (client.lifecycle.config.k8s.io).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.managers import tool
from clusterops.model.live import LiveObject

FLEET_LABEL: Final = "clusterops.io/fleet"
TARGET_ANNOTATION: Final = "clusterops.io/target"

_FLUX: Final = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_ARGO: Final = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL: Final = "app.kubernetes.io/instance"
_RANCHER: Final = "objectset.rio.cattle.io/"
_FLUX_GROUP: Final = "kustomize.toolkit.fluxcd.io"
_NEVER_TOUCHED: Final = (
    ("clusterops.io/reconcile", "disabled"),
    (f"{_FLUX_GROUP}/reconcile", "disabled"),
    (f"{_FLUX_GROUP}/ssa", "ignore"),
)
_MADE_ONCE: Final = ((f"{_FLUX_GROUP}/ssa", "ifnotpresent"), ("client.lifecycle.config.k8s.io/mutation", "ignore"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """``where`` it is applied from, as far as its marks tell: ``Kustomization flux-system/clusters``, or ""."""

    product: str
    where: str = ""

    @property
    def text(self) -> str:
        return f"{self.product} {self.where}".rstrip()


def applier(found: LiveObject) -> Applier | None:
    """Another tool that applies an object, by its label, annotation or field manager; None for none."""
    for label in _FLUX:
        if label in found.labels:
            return Applier(product="Flux", where=_flux_object(found.labels, label))
    tracked = found.annotations.get(_ARGO, "")
    if tracked:
        return Applier(product="Argo CD", where=f"Application {tracked.partition(':')[0]}")
    products = sorted({tool(one.name) for one in found.managers} - {""})
    if "Argo CD" in products and _ARGO_LABEL in found.labels:
        return Applier(product="Argo CD", where=f"Application {found.labels[_ARGO_LABEL]}")
    if any(name.startswith(_RANCHER) for name in (*found.labels, *found.annotations)):
        return Applier(product="Rancher Fleet")
    return Applier(product=products[0]) if products else None


def never_touched(*annotations: Mapping[str, str]) -> str:
    """The annotation, in git or live, that forbids every write, "" for none."""
    return next((found for each in annotations if (found := first_of(each, _NEVER_TOUCHED))), "")


def made_once(*annotations: Mapping[str, str]) -> str:
    """The annotation, in git or live, that forbids every write but the first, "" for none."""
    return next((found for each in annotations if (found := first_of(each, _MADE_ONCE))), "")


def first_of(annotations: Mapping[str, str], wanted: tuple[tuple[str, str], ...]) -> str:
    """The first of these (name, value in small letters) that is there, as ``name: value``; "" for none."""
    for name, value in wanted:
        if annotations.get(name, "").lower() == value:
            return f"{name}: {annotations[name]}"
    return ""


def _flux_object(labels: Mapping[str, Any], label: str) -> str:
    kind = "Kustomization" if label.startswith("kustomize") else "HelmRelease"
    namespace = labels.get(label.replace("/name", "/namespace"), "")
    return f"{kind} {namespace}/{labels[label]}" if namespace else f"{kind} {labels[label]}"
