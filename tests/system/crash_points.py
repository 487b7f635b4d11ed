"""One sync, killed around its n-th request, and the next run: what stands afterwards must be whole."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.stage import Api, Audit, Daemon, Repository, until
from tests.system.killing_proxy import KillingProxy, When

KINDS = (
    ("Cluster", "/apis/cluster.x-k8s.io/v1beta2/namespaces/{}/clusters"),
    ("KubeadmControlPlane", "/apis/controlplane.cluster.x-k8s.io/v1beta2/namespaces/{}/kubeadmcontrolplanes"),
    ("DevCluster", "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devclusters"),
    ("DevMachineTemplate", "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devmachinetemplates"),
    ("ConfigMap", "/api/v1/namespaces/{}/configmaps"),
)

_OBJECTS = """\
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: web}
spec:
  clusterNetwork: {pods: {cidrBlocks: ["10.244.0.0/16"]}}
  controlPlaneRef: {apiGroup: controlplane.cluster.x-k8s.io, kind: KubeadmControlPlane, name: web-cp}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevCluster, name: web}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevCluster
metadata: {name: web}
spec: {backend: {inMemory: {}}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevMachineTemplate
metadata: {name: web-cp}
spec: {template: {spec: {backend: {inMemory: {}}}}}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: {name: web-cp}
spec:
  replicas: REPLICAS
  version: v1.34.0
  machineTemplate:
    spec: {infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevMachineTemplate, name: web-cp}}
  kubeadmConfigSpec:
    initConfiguration: {nodeRegistration: {criSocket: "unix:///run/c.sock"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: CONFIG}
data: {a: b}
"""


def fleet_files(name: str, *, replicas: int, config: str) -> dict[str, bytes]:
    """A fleet called ``name`` whose one region is called so too, with one cluster of plain YAML."""
    files = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {name}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/unused}}}\n",
        "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
        f"regions/{name}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
        f"clusters/{name}/web/objects.yaml": _OBJECTS.replace("REPLICAS", str(replicas)).replace("CONFIG", config),
    }
    return {path: text.encode() for path, text in files.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a killed sync ended: what was asked before the kill, and what is wrong after the next run."""

    killed_at: str
    requests: int
    wrong: tuple[str, ...]


@dataclass(slots=True)
class CrashStage:
    """A place to play crashes: each in a fleet, region and namespace of its own on one API server."""

    sandbox: Sandbox
    home: Path
    tools: dict[str, Path]
    proxy: KillingProxy

    def crash_on_create(self, name: str, at: int, when: When) -> Ending:
        """The first sync of a fleet, killed around request ``at`` (0: never)."""
        repository = Repository(self.home / f"{name}.git")
        repository.create(fleet_files(name, replicas=1, config="first"))
        return self._play(name, repository, at, when, replicas=1, config="first")

    def crash_on_change(self, name: str, at: int, when: When) -> Ending:
        """A commit that updates one object, creates one and prunes one, killed around request ``at``."""
        repository = Repository(self.home / f"{name}.git")
        repository.create(fleet_files(name, replicas=1, config="first"))
        daemon = self._daemon(name, repository)
        daemon.start()
        daemon.until_event("commit applied", commit=repository.head[:7])
        daemon.stop()
        repository.commit(fleet_files(name, replicas=3, config="second"))
        return self._play(name, repository, at, when, replicas=3, config="second")

    def _play(self, name: str, repository: Repository, at: int, when: When, *, replicas: int, config: str) -> Ending:
        assert self.sandbox.audit_log is not None
        audit, before = Audit.from_now(self.sandbox.audit_log), self._uids(name)
        daemon = self._daemon(name, repository)
        self.proxy.arm(at, when, daemon.kill)
        daemon.start()
        with contextlib.suppress(AssertionError):
            daemon.until_event("commit applied", commit=repository.head[:7])
        requests = len(self.proxy.seen)
        killed_at = self.proxy.seen[at - 1] if 0 < at <= requests else ""
        daemon.kill()
        self.proxy.arm(0, "before", lambda: None)
        daemon.start()
        try:
            daemon.until_event("commit applied", commit=repository.head[:7])
        finally:
            # A pass writes its end when its waiting ends; nothing settles here, so stopping is what ends it.
            daemon.stop()
        self._until_recorded(name)
        wrong = self._wrong(name, before, replicas=replicas, config=config)
        deleted = [each for each in audit.writes() if each.startswith("delete ") and f" {name}/" in each]
        expected = [f"delete configmaps {name}/first 200"] if config == "second" else []
        surplus = [each for each in deleted if each not in expected]
        return Ending(
            killed_at=killed_at, requests=requests, wrong=(*wrong, *(f"unexpected {each}" for each in surplus))
        )

    def _daemon(self, name: str, repository: Repository) -> Daemon:
        kubeconfig = self.proxy.kubeconfig(self.home / f"{name}.kubeconfig")
        return Daemon(
            repository.directory,
            kubeconfig,
            self.home / f"daemon-{name}",
            environment={
                "CLUSTEROPS_RENDER_HELM": str(self.tools["helm"]),
                "CLUSTEROPS_RENDER_KUSTOMIZE": str(self.tools["kustomize"]),
            },
            after_kill=lambda: self._api.forget(name),
        )

    def _until_recorded(self, name: str) -> None:
        def applied() -> bool:
            entries = ((self._target(name) or {}).get("inventory") or {}).get("entries") or []
            return bool(entries) and all(entry["state"] == "applied" and entry["uid"] for entry in entries)

        until(f"the record of {name}", applied)

    def _wrong(self, name: str, before: dict[str, str], *, replicas: int, config: str) -> list[str]:
        """Everything that is not as git has it, or not in the inventory, or was made anew."""
        uids = self._uids(name)
        wanted = {"Cluster/web", "DevCluster/web", "DevMachineTemplate/web-cp", "KubeadmControlPlane/web-cp"}
        wanted.add(f"ConfigMap/{config}")
        wrong = [f"missing {key}" for key in sorted(wanted - uids.keys())]
        wrong += [f"left over {key}" for key in sorted(uids.keys() - wanted)]
        wrong += [f"made anew {key}" for key, uid in before.items() if key in uids and uids[key] != uid]
        entries = self._target(name)["inventory"]["entries"]
        listed = {
            f"{entry['key'].split('.')[0].split('/')[0]}/{entry['key'].rsplit('/', 1)[1]}": entry["uid"]
            for entry in entries
        }
        wrong += [f"not in the inventory {key}" for key, uid in uids.items() if listed.get(key) != uid]
        wrong += [f"only in the inventory {key}" for key in listed if key not in uids]
        control_plane = self._api.get(f"{KINDS[1][1].format(name)}/web-cp") or {"spec": {}}
        if control_plane["spec"].get("replicas") != replicas:
            wrong.append(f"replicas {control_plane['spec'].get('replicas')} instead of {replicas}")
        return wrong

    def _uids(self, name: str) -> dict[str, str]:
        found = {}
        for kind, path in KINDS:
            for item in self._api.items(path.format(name)):
                if item["metadata"]["name"] != "kube-root-ca.crt":
                    found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["uid"]
        return found

    def _target(self, name: str) -> Any:
        return self._api.get(f"/apis/clusterops.io/v1alpha1/namespaces/{name}/fleettargets/web")

    @property
    def _api(self) -> Api:
        return Api(self.sandbox)
