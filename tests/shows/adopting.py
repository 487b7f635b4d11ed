"""Live clusters that somebody applied with kubectl, in three styles of templates, and the fleet that adopts them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.model.canonical import digest_of
from tests.shows.impact_clusters import Bodies, cluster_class, plain, with_class
from tests.stage import until
from tests.system.plain_fleet import FleetStage

MACHINES: Final = 2
"""Of each cluster: one of the control plane, one worker."""
_PATHS: Final = {
    "Cluster": "cluster.x-k8s.io/v1beta2",
    "ClusterClass": "cluster.x-k8s.io/v1beta2",
    "MachineDeployment": "cluster.x-k8s.io/v1beta2",
    "KubeadmControlPlane": "controlplane.cluster.x-k8s.io/v1beta2",
    "KubeadmControlPlaneTemplate": "controlplane.cluster.x-k8s.io/v1beta2",
    "KubeadmConfigTemplate": "bootstrap.cluster.x-k8s.io/v1beta2",
}
_INFRASTRUCTURE: Final = "infrastructure.cluster.x-k8s.io/v1beta2"
_TEMPLATES: Final = ("devmachinetemplates", "kubeadmconfigtemplates", "devclustertemplates")


@dataclass(frozen=True, slots=True)
class Style:
    """``bodies`` are a cluster's objects in git; ``edit`` sets a label in the template of its workers' machines."""

    name: str
    bodies: Callable[[str, str], Bodies]


def fixed(name: str, note: str) -> Bodies:
    return _noted(plain(name, pools={"general": 1}), f"{name}-workers", note)


def hashed(name: str, note: str) -> Bodies:
    """As a chart does it: every template's name ends with a digest of its spec."""
    bodies = fixed(name, note)
    names = {
        (one["kind"], one["metadata"]["name"]): f"{one['metadata']['name']}-{digest_of(one['spec'])[:6]}"
        for one in bodies
        if one["kind"].endswith("Template")
    }
    for one in bodies:
        key = (one["kind"], one["metadata"]["name"])
        one["metadata"]["name"] = names.get(key, key[1])
        _rename(one["spec"], names)
    return bodies


def topology(name: str, note: str) -> Bodies:
    bodies = [*cluster_class(f"{name}-class"), with_class(name, f"{name}-class", pools={"general": 1})]
    return _noted(bodies, f"{name}-class-worker", note)


STYLES: Final = (Style("fixed", fixed), Style("hashed", hashed), Style("topology", topology))


