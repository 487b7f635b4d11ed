"""Rows whose mistake is on the way to the management cluster, on it, or on the way to the repository.

Every row has a fleet, a region and a namespace of its own: what one leaves behind is nothing to another.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.shows.bad_inputs import Change, Row, closed_port
from tests.stage import Api

NOTES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
QUICK = {
    "CLUSTEROPS_CLUSTER_ATTEMPTS": "2",
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "6",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "5",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "0.2",
}
"""The same answers, sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The cluster, and what rows find on it before they begin."""

    sandbox: Sandbox
    home: Path

    @property
    def api(self) -> Api:
        return Api(self.sandbox)

    def prepare(self) -> None:
        self._identity("bad-nobody", [])
        self._identity("bad-reader", ["get", "list", "watch"])
        self._kubeconfig("admin", {})
        self._kubeconfig("gone", {}, server=f"https://127.0.0.1:{closed_port()}")
        (self.home / "broken.kubeconfig").write_text("clusters: [\n", encoding="utf-8")
        self._namespace("bad-terminating")
        self.api.send("DELETE", "/api/v1/namespaces/bad-terminating")
        self._namespace("bad-exists")
        flux = {"kustomize.toolkit.fluxcd.io/name": "clusters", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
        theirs = {"kind": "ConfigMap", "metadata": {"name": "notes", "labels": flux}}
        self._post("/api/v1/namespaces/bad-exists/configmaps", theirs)
        self._namespace("clusterops-system")
        self._held_lease("bad-lease")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.home / "empty.git")], check=True)

    def _identity(self, name: str, verbs: list[str]) -> None:
        """A kubeconfig of a ServiceAccount that may do this much with everything."""
        self._post("/api/v1/namespaces/default/serviceaccounts", {"kind": "ServiceAccount", "metadata": {"name": name}})
        token = self.api.send(
            "POST",
            f"/api/v1/namespaces/default/serviceaccounts/{name}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
        )["status"]["token"]
        self._kubeconfig(name, {"token": token})
        if verbs:
            rbac = "/apis/rbac.authorization.k8s.io/v1"
            rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}
            self._post(f"{rbac}/clusterroles", {"kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]})
            self._post(
                f"{rbac}/clusterrolebindings",
                {
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": name},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                    "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
                },
            )

    def _kubeconfig(self, name: str, user: dict[str, Any], server: str = "") -> None:
        ca = {"certificate-authority": str(self.sandbox.ca_file)}
        admin = {"client-certificate": str(self.sandbox.cert_file), "client-key": str(self.sandbox.key_file)}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server or self.sandbox.server, **ca}}],
            "users": [{"name": "u", "user": user or admin}],
        }
        (self.home / f"{name}.kubeconfig").write_text(json.dumps(body), encoding="utf-8")

    def _held_lease(self, fleet: str) -> None:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        spec = {"holderIdentity": "another-daemon", "leaseDurationSeconds": 3600, "renewTime": now, "acquireTime": now}
        self._post(
            "/apis/coordination.k8s.io/v1/namespaces/clusterops-system/leases",
            {"kind": "Lease", "metadata": {"name": f"clusterops-{fleet}"}, "spec": spec},
        )

    def _namespace(self, name: str) -> None:
        if self.api.get(f"/api/v1/namespaces/{name}") is None:
            self._post("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": name}})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        version = path.split("/namespaces", maxsplit=1)[0].removeprefix("/apis/").removeprefix("/api/").split("/")
        self.api.send("POST", path, {"apiVersion": "/".join(version[:2]) if "apis" in path else "v1", **body})


def fleet(name: str, objects: str = NOTES) -> dict[str, Change]:
    """Instead of the template's: one cluster ``<name>/web`` of plain YAML."""
    texts = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {name}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/cluster-dev}}}\n",
        f"regions/{name}/region.yaml": "cloud: dev\ncredentials: {}\n",
        f"clusters/{name}/web/objects.yaml": objects,
    }
    gone: dict[str, Change] = {
        "clusters/north": None,
        "clusters/south": None,
        "regions/north": None,
        "regions/south": None,
    }
    return {**gone, **{path: text.encode() for path, text in texts.items()}}


def _on(who: str, command: str) -> str:
    return f"{command} --kubeconfig HOME/{who}.kubeconfig"


