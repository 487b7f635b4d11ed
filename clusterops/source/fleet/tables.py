"""The schema of every file that ClusterOps itself reads: fleet.yaml, region.yaml and the ``clusterops:`` block.

This is the contract with the people who write them. Every key stands here with its shape, its default and what it is
for; the errors are made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clusterops.model.document import Pointer
from clusterops.source.fleet.schema import (
    Choice,
    Day,
    Duration,
    Finding,
    Flag,
    Key,
    ListOf,
    MapOf,
    RepositoryPath,
    Share,
    Table,
    Text,
    TimeZone,
    WeekHours,
    Whole,
)

API_VERSION: Final = "clusterops.io/v1alpha1"
FLEET_FILE_KIND: Final = "FleetFile"
DNS_LABEL: Final = Text("a DNS label", r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "eu-west-1")
"""**Source:** RFC 1123 labels as Kubernetes has them, apimachinery pkg/util/validation IsDNS1123Label."""
VERSION: Final = Text("a version", r"v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?", "v1.34.1")
_LABEL_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABELS: Final = MapOf(
    Text("a label value", rf"({_LABEL_NAME})?", "late"),
    Text("a label key", rf"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_LABEL_NAME}", "ring"),
    nullable=True,
)
_TEXTS: Final = ListOf(Text())
_BUDGET_NAMES: Final = ("clustersDeleted", "poolsDeleted", "machinesRemoved", "machinesReplaced")


def _one_chart(value: Mapping[str, Any], pointer: Pointer) -> Iterator[Finding]:
    by_reference = [key for key in ("repository", "name", "version") if value.get(key) is not None]
    if (value.get("path") is not None) == bool(by_reference) or len(by_reference) not in {0, 3}:
        yield Finding(
            code="chart-reference",
            pointer=pointer,
            message="is neither a chart of this repository nor a complete reference to one",
            hint="write {path: charts/NAME}, or {repository: oci://…, name: NAME, version: 1.2.3}",
        )


CHART: Final = Table(
    of="a chart",
    rule=_one_chart,
    keys={
        "path": Key(shape=RepositoryPath(), about="a directory of this repository that holds a Chart.yaml"),
        "repository": Key(shape=Text("a repository's address", example="oci://registry.example.org/charts")),
        "name": Key(shape=Text()),
        "version": Key(shape=Text("a version in quotes", example="0.4.2")),
    },
)

_DRIFT_POLICY: Final = Key(shape=Choice(("report", "heal")), default="report", about="what drift leads to")
DRIFT: Final = Table(of="drift", keys={"policy": _DRIFT_POLICY})
_FLEETS_DRIFT: Final = Table(
    of="drift",
    keys={
        "policy": _DRIFT_POLICY,
        "status": Key(shape=Flag(), default="false", about="posts the commit status clusterops/drift"),
    },
)

_BUDGETS: Final = Table(
    of="budgets", keys={name: Key(shape=Share(), about="most per commit") for name in _BUDGET_NAMES}
)

_EXCEPTION: Final = Table(
    of="an exception",
    keys={
        "budget": Key(shape=Choice(_BUDGET_NAMES), required=True, about="which budget is widened"),
        "region": Key(shape=DNS_LABEL, required=True, about="where"),
        "limit": Key(shape=Share(), required=True, about="to how much"),
        "reason": Key(shape=Text(), required=True, about="why, with the change's number"),
        "expires": Key(shape=Day(), required=True, about="the last day on which it counts"),
    },
)

_UID: Final = Text("a uid", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10")

DELETION: Final = Table(
    of="a deletion",
    keys={
        "target": Key(
            shape=Text("a target", r"[a-z0-9][-a-z0-9]*/_?[a-z0-9][-a-z0-9]*", "fra1/search"),
            required=True,
            about="which cluster, for example `target: fra1/search`",
        ),
        "uid": Key(shape=_UID, required=True, about="of the live Cluster: `clusterops delete` writes it"),
        "reason": Key(shape=Text(), required=True, about="why, with the change's number"),
        "expires": Key(shape=Day(), required=True, about="the last day on which it counts"),
    },
)
"""A file of deletions/: the second key."""

_POLICY: Final = Table(
    of="policy",
    keys={
        "budgets": Key(
            shape=_BUDGETS,
            default="{clustersDeleted: 1, poolsDeleted: 1, machinesRemoved: 10%, machinesReplaced: 20%}",
            about="per commit and region",
        ),
        "fleetBudgets": Key(shape=_BUDGETS, default="none", about="per commit, whole fleet"),
        "exceptions": Key(shape=ListOf(_EXCEPTION), default="[]", about="for one planned change, in the same commit"),
        "deletionKeyDays": Key(shape=Whole(1), default="7", about="how far ahead a second key may expire"),
        "signedCommits": Key(shape=Flag(), default="false"),
    },
)

_PACE: Final = {
    "canaries": Key(shape=_LABELS, default="one cluster per region", about="clusters with these labels go first"),
    "soak": Key(shape=Duration(), default="30m"),
    "maxConcurrentClusters": Key(shape=Whole(1), default="5"),
    "maxMachinesInFlight": Key(shape=Whole(1), default="30"),
}
_OWN_PACE: Final = Table(of="a pace", keys=_PACE)

_ROLLOUT: Final = Table(
    of="rollout",
    keys={
        **_PACE,
        "regions": Key(shape=MapOf(_OWN_PACE), default="{}", about="a pace of its own, counted apart"),
        "clouds": Key(shape=MapOf(_OWN_PACE), default="{}", about="likewise; a region goes before its cloud"),
        "rings": Key(
            shape=ListOf(Text("a value of the label `ring`")),
            default="[]",
            about='the order of the rest, for example `[early, "*", late]`; `*` stands for all others',
        ),
        "haltAfterFailures": Key(shape=Whole(1), default="1", about="then the rest is held"),
        "settleTimeout": Key(shape=Duration(), default="90m"),
    },
)

_FORGE: Final = Table(
    of="forge",
    keys={
        "kind": Key(shape=Choice(("github", "gitlab", "gitea", "forgejo")), required=True, about="which forge"),
        "repository": Key(shape=Text("OWNER/NAME", r"[^/\s]+(/[^/\s]+)+", "platform/fleet"), required=True),
        "perClusterStatusUpTo": Key(shape=Whole(), default="10"),
    },
)

_HOURS: Final = WeekHours()


def _opens_or_closes(value: Mapping[str, Any], pointer: Pointer) -> Iterator[Finding]:
    if value.get("allow") is None and value.get("deny") is None:
        yield Finding(
            code="window-empty",
            pointer=pointer,
            message="neither allows nor denies anything",
            hint='give `allow: "Mon-Thu 08:00-15:00"`, `deny:`, or both',
        )


_WINDOW: Final = Table(
    of="a window",
    rule=_opens_or_closes,
    keys={
        "targets": Key(shape=Text("a pattern of targets", example="*/payments"), required=True, about="which targets"),
        "allow": Key(shape=_HOURS, about="when commits may begin and drift may be healed; several windows add up"),
        "deny": Key(shape=_HOURS, about="when it may not, whatever allows it"),
        "timezone": Key(shape=TimeZone(), default="UTC"),
    },
)


def _bounded(value: Mapping[str, Any], pointer: Pointer) -> Iterator[Finding]:
    if not value.get("pointers") and not value.get("managers"):
        yield Finding(
            code="ignore-rule-unbounded",
            pointer=pointer,
            message=f"would ignore every change of every {value['kind']}",
            hint="give `pointers: [/spec/replicas]`, `managers: [cluster-autoscaler]`, or both",
        )


_IGNORE: Final = Table(
    of="an ignore rule",
    rule=_bounded,
    keys={
        "kind": Key(shape=Text(), required=True, about="the kind of the objects, or a glob as all of these"),
        "group": Key(
            shape=Text("an API group", example="cluster.x-k8s.io", empty=True),
            default='"*"',
            about='the API group of the kind, "" for core',
        ),
        "name": Key(shape=Text(), default='"*"'),
        "namespace": Key(shape=Text(), default='"*"'),
        "pointers": Key(
            shape=ListOf(Text("a JSON pointer", r"/.*", "/spec/replicas")),
            default="all fields",
            about="a pointer takes in all that lies below it; `*` is any one token",
        ),
        "managers": Key(shape=_TEXTS, default="all managers", about="field managers that may change the fields"),
    },
)

_RENDER: Final = Table(
    of="render",
    keys={
        "kubeVersion": Key(shape=VERSION, default="v1.34.0", about="what helm is told"),
        "apiVersions": Key(shape=_TEXTS, default="[]"),
    },
)

_SOURCE: Final = Table(
    of="a source",
    keys={
        "repository": Key(shape=Text("a repository's address", example="https://git.example.org/x"), required=True),
        "revision": Key(shape=Text("a full commit id", r"[0-9a-f]{40}"), required=True),
    },
)

_EXTRA_TARGETS: Final = Table(
    of="targets",
    keys={
        "match": Key(shape=Text(), required=True, about="a pattern of files"),
        "name": Key(shape=Text(), required=True, about="the target's name, with {dir}"),
        "namespace": Key(shape=Text()),
        "release": Key(shape=Text()),
        "chart": Key(shape=CHART),
        "values": Key(shape=_TEXTS),
    },
)

_CLOUD: Final = Table(of="a cloud", keys={"chart": Key(shape=CHART, about="renders the clusters of this cloud")})

FLEET_FILE: Final = Table(
    of="fleet.yaml",
    keys={
        "apiVersion": Key(shape=Choice((API_VERSION,)), required=True),
        "kind": Key(shape=Choice((FLEET_FILE_KIND,)), required=True),
        "name": Key(shape=DNS_LABEL, required=True, about="the fleet's identity, for example `name: platform`"),
        "mode": Key(shape=Choice(("observe", "apply")), default="observe", about="observe writes to no cluster"),
        "clouds": Key(
            shape=MapOf(_CLOUD, DNS_LABEL),
            required=True,
            about="which chart renders a cloud's clusters: `clouds: {NAME: {chart: {path: charts/NAME}}}`",
        ),
        "forge": Key(shape=_FORGE, default="none", about="where requests and commit statuses are"),
        "policy": Key(shape=_POLICY, about="what a commit may do without a second key"),
        "rollout": Key(shape=_ROLLOUT, about="pace of every commit that touches more than one cluster"),
        "drift": Key(shape=_FLEETS_DRIFT),
        "windows": Key(shape=ListOf(_WINDOW), default="[]"),
        "ignore": Key(shape=ListOf(_IGNORE), default="[]"),
        "management": Key(
            shape=ListOf(DNS_LABEL), default="[default]", about="management clusters that regions may name"
        ),
        "providers": Key(shape=MapOf(VERSION), default="what is installed"),
        "render": Key(shape=_RENDER),
        "sources": Key(shape=MapOf(_SOURCE), default="{}", about="other repositories, read-only", later=True),
        "targets": Key(shape=ListOf(_EXTRA_TARGETS), default="[]", about="beside clusters/", later=True),
    },
)

REGION_FILE: Final = Table(
    of="region.yaml",
    keys={
        "cloud": Key(shape=DNS_LABEL, required=True, about="one of `clouds` in fleet.yaml, for example `cloud: aws`"),
        "management": Key(shape=DNS_LABEL, default="default", about="which management cluster owns the region"),
        "namespace": Key(shape=DNS_LABEL, default="the region's name"),
        "credentials": Key(
            shape=Table(
                of="credentials",
                keys={
                    "secret": Key(shape=Text(), about="an existing Secret"),
                    "cloud": Key(shape=Text(), about="the entry in its clouds.yaml"),
                    "identity": Key(
                        shape=Table(
                            of="identity",
                            keys={"kind": Key(shape=Text(), required=True), "name": Key(shape=Text(), required=True)},
                        )
                    ),
                },
            ),
            required=True,
            about="`credentials: {secret: NAME}`, or `credentials: {}` where the provider needs none",
        ),
        "failureDomains": Key(shape=_TEXTS, default="[]"),
        "networks": Key(
            shape=Table(
                of="networks",
                open=True,
                keys={
                    "external": Key(shape=Text()),
                    "routingDomain": Key(shape=Text()),
                    "nodes": Key(shape=Text("an address range", r"[0-9a-fA-F.:]+/[0-9]{1,3}", "10.64.0.0/14")),
                    "vpc": Key(shape=Text()),
                    "subnets": Key(shape=_TEXTS),
                },
            ),
            about="facts of the region's networks; a chart of your own may read more keys",
        ),
    },
)

BLOCK: Final = Table(
    of="the `clusterops:` block",
    keys={
        "chart": Key(shape=CHART, about="instead of the cloud's"),
        "mode": Key(shape=Choice(("observe", "apply")), about="instead of fleet.yaml's"),
        "namespace": Key(shape=DNS_LABEL, about="instead of the region's"),
        "labels": Key(shape=_LABELS, about="what canaries, windows and lists select by"),
        "drift": Key(shape=DRIFT, about="instead of fleet.yaml's"),
    },
)

VALUES_FILE: Final = Table(of="a values file", open=True, keys={"clusterops": Key(shape=BLOCK)})
"""What we read of a values file ourselves; the rest is the chart's."""
