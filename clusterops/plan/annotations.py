"""What the annotations of an object ask of us, in our words and in those of other systems.

**Source:** Flux kustomize-controller (prune, reconcile, ssa), Argo CD (sync-options), cli-utils and Config Sync
(client.lifecycle.config.k8s.io), Helm (helm.sh/resource-policy).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clusterops.capi.tools import first_of, made_once, never_touched
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.manifest import Manifest
from clusterops.model.problem import Problem

_OURS: Final = "clusterops.io"
_FLUX: Final = "kustomize.toolkit.fluxcd.io"
_LIFECYCLE: Final = "client.lifecycle.config.k8s.io"
_ARGO: Final = "argocd.argoproj.io/sync-options"
_NEVER_PRUNED: Final = (
    (f"{_OURS}/prune", "disabled"),
    (f"{_FLUX}/prune", "disabled"),
    (f"{_LIFECYCLE}/deletion", "detach"),
    ("helm.sh/resource-policy", "keep"),
)
_ARGO_KEEPS: Final = frozenset({"prune=false", "prune=confirm", "delete=false", "delete=confirm"})


def never_pruned(annotations: Mapping[str, str]) -> str:
    """The annotation that keeps a live object although git dropped it, "" for none."""
    found = first_of(annotations, _NEVER_PRUNED) or never_touched(annotations)
    if found:
        return found
    options = [part.strip() for part in annotations.get(_ARGO, "").split(",")]
    return next((f"{_ARGO}: {option}" for option in sorted(options) if option.lower() in _ARGO_KEEPS), "")


def left_alone(manifest: Manifest, found: LiveObject | Absent | Unreadable) -> Problem | None:
    """Why an object that git wants is not written at all, by an annotation in git or on the live object."""
    live = found.annotations if isinstance(found, LiveObject) else {}
    why = never_touched(manifest.annotations, live)
    if not why and isinstance(found, LiveObject):
        why = made_once(manifest.annotations, live)
    return (
        Problem(code="left-alone", subject=manifest.key.label, message=f"carries {why}: not touched") if why else None
    )
