"""Which fields of a KubeadmControlPlane may change while it lives.

**Source:** Cluster API v1.14 controlplane/kubeadm/webhooks/admission/kubeadmcontrolplane.go ValidateUpdate
(``allowedPaths``; outside kubeadmConfigSpec every field may) and validateClusterConfiguration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.model.plan import MISSING, Change, FieldChange
from clusterops.plan.rules.view import at, body_of

_ROOT: Final = ("spec", "kubeadmConfigSpec")
_NODE: Final = frozenset({"nodeRegistration", "patches", "skipPhases", "timeouts"})
_ALLOWED: Final[Mapping[str, frozenset[str] | None]] = {
    "clusterConfiguration": frozenset(
        {
            "apiServer",
            "certificateValidityPeriodDays",
            "controllerManager",
            "dns",
            "encryptionAlgorithm",
            "etcd",
            "featureGates",
            "imageRepository",
            "scheduler",
        }
    ),
    "initConfiguration": _NODE | {"bootstrapTokens", "localAPIEndpoint"},
    "joinConfiguration": _NODE | {"caCertPath", "controlPlane", "discovery"},
    **dict.fromkeys(
        (
            "bootCommands",
            "diskSetup",
            "files",
            "format",
            "ignition",
            "mounts",
            "ntp",
            "postKubeadmCommands",
            "preKubeadmCommands",
            "users",
            "verbosity",
        )
    ),
}
"""Parts of kubeadmConfigSpec; None: all below it."""

_OLD_ONLY: Final = frozenset({"apiVersion", "kind", "useExperimentalRetryJoin"})
"""Fields of v1beta1 that v1beta2 dropped: a change of one says nothing."""

_HINT: Final = "kubeadm reads it once, when the cluster is made: keep it, and set it in a new cluster"


def fixed_fields(row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    """(pointer, before, after, hint) of each change that the webhook forbids."""
    yield from _etcd(row)
    for one in row.fields:
        for path, before, after in _leaves(one):
            if path[:2] == _ROOT and not _may_change(path[2:]):
                yield "".join(f"/{step}" for step in path), before, after, _HINT


def _etcd(row: Change) -> Iterator[tuple[str, Any, Any, str]]:
    """Between stacked and external etcd there is no way."""
    path = (*_ROOT, "clusterConfiguration", "etcd", "external")
    before, after = (bool(at(each, path)) for each in (row.live.body if row.live else None, body_of(row)))
    # What git leaves out is removed only where it was ours, which the fields then say.
    told = any(one.pointer.startswith("/" + "/".join(path[:4])) for one in row.fields)
    if before != after and told:
        words = {True: "external etcd", False: "stacked etcd"}
        yield "/" + "/".join(path), words[before], words[after], "etcd cannot be moved: make a new cluster"


def _may_change(path: tuple[str, ...]) -> bool:
    if not path or path[-1] in _OLD_ONLY or path[0] in _OLD_ONLY:
        return True
    if path[0] not in _ALLOWED:
        return False
    below = _ALLOWED[path[0]]
    return below is None or len(path) == 1 or path[1] in below


def _leaves(change: FieldChange) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """A map that comes or goes as a whole stands for its fields."""
    path = tuple(change.pointer.split("/")[1:])
    yield from _spread(path, _known(change.before), _known(change.after))


def _known(value: Any) -> Any:
    return None if value is MISSING else value


def _spread(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    maps = isinstance(before, dict) or isinstance(after, dict)
    if not maps or len(path) >= len(_ROOT) + 2:
        yield path, before, after
        return
    old, new = (each if isinstance(each, dict) else {} for each in (before, after))
    for field in {**old, **new}:
        if old.get(field) != new.get(field):
            yield from _spread((*path, field), old.get(field), new.get(field))
