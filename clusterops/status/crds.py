"""Our own kinds: the definitions that ship with the package, and how they get to the API server."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from clusterops.errors import TransientError
from clusterops.model.document import load_values
from clusterops.model.key import ObjectKey
from clusterops.model.live import Absent, LiveObject
from clusterops.ports import Clock, Cluster
from clusterops.status.problems import raise_unreadable

GROUP: Final = "clusterops.io"
API_VERSION: Final = "clusterops.io/v1alpha1"
SCHEMA_ANNOTATION: Final = "clusterops.io/schema"
SCHEMA: Final = 5
"""Raise it with every change of a definition: an older release never writes over a newer one's."""
POLL_S: Final = 0.1
SERVED_WITHIN_S: Final = 30.0
"""The API server takes about a second from accepting a definition to serving it."""


def crd_bodies() -> tuple[dict[str, Any], ...]:
    """The definitions, ordered by name, with SCHEMA as annotation. Reads package files."""
    folder = files("clusterops.status") / "crds"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    bodies = [body for name in names for body in load_values((folder / name).read_bytes(), name)]
    for body in bodies:
        body["metadata"]["annotations"] = {SCHEMA_ANNOTATION: str(SCHEMA)}
    return tuple(bodies)


async def ensure_crds(cluster: Cluster, clock: Clock) -> None:
    """Applies the definitions where they are missing or older, and returns when they are served.

    Force is on: the definitions are ours, whoever installed them first. Raises what reads and applies raise, and
    TransientError ``crds-not-served``.
    """
    bodies = crd_bodies()
    live = await cluster.read([ObjectKey.of(body) for body in bodies])
    for body in bodies:
        found = live[ObjectKey.of(body)]
        if not isinstance(found, LiveObject | Absent):
            raise_unreadable(found)
        if isinstance(found, Absent) or _schema_of(found) < SCHEMA:
            await cluster.apply(body, force=True)
    await _wait_served(cluster, [str(body["spec"]["names"]["kind"]) for body in bodies], clock)


def _schema_of(live: LiveObject) -> int:
    text = live.annotations.get(SCHEMA_ANNOTATION, "")
    return int(text) if text.isdigit() else 0


async def _wait_served(cluster: Cluster, kinds: list[str], clock: Clock) -> None:
    keys = [ObjectKey(group=GROUP, kind=kind, namespace="default", name="served") for kind in kinds]
    deadline_s = clock.boottime_s() + SERVED_WITHIN_S
    while True:
        live = await cluster.read(keys)
        unserved = [key.kind for key in keys if live[key] == Absent(key=key, kind_served=False)]
        if not unserved:
            return
        if clock.boottime_s() >= deadline_s:
            raise TransientError(
                "crds-not-served",
                ", ".join(unserved),
                f"not served {SERVED_WITHIN_S:.0f} s after its definition was applied",
                hint="`kubectl describe crd` of it says why",
            )
        await clock.sleep(POLL_S)