FOO = "apiVersion: example.org/v1\nkind: Foo\nmetadata: {name: x}\n"
BAD_KEY = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {'a b': x}\n"
BAD_TYPE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {a: [1]}\n"
BAD_SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: hunter2!}\n"
NO_VERSION = """\
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: {name: web}
spec: {replicas: 1, machineTemplate: {spec: {infrastructureRef: {apiGroup: a.b, kind: X, name: x}}}}
"""

FIRST = Row(
    title="a first apply",
    command=_on("admin", "apply web"),
    exit=0,
    hint=False,
    environment=QUICK,
    files=fleet("bad-first"),
)
"""Goes before the others: it brings our own kinds."""

CLUSTER_ROWS = (
    Row(
        title="API server gone at plan",
        command=_on("gone", "plan"),
        exit=1,
        environment=QUICK,
        files=fleet("bad-gone"),
    ),
    Row(
        title="API server gone at apply",
        command=_on("gone", "apply --all"),
        exit=1,
        environment=QUICK,
        files=fleet("bad-gone"),
    ),
    Row(title="API server gone at status", command=_on("gone", "status"), exit=1, environment=QUICK),
    Row(title="no such kubeconfig", command=_on("none", "plan"), exit=1, files=fleet("bad-none")),
    Row(title="a broken kubeconfig", command=_on("broken", "status"), exit=1),
    Row(title="no such context", command=_on("admin", "status --context prod"), exit=1),
    Row(title="forbidden to read", command=_on("bad-nobody", "plan"), exit=1, files=fleet("bad-rbac")),
    Row(title="forbidden to read the status", command=_on("bad-nobody", "status"), exit=1),
    Row(title="forbidden to write", command=_on("bad-reader", "apply web"), exit=1, files=fleet("bad-rbac")),
    Row(
        title="a kind that is not served",
        command=_on("admin", "plan web"),
        exit=1,
        files=fleet("bad-kind", FOO),
    ),
    Row(
        title="an invalid object",
        command=_on("admin", "apply web"),
        exit=1,
        environment=QUICK,
        files=fleet("bad-key", BAD_KEY),
    ),
    Row(
        title="an object of the wrong type",
        command=_on("admin", "apply web"),
        exit=1,
        environment=QUICK,
        files=fleet("bad-type", BAD_TYPE),
    ),
    Row(
        title="a Cluster API object without a version",
        command=_on("admin", "apply web"),
        exit=1,
        environment=QUICK,
        files=fleet("bad-capi", NO_VERSION),
    ),
    Row(
        title="a Secret that is no base64",
        command=_on("admin", "apply web"),
        exit=1,
        secret="hunter2",
        environment=QUICK,
        files=fleet("bad-secret", BAD_SECRET),
    ),
    Row(
        title="a Namespace that is going",
        command=_on("admin", "apply web"),
        exit=3,
        environment=QUICK,
        files=fleet("bad-terminating"),
    ),
    Row(
        title="an object that Flux applies",
        command=_on("admin", "plan web"),
        exit=3,
        files=fleet("bad-exists"),
    ),
    Row(
        title="a Lease that a daemon holds",
        command=_on("admin", "apply web"),
        exit=3,
        environment=QUICK,
        files=fleet("bad-lease"),
    ),
    Row(
        title="a target of another management cluster",
        command=_on("admin", "plan web --management other"),
        exit=3,
        files=fleet("bad-elsewhere"),
    ),
    *(
        Row(title=title, command=_on("gone", f"run --repository {where} --listen 127.0.0.1:0"), until=code, exit=0)
        for title, where, code in (
            ("a daemon and no repository", "HOME/nowhere.git", "repository-"),
            ("a daemon and an empty repository", "HOME/empty.git", "repository-"),
            ("a daemon and a missing branch", "REPO --branch release", "branch-"),
            ("a daemon and a host that is down", "https://127.0.0.1:PORT/fleet.git", "repository-"),
        )
    ),
    Row(title="no daemon to ask", command=_on("admin", "reconcile bad-first/web"), exit=1),
    Row(
        title="changes",
        command=_on("admin", "plan web --detailed-exitcode"),
        exit=2,
        hint=False,
        files=fleet("bad-changes"),
    ),
)