@dataclass(slots=True)
class Adopting:
    """Clusters by name, each of one style; ``notes`` are their edits so far."""

    stage: FleetStage
    clusters: Mapping[str, Style]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.stage.name

    def bodies(self, name: str) -> Bodies:
        found = [copy.deepcopy(one) for one in self.clusters[name].bodies(name, self.notes.get(name, ""))]
        for one in found:
            one["metadata"] = {"name": one["metadata"]["name"], "namespace": self.namespace}
            if one["kind"] == "DevCluster":
                # Without any annotation, the dev provider panics.
                one["metadata"]["annotations"] = {"made-by": "kubectl"}
        return found

    def apply_by_hand(self) -> None:
        """As `kubectl apply` does: old clients POST with the whole object in an annotation, new ones apply."""
        self.stage.api.send("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        for number, name in enumerate(sorted(self.clusters)):
            for one in self.bodies(name):
                (self._post if number % 2 else self._apply)(one)

    def create(self) -> str:
        """The fleet repository with all clusters, budgets and pace wide open."""
        ground = {
            "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {self.namespace}\nmode: apply\n"
            "clouds: {dev: {chart: {path: charts/unused}}}\npolicy: {budgets: {machinesReplaced: 100%}}\n"
            "rollout: {soak: 0s, maxConcurrentClusters: 100, maxMachinesInFlight: 1000}\n",
            "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
            f"regions/{self.namespace}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
        }
        return self.stage.repository.create({path: text.encode() for path, text in ground.items()} | self._files())

    def edit(self, note: str) -> str:
        """The first real edit of each: another template for the workers' machines."""
        self.notes = dict.fromkeys(self.clusters, note)
        return self.stage.repository.commit(self._files(), note)

    def touch(self, text: str) -> str:
        """A change of every target that has nothing to do with machines."""
        return self.stage.repository.commit(self._files(label=text), text)

    def machines(self) -> dict[str, str]:
        """Uid of every Machine that is not going to its cluster and role: ``a/worker``."""
        found = self.stage.api.items(f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{self.namespace}/machines")
        return {one["metadata"]["uid"]: _place(one) for one in found if not one["metadata"].get("deletionTimestamp")}

    def until_running(self, within_s: float) -> None:
        def probe() -> bool:
            found = self.stage.api.items(f"/apis/cluster.x-k8s.io/v1beta2/namespaces/{self.namespace}/machines")
            running = [one for one in found if (one.get("status") or {}).get("phase") == "Running"]
            return len(running) == len(found) == MACHINES * len(self.clusters)

        until("the Machines of the clusters to run", probe, within_s=within_s, every_s=1)

    def templates(self) -> dict[str, set[str]]:
        """Names of templates that no topology made, by the cluster that their name begins with."""
        names: dict[str, set[str]] = {name: set() for name in self.clusters}
        for plural in _TEMPLATES:
            group = "bootstrap.cluster.x-k8s.io/v1beta2" if plural.startswith("kubeadm") else _INFRASTRUCTURE
            for one in self.stage.api.items(f"/apis/{group}/namespaces/{self.namespace}/{plural}"):
                metadata = one["metadata"]
                owner = next((name for name in names if metadata["name"].startswith(f"{name}-")), None)
                if owner and "topology.cluster.x-k8s.io/owned" not in (metadata.get("labels") or {}):
                    names[owner].add(f"{one['kind']}/{metadata['name']}")
        return names

    def add_provider_default(self) -> Callable[[], None]:
        """A provider upgrade that adds a field with a default; what is returned takes it back."""
        definition = "devmachinetemplates.infrastructure.cluster.x-k8s.io"
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}"
        before = self.stage.api.get(path)
        after = copy.deepcopy(before)
        for version in after["spec"]["versions"]:
            step = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            for name in ("template", "spec", "backend", "inMemory"):
                step = step["properties"].get(name, {}) if "properties" in step else {}
            if step:
                step.setdefault("properties", {})["added"] = {"type": "string", "default": "by-the-provider"}
        self.stage.api.send("PUT", path, after)
        until("the default to be served", self._shows_default, within_s=60)

        def restore() -> None:
            now = self.stage.api.get(path)
            now["spec"] = before["spec"]
            self.stage.api.send("PUT", path, now)

        return restore

    def _shows_default(self) -> bool:
        found = self.stage.api.items(f"/apis/{_INFRASTRUCTURE}/namespaces/{self.namespace}/devmachinetemplates")
        specs = [one["spec"]["template"]["spec"]["backend"]["inMemory"] for one in found]
        return bool(specs) and all(spec.get("added") == "by-the-provider" for spec in specs)

    def _files(self, label: str = "") -> dict[str, bytes]:
        files = {}
        for name in self.clusters:
            bodies = self.bodies(name)
            if label:
                cluster = next(one for one in bodies if one["kind"] == "Cluster")
                cluster["metadata"]["labels"] = {"touched": label}
            text = "---\n".join(json.dumps(one) + "\n" for one in bodies)
            files[f"clusters/{self.namespace}/{name}/objects.yaml"] = text.encode()
        return files

    def _post(self, one: dict[str, Any]) -> None:
        last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(one)}
        metadata = {**one["metadata"], "annotations": {**one["metadata"].get("annotations", {}), **last}}
        path = f"{self._path(one)}?fieldManager=kubectl-client-side-apply"
        self.stage.api.send("POST", path, {**one, "metadata": metadata})

    def _apply(self, one: dict[str, Any]) -> None:
        path = f"{self._path(one)}/{one['metadata']['name']}?fieldManager=kubectl"
        self.stage.api.send("PATCH", path, one, content_type="application/apply-patch+yaml")

    def _path(self, one: Mapping[str, Any]) -> str:
        plural = "clusterclasses" if one["kind"] == "ClusterClass" else f"{one['kind'].lower()}s"
        return f"/apis/{_PATHS.get(one['kind'], _INFRASTRUCTURE)}/namespaces/{self.namespace}/{plural}"


def replaced(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Places of the Machines that are gone, ordered."""
    return sorted(place for uid, place in before.items() if uid not in after)


def told_replaced(text: str) -> int:
    """The count in ``replaces 12 machines``; 0 where nothing is said of it."""
    found = re.search(r"replaces (\d+) machine", text)
    return int(found[1]) if found else 0


def by_style(places: Iterable[str], clusters: Mapping[str, Style]) -> dict[str, int]:
    counts = dict.fromkeys((style.name for style in STYLES), 0)
    for place in places:
        counts[clusters[place.partition("/")[0]].name] += 1
    return counts


def _place(machine: Mapping[str, Any]) -> str:
    plane = "cluster.x-k8s.io/control-plane" in machine["metadata"]["labels"]
    return f"{machine['spec']['clusterName']}/{'control-plane' if plane else 'worker'}"


def _noted(bodies: Bodies, template: str, note: str) -> Bodies:
    found = [copy.deepcopy(one) for one in bodies]
    for one in found:
        if note and one["kind"] == "DevMachineTemplate" and one["metadata"]["name"] == template:
            one["spec"]["template"]["metadata"] = {"labels": {"note": note}}
    return found


def _rename(value: Any, names: Mapping[tuple[str, str], str]) -> None:
    if isinstance(value, dict):
        key = (str(value.get("kind")), str(value.get("name")))
        if key in names:
            value["name"] = names[key]
        for child in value.values():
            _rename(child, names)
    elif isinstance(value, list):
        for child in value:
            _rename(child, names)
