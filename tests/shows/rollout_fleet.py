"""Fleets of small clusters of our own chart whose machines all come from images that one shared file names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from clusterops.cli.shipped import shipped

FLEET: Final = "paced"
REGIONS: Final = ("east", "north", "west")
IMAGES: Final = "clouds/dev/values.yaml"
VERSION: Final = "v1.33.4"
RINGS: Final = ("early", "late")
EARLY: Final = 10
"""Clusters of the first ring behind the canaries, in a fleet of forty."""
NEVER: Final = "1h"
"""How long a machine takes to start that does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One cluster. ``plane`` and ``image`` name images: of the control plane, and of workers; ``pools`` by name."""

    region: str
    name: str
    ring: str
    planes: int = 1
    plane: str = "node"
    image: str = "node"
    pools: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"general": {"replicas": 1}})

    @property
    def target(self) -> str:
        return f"{self.region}/{self.name}"

    @property
    def path(self) -> str:
        return f"clusters/{self.target}/values.yaml"

    @property
    def values(self) -> bytes:
        document = {
            "version": VERSION,
            "controlPlane": {"replicas": self.planes, "size": self.plane},
            "pools": {name: {"size": self.image, **pool} for name, pool in self.pools.items()},
            "clusterops": {"labels": {"ring": self.ring}},
        }
        return yaml.safe_dump(document).encode()

    @property
    def at_once(self) -> int:
        """Machines that an image bump moves at a time: two of the control plane, a surge of one in each pool."""
        return len(self.pools) + 2 * (self.plane != "pinned")


def sites(count: int) -> list[Site]:
    """Two canaries, the first ring, the rest; regions in turn. The order by name within a ring is that of numbers.

    The first of the first ring, the third to go, starts its workers from an image of its own. Three in four
    keep the machines of their control plane, so they move one machine at a time; one in eight has two pools.
    """
    found = [_site(number, count) for number in range(1, count + 1)]
    third = min((site for site in found if site.ring == RINGS[0]), key=lambda site: site.target)
    return [_with_own_image(site) if site is third else site for site in found]


def _site(number: int, count: int) -> Site:
    early = 2 + max(2, EARLY * count // 40)
    ring = "canary" if number <= 2 else RINGS[0] if number <= early else RINGS[1]
    pools: dict[str, dict[str, Any]] = {"general": {"replicas": 1 + number % 2}}
    if number % 8 == 0:
        pools["batch"] = {"replicas": 1}
    plane = "node" if number % 4 == 1 else "pinned"
    return Site(region=REGIONS[number % 3], name=f"c{number:02}", ring=ring, plane=plane, pools=pools)


def _with_own_image(site: Site) -> Site:
    return Site(region=site.region, name=site.name, ring=site.ring, image="own", pools={"general": {"replicas": 1}})


def traced() -> list[Site]:
    """Six clusters of the shapes that roll differently."""
    one = {"general": {"replicas": 2}}
    two = {"general": {"replicas": 2}, "batch": {"replicas": 2}}
    wide = {"general": {"replicas": 3, "maxSurge": 2}, "batch": {"replicas": 2}}
    tight = {"general": {"replicas": 3, "maxSurge": 0, "maxUnavailable": 1}}
    shapes = [(1, one), (1, one), (3, two), (3, wide), (1, tight), (3, tight)]
    names = ("small", "small-too", "large", "wide", "tight", "tight-too")
    return [
        Site(region=REGIONS[0], name=name, ring="canary" if name == "small" else "late", planes=planes, pools=pools)
        for name, (planes, pools) in zip(names, shapes, strict=True)
    ]


def images(node: str, *, own: str = "") -> dict[str, bytes]:
    """The shared file. An image is known by how long a machine takes to start from it."""
    sizes = {"node": node, "own": own or node, "pinned": "1s"}
    return {IMAGES: yaml.safe_dump({"sizes": sizes, "healthCheck": {"enabled": True}}).encode()}


def pace(**rollout: Any) -> dict[str, bytes]:
    """fleet.yaml. Budgets are wide open: it is pace that is looked at."""
    document = {
        "apiVersion": "clusterops.io/v1alpha1",
        "kind": "FleetFile",
        "name": FLEET,
        "mode": "apply",
        "clouds": {"dev": {"chart": {"path": "charts/cluster-dev"}}},
        "policy": {"budgets": {"machinesRemoved": "100%", "machinesReplaced": "100%"}},
        "rollout": {"canaries": {"ring": "canary"}, "rings": list(RINGS), **rollout},
    }
    return {"fleet.yaml": yaml.safe_dump(document).encode()}


def ground(clusters: Iterable[Site]) -> dict[str, bytes]:
    """Chart, regions and clusters."""
    home = shipped("charts") / "cluster-dev"
    chart = {f"charts/cluster-dev/{each.relative_to(home)}": each.read_bytes() for each in home.rglob("*.*")}
    regions = {f"regions/{name}/region.yaml": b"cloud: dev\ncredentials: {}\n" for name in REGIONS}
    return chart | regions | {site.path: site.values for site in clusters}
