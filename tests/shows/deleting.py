"""A cluster with everything that goes with it, and what the API server's request log says of its end.

Shared by show 12 and tests/system/test_deletion.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.stage import ROOT, Api, Audit, Daemon, Repository, until

CAPI = "/apis/cluster.x-k8s.io/v1beta2/namespaces"
INFRA = "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces"
_SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: CLUSTER-cloud-config}\nstringData: {clouds.yaml: '{}'}\n"
_COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [credentials.yaml]\n"


def key_text(target: str, uid: str, *, days: int = 3, reason: str = "CHG-2291") -> str:
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    return f"target: {target}\nuid: {uid}\nreason: {reason}\nexpires: {day}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A mutating request that went through."""

    at: datetime
    agent: str
    verb: str
    resource: str
    name: str
    precondition: str = ""
    """uid of a delete's preconditions, where the log has bodies."""

    @property
    def ours(self) -> bool:
        return self.agent.startswith("clusterops")

    @property
    def text(self) -> str:
        who = "clusterops" if self.ours else self.agent.partition("/")[0]
        said = f"  preconditions uid {self.precondition[:8]}" if self.precondition else ""
        return f"{self.at:%H:%M:%S.%f}"[:-3] + f"  {who:<24} {self.verb} {self.resource}/{self.name}{said}"


@dataclass(slots=True, kw_only=True)
class Deleting:
    """One region with one cluster by the shipped chart, and a daemon that can be killed."""

    region: str
    cluster: str
    sandbox: Sandbox
    home: Path
    tools: Mapping[str, Path]
    repository: Repository = field(init=False)
    daemon: Daemon = field(init=False)

    def __post_init__(self) -> None:
        self.repository = Repository(self.home / f"{self.region}.git")
        settings = {f"CLUSTEROPS_RENDER_{name.upper()}": str(path) for name, path in self.tools.items()}
        self.daemon = Daemon(
            self.repository.directory,
            self.sandbox.kubeconfig,
            self.home / f"daemon-{self.region}",
            environment=settings,
            after_kill=lambda: self.api.forget(self.region),
        )

    @property
    def target(self) -> str:
        return f"{self.region}/{self.cluster}"

    @property
    def api(self) -> Api:
        return Api(self.sandbox)

    def create(self, *, workers: int = 2) -> str:
        """The first commit."""
        chart = ROOT / "charts"
        files = {f"charts/{path.relative_to(chart)}": path.read_bytes() for path in chart.rglob("*") if path.is_file()}
        texts = {
            "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {self.region}\nmode: apply\n"
            "clouds: {dev: {chart: {path: charts/cluster-dev}}}\n",
            f"regions/{self.region}/region.yaml": "cloud: dev\ncredentials: {}\n",
            f"regions/{self.region}/kustomization.yaml": _COMPONENT,
            f"regions/{self.region}/credentials.yaml": _SECRET.replace("CLUSTER", self.cluster),
            f"clusters/{self.target}/values.yaml": f"version: v1.34.1\ncontrolPlane: {{replicas: 1}}\n"
            f"pools: {{general: {{replicas: {workers}, size: small}}}}\n",
            "clouds/dev/values.yaml": "sizes: {small: 1s, medium: 1s, large: 1s}\n",
        }
        return self.repository.create(files | {path: text.encode() for path, text in texts.items()})

    def drop(self) -> str:
        return self.repository.drop(f"clusters/{self.target}")

    def key(self, **how: Any) -> str:
        """Commits the second key for the live uid."""
        text = key_text(self.target, how.pop("uid", "") or self.uid, **how)
        return self.repository.commit({f"deletions/{self.cluster}.yaml": text.encode()}, "second key")

    @property
    def live(self) -> dict[str, Any]:
        return self.api.get(f"{CAPI}/{self.region}/clusters/{self.cluster}") or {}

    @property
    def uid(self) -> str:
        return str((self.live.get("metadata") or {}).get("uid", ""))

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in (self.live.get("metadata") or {})

    @property
    def record(self) -> dict[str, Any]:
        path = f"/apis/clusterops.io/v1alpha1/namespaces/{self.region}/fleettargets/{self.cluster}"
        return dict((self.api.get(path) or {}).get("status") or {})

    def left(self) -> list[str]:
        """``kind/name`` of everything in the namespace that a cluster has, besides what a Namespace always holds."""
        kinds = [
            f"{CAPI}/{self.region}/{kind}" for kind in ("clusters", "machinedeployments", "machines", "machinesets")
        ]
        kinds += [f"{CAPI}/{self.region}/machinehealthchecks"]
        kinds += [f"{INFRA}/{self.region}/{kind}" for kind in ("devclusters", "devmachines", "devmachinetemplates")]
        kinds += [f"/apis/bootstrap.cluster.x-k8s.io/v1beta2/namespaces/{self.region}/kubeadmconfigtemplates"]
        kinds += [f"/apis/controlplane.cluster.x-k8s.io/v1beta2/namespaces/{self.region}/kubeadmcontrolplanes"]
        kinds += [f"/api/v1/namespaces/{self.region}/secrets"]
        return [
            f"{path.rpartition('/')[2]}/{one['metadata']['name']}" for path in kinds for one in self.api.items(path)
        ]

    def verdict(self, commit: str, context: str, *, within_s: float = 240) -> dict[str, str]:
        def probe() -> str:
            self.daemon.must_run()
            return self.repository.verdict(commit, context)

        until(f"{context} of {commit[:7]}", probe, within_s=within_s, every_s=0.2)
        return self.repository.statuses(commit)[context]

    def hold(self, finalizer: str) -> None:
        """A finalizer that nobody removes, on the infrastructure."""
        self._finalizers([*self._infrastructure.get("finalizers", []), finalizer])

    def release(self, finalizer: str) -> None:
        self._finalizers([one for one in self._infrastructure.get("finalizers", []) if one != finalizer])

    @property
    def _infrastructure(self) -> dict[str, Any]:
        return dict((self.api.get(f"{INFRA}/{self.region}/devclusters/{self.cluster}") or {}).get("metadata") or {})

    def _finalizers(self, wanted: list[str]) -> None:
        self.api.send(
            "PATCH",
            f"{INFRA}/{self.region}/devclusters/{self.cluster}",
            {"metadata": {"finalizers": wanted}},
            content_type="application/merge-patch+json",
        )


