"""One cluster of the shipped chart, and four requests about it: what show 21 and tests/system/test_gitea.py share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.gitea.fleet import GiteaFleet
from tests.stage import ROOT

REGION: Final = "forged"
CAPI: Final = f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{REGION}"
SETTLES_S: Final = 300.0


def values(*, version: str = "v1.34.1", workers: int = 1) -> bytes:
    text = f"version: {version}\ncontrolPlane: {{replicas: 1}}\npools: {{general: {{replicas: {workers}}}}}\n"
    return text.encode()


def path(cluster: str) -> str:
    return f"clusters/{REGION}/{cluster}/values.yaml"


def ground(fleet: GiteaFleet) -> dict[str, bytes]:
    """With one cluster, alpha, of two machines."""
    chart = ROOT / "charts"
    files = {f"charts/{each.relative_to(chart)}": each.read_bytes() for each in chart.rglob("*") if each.is_file()}
    texts = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {fleet.name}\nmode: apply\n"
        f"clouds: {{dev: {{chart: {{path: charts/cluster-dev}}}}}}\n{fleet.forge}"
        "policy: {budgets: {machinesReplaced: 1}}\n",
        "clouds/dev/values.yaml": "sizes: {small: 1s, medium: 1s, large: 1s}\n",
        f"regions/{REGION}/region.yaml": "cloud: dev\ncredentials: {}\n",
    }
    return files | {where: text.encode() for where, text in texts.items()} | {path("alpha"): values()}


REQUESTS: Final[Mapping[str, Mapping[str, bytes]]] = {
    "create": {path("beta"): values()},
    "resize": {path("alpha"): values(workers=2)},
    "break": {"charts/cluster-dev/templates/broken.yaml": b"a: {{ .Values.nothing.at.all }}\n"},
    "exceed": {path("alpha"): values(version="v1.35.0")},
}
"""Two may go in; ``exceed`` replaces both machines of alpha, where one may be replaced."""


def machines(fleet: GiteaFleet) -> dict[str, int]:
    """By cluster."""
    counts: dict[str, int] = {}
    for machine in fleet.api.items(f"{CAPI}/machines"):
        name = machine["spec"]["clusterName"]
        counts[name] = counts.get(name, 0) + 1
    return counts
