"""The fleet repository as values: fleet.yaml, regions, and the targets with the recipe that renders each.

The schema of every file is in the README ("The files"); this holds what the rooms need of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clusterops.model.deletion import DeletionKey
from clusterops.model.ignore import IgnoreRule
from clusterops.model.policy import Policy
from clusterops.model.problem import Problem
from clusterops.model.windows import Window


class Mode(StrEnum):
    """OBSERVE renders, plans and reports, and writes to no cluster."""

    OBSERVE = "observe"
    APPLY = "apply"


class DriftPolicy(StrEnum):
    """What drift leads to: HEAL puts git back at once where that goes without machines, and no window forbids it."""

    REPORT = "report"
    HEAL = "heal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRef:
    """A chart in the fleet repository (``path``), or one by reference (``repository``, ``name``, ``version``)."""

    path: str = ""
    repository: str = ""
    name: str = ""
    version: str = ""

    @property
    def text(self) -> str:
        return self.path or f"{self.repository}/{self.name}:{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a commit goes through clusters. ``canaries`` are labels; empty: one cluster of each region."""

    canaries: Mapping[str, str] = field(default_factory=dict)
    soak_s: float = 30 * 60.0
    max_concurrent_clusters: int = 5
    max_machines_in_flight: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """``rollout`` of fleet.yaml: the pace of a commit that touches more than one cluster.

    ``regions`` and ``clouds`` have a pace of their own and are counted apart; a region goes before its cloud. ``rings``
    are values of the label ``ring`` in their order, ``*`` stands for all others, which else go last.
    """

    pace: Pace = field(default_factory=Pace)
    regions: Mapping[str, Pace] = field(default_factory=dict)
    clouds: Mapping[str, Pace] = field(default_factory=dict)
    rings: tuple[str, ...] = ()
    halt_after_failures: int = 1
    settle_timeout_s: float = 90 * 60.0
    source: str = field(default="", compare=False)
    """``fleet.yaml:16``; "" where the file says nothing of it."""

    @property
    def paces(self) -> bool:
        """Whether commits go in steps: where nobody waits for health there is nothing to go by."""
        return self.settle_timeout_s > 0

    def lane(self, region: str, cloud: str) -> tuple[str, Pace]:
        """The name of what shares one pace with a cluster there, "" for the fleet's, and that pace."""
        if region in self.regions:
            return f"region {region}", self.regions[region]
        if cloud in self.clouds:
            return f"cloud {cloud}", self.clouds[cloud]
        return "", self.pace


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What helm is told: constants of the release unless fleet.yaml says otherwise, never the live server."""

    kube_version: str = "v1.34.0"
    api_versions: tuple[str, ...] = ()


class ForgeKind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeFile:
    """``forge`` of fleet.yaml: where requests are and statuses go. ``repository`` is OWNER/NAME."""

    kind: ForgeKind
    repository: str
    per_cluster_status_up_to: int = 10
    """Clusters of a commit that get a status of their own; a commit with more has none of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """fleet.yaml. Keys that later rooms read (providers, …) are checked and kept in ``raw``."""

    name: str
    mode: Mode = Mode.OBSERVE
    clouds: Mapping[str, ChartRef] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    rollout: RolloutPolicy = field(default_factory=RolloutPolicy)
    render: RenderOptions = field(default_factory=RenderOptions)
    drift: DriftPolicy = DriftPolicy.REPORT
    """Of targets whose values say nothing else."""
    drift_status: bool = False
    """Whether the state of all targets is posted as ``clusterops/drift`` on the head commit."""
    ignore: tuple[IgnoreRule, ...] = ()
    windows: tuple[Window, ...] = ()
    forge: ForgeFile | None = None
    management_clusters: tuple[str, ...] = ("default",)
    """Those that have a daemon: a region that names another one is nobody's."""
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """regions/<name>/region.yaml. ``facts`` is the file as it reaches a marked chart as ``.Values.region``."""

    name: str
    cloud: str
    namespace: str
    management: str = "default"
    component: str = ""
    """Directory of the region's Kustomize component, "" when it has none."""
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRecipe:
    """``values`` are the paths of the layers that exist, lowest first: cloud, region, cluster.

    ``sealed`` are those that SOPS encrypted.
    """

    chart: ChartRef
    values: tuple[str, ...]
    release: str
    sealed: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizeRecipe:
    """``directory`` holds the kustomization."""

    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecipe:
    """clusterctl templates: ``files`` with ${VARIABLES}, which ``values`` (key ``variables``) give."""

    files: tuple[str, ...]
    values: tuple[str, ...] = ()
    sealed: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRecipe:
    """Plain YAML files, in order."""

    files: tuple[str, ...]


Recipe = HelmRecipe | KustomizeRecipe | TemplateRecipe | PlainRecipe


def sealed_files(recipe: Recipe) -> tuple[str, ...]:
    """Its values files that SOPS encrypted."""
    return recipe.sealed if isinstance(recipe, HelmRecipe | TemplateRecipe) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One overlay of the fleet: ``<region>/<cluster>``, which is also namespace and name of its Cluster.

    ``region`` is None for ``shared/<name>``. ``problem`` says why it cannot be rendered at all (bad values, say):
    such a target is known, so it is never taken for deleted.
    """

    name: str
    fleet: str
    region: Region | None
    cluster: str
    namespace: str
    mode: Mode
    recipe: Recipe
    management: str = "default"
    cloud: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: RenderOptions = field(default_factory=RenderOptions)
    drift: DriftPolicy = DriftPolicy.REPORT
    problems: tuple[Problem, ...] = ()
    definition: str = ""
    """The file a person edits to change it: clusters/<region>/<cluster>/values.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One commit's fleet. ``problems`` belong to the whole fleet and stop everything; a target's stop that target."""

    file: FleetFile
    regions: Mapping[str, Region] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    deletions: tuple[DeletionKey, ...] = ()
    """Second keys, ordered by path."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unclaimed: tuple[Problem, ...] = ()
    """Regions that name a management cluster which fleet.yaml does not."""

    def keys_for(self, target: str) -> tuple[DeletionKey, ...]:
        return tuple(key for key in self.deletions if key.target == target)


def region_of(target: str) -> str:
    """``eu-west-1`` of ``eu-west-1/payments``; "" of ``shared/<name>``, which belongs to none."""
    region = target.partition("/")[0]
    return "" if region == "shared" else region


def is_shared(target: str) -> bool:
    """``shared/<name>`` and ``<region>/_shared``: what clusters of other targets use."""
    return target.startswith("shared/") or target.endswith("/_shared")