def requests(audit: Audit, namespace: str) -> list[Request]:
    """Every mutating request of anybody in a namespace that the server took, in the order of arrival."""
    return sorted(_requests(audit, namespace), key=lambda request: request.at)


def _requests(audit: Audit, namespace: str) -> Iterator[Request]:
    with audit.path.open("rb") as log:
        log.seek(audit.offset)
        for line in log:
            event = json.loads(line) if line.endswith(b"\n") else {}
            reference = event.get("objectRef") or {}
            code = (event.get("responseStatus") or {}).get("code", 500)
            if event.get("stage") != "ResponseComplete" or reference.get("namespace") != namespace or code >= 400:
                continue
            if event["verb"] in {"create", "update", "patch", "delete"} and "dryRun" not in event["requestURI"]:
                options = event.get("requestObject") or {} if event["verb"] == "delete" else {}
                yield Request(
                    at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
                    agent=event.get("userAgent", ""),
                    verb=event["verb"],
                    resource="/".join(
                        part for part in (reference.get("resource"), reference.get("subresource")) if part
                    ),
                    name=reference.get("name", ""),
                    precondition=str((options.get("preconditions") or {}).get("uid") or ""),
                )


def wrong_order(found: list[Request], *, uid: str = "") -> list[str]:
    """What is wrong with the order of a deletion, [] when nothing is.

    Ours delete the Cluster first and once, everything else only after the last write to it, Secrets after all others.
    """
    ours = [one for one in found if one.ours and one.verb == "delete"]
    if not ours or ours[0].resource != "clusters":
        return [f"the first delete of ours is {ours[0].text if ours else 'missing'}"]
    wrong = []
    if uid and ours[0].precondition != uid:
        wrong.append(f"the Cluster was deleted with precondition {ours[0].precondition!r}, not {uid}")
    last_of_cluster = max(one.at for one in found if one.resource in {"clusters", "clusters/status"})
    early = [one.text for one in ours[1:] if one.at < last_of_cluster]
    wrong += [f"before the Cluster was gone: {text}" for text in early]
    secrets = [one.at for one in ours if one.resource == "secrets"]
    late = [one.text for one in ours if one.resource != "secrets" and secrets and one.at > min(secrets)]
    wrong += [f"after a Secret: {text}" for text in late]
    owners = {"kubeadmcontrolplanes", "devclusters", "machinedeployments"}
    wrong += [f"left to Cluster API: {one.text}" for one in ours if one.resource in owners]
    return wrong
