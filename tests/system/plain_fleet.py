"""A fleet of plain objects with a daemon on it: settles at once, or when a test says so, without any controller."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.stage import LEASE, LEASES, ROOT, WITHIN_S, Api, Audit, Daemon, Repository, until


def config(name: str, value: str, *, namespace: str = "") -> str:
    """A ConfigMap: healthy as soon as it is there."""
    place = f", namespace: {namespace}" if namespace else ""
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{place}}}\ndata: {{value: "{value}"}}\n'


def claim(name: str) -> str:
    """A PersistentVolumeClaim: healthy once `FleetStage.settle` says so, as nothing binds it here."""
    return (
        f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\n"
        "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
    )


def cluster(name: str) -> str:
    """A Cluster that is never pruned and, without controllers, never settles."""
    return (
        f"apiVersion: cluster.x-k8s.io/v1beta2\nkind: Cluster\nmetadata: {{name: {name}}}\n"
        'spec: {clusterNetwork: {pods: {cidrBlocks: ["10.244.0.0/16"]}}}\n'
    )


@dataclass(slots=True, kw_only=True)
class FleetStage:
    """One fleet called ``name`` with one region of that name; its targets are ``<name>/<target>``."""

    name: str
    home: Path
    sandbox: Sandbox
    tools: Mapping[str, Path]
    mode: str = "apply"
    daemons: list[Daemon] = field(default_factory=list)
    repository: Repository = field(init=False)

    def __post_init__(self) -> None:
        self.repository = Repository(self.home / f"{self.name}.git")

    @property
    def api(self) -> Api:
        return Api(self.sandbox)

    def files(self, **targets: str) -> dict[str, bytes]:
        """Of the targets alone; their names are keys, their objects the values."""
        return {f"clusters/{self.name}/{name}/objects.yaml": text.encode() for name, text in targets.items()}

    def create(self, **targets: str) -> str:
        ground = {
            "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {self.name}\nmode: {self.mode}\n"
            "clouds: {dev: {chart: {path: charts/unused}}}\n",
            "charts/unused/Chart.yaml": "apiVersion: v2\nname: unused\nversion: 0.1.0\n",
            f"regions/{self.name}/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
        }
        return self.repository.create({path: text.encode() for path, text in ground.items()} | self.files(**targets))

    def commit(self, **targets: str) -> str:
        return self.repository.commit(self.files(**targets))

    def unrelated(self, text: str = "words") -> str:
        return self.repository.commit({"README.md": text.encode()}, text)

    def daemon(self, kubeconfig: Path | None = None, **environment: str) -> Daemon:
        """A further process on this fleet, not started."""
        daemon = Daemon(
            self.repository.directory,
            kubeconfig or self.sandbox.kubeconfig,
            self.home / f"{self.name}-{len(self.daemons)}",
            environment={
                "CLUSTEROPS_RENDER_HELM": str(self.tools["helm"]),
                "CLUSTEROPS_RENDER_KUSTOMIZE": str(self.tools["kustomize"]),
                "CLUSTEROPS_DAEMON_BACKOFF_FIRST_S": "0.2",
                "CLUSTEROPS_DAEMON_BACKOFF_MAX_S": "1",
                **environment,
            },
            after_kill=lambda: self.api.forget(self.name),
        )
        self.daemons.append(daemon)
        return daemon

    def reset(self, commit: str) -> None:
        """A force-push."""
        self.git("update-ref", "refs/heads/main", commit)

    def git(self, *arguments: str) -> str:
        """In the bare repository."""
        return subprocess.run(
            ["git", "-C", str(self.repository.directory), *arguments], check=True, capture_output=True, text=True
        ).stdout

    def started(self, **environment: str) -> Daemon:
        daemon = self.daemon(None, **environment)
        daemon.start()
        return daemon

    def until_verdict(
        self, commit: str, context: str = "clusterops/apply", *, within_s: float = WITHIN_S
    ) -> dict[str, str]:
        """The context's {state, text, at} once it is no longer pending; the last daemon must not end meanwhile."""

        def probe() -> str:
            self.daemons[-1].must_run()
            return self.repository.verdict(commit, context)

        until(f"{context} of {commit[:7]}", probe, within_s=within_s)
        return self.repository.statuses(commit)[context]

    def until_text(self, commit: str, context: str, part: str) -> None:
        def probe() -> bool:
            return part in self.repository.statuses(commit).get(context, {}).get("text", "")

        until(f"{part!r} in {context} of {commit[:7]}", probe)

    def target(self, name: str) -> dict[str, Any]:
        """The FleetTarget, {} while there is none."""
        return self.api.get(f"/apis/clusterops.io/v1alpha1/namespaces/{self.name}/fleettargets/{name}") or {}

    def phase(self, name: str) -> str:
        return str((self.target(name).get("status") or {}).get("phase", ""))

    def until_phase(self, name: str, phase: str) -> None:
        until(f"{self.name}/{name} {phase}", lambda: self.phase(name) == phase)

    @property
    def fleet(self) -> dict[str, Any]:
        return self.api.get(self.fleet_path) or {}

    @property
    def fleet_path(self) -> str:
        return f"/apis/clusterops.io/v1alpha1/namespaces/clusterops-system/fleets/{self.name}"

    @property
    def lease_path(self) -> str:
        return f"{LEASES}/clusterops-{self.name}"

    @property
    def holder(self) -> str:
        return str(((self.api.get(self.lease_path) or {}).get("spec") or {}).get("holderIdentity") or "")

    def value(self, name: str) -> str:
        """Of a ConfigMap of `config`, "" when it is not there."""
        found = self.api.get(f"/api/v1/namespaces/{self.name}/configmaps/{name}") or {}
        return str((found.get("data") or {}).get("value", ""))

    def settle(self, name: str) -> None:
        """Binds a `claim`."""
        self.patch(
            f"/api/v1/namespaces/{self.name}/persistentvolumeclaims/{name}/status", {"status": {"phase": "Bound"}}
        )

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        self.api.send("PATCH", path, body, content_type="application/merge-patch+json")

    def audit(self) -> Audit:
        assert self.sandbox.audit_log is not None
        return Audit.from_now(self.sandbox.audit_log)

    def writes(self, audit: Audit) -> list[str]:
        """Of this fleet, without its Lease, and without the Fleet, which is told of a commit's end a moment later."""
        return [each for each in self.all_writes(audit) if " fleets " not in each]

    def all_writes(self, audit: Audit) -> list[str]:
        """With the Fleet's."""
        mine = (f" {self.name}/", f"/{self.name} ")
        return [each for each in audit.writes() if " leases " not in each and any(part in each for part in mine)]

    def command(self, *arguments: str, kubeconfig: Path | None = None, **environment: str) -> Answer:
        """`clusterops …` on a checkout of the branch's head."""
        checkout = self.home / f"{self.name}-checkout"
        if not checkout.exists():
            subprocess.run(["git", "clone", "-q", str(self.repository.directory), str(checkout)], check=True)
        subprocess.run(["git", "-C", str(checkout), "fetch", "-q", "origin"], check=True)
        subprocess.run(["git", "-C", str(checkout), "reset", "-q", "--hard", "origin/main"], check=True)
        found = subprocess.run(
            [sys.executable, "-m", "clusterops", *arguments],
            cwd=checkout,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "HOME": str(self.home),
                "KUBECONFIG": str(kubeconfig or self.sandbox.kubeconfig),
                **self._by_hand(),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        return Answer(found.returncode, found.stdout, found.stderr)

    def _by_hand(self) -> dict[str, str]:
        return {
            "CLUSTEROPS_CACHE_DIR": str(self.home / "cache-by-hand"),
            "CLUSTEROPS_RENDER_HELM": str(self.tools["helm"]),
            "CLUSTEROPS_RENDER_KUSTOMIZE": str(self.tools["kustomize"]),
            **LEASE,
        }

    def account(self, name: str, rules: list[dict[str, Any]]) -> Path:
        """A ServiceAccount with these ClusterRole rules; the kubeconfig that uses its token."""
        full = f"{self.name}-{name}"
        api, rbac = self.api, "/apis/rbac.authorization.k8s.io/v1"
        api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": full}})
        api.send("POST", f"{rbac}/clusterroles", {"metadata": {"name": full}, "rules": rules})
        api.send(
            "POST",
            f"{rbac}/clusterrolebindings",
            {
                "metadata": {"name": full},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": full},
                "subjects": [{"kind": "ServiceAccount", "name": full, "namespace": "default"}],
            },
        )
        return self.token_kubeconfig(full, "default")

    def token_kubeconfig(self, account: str, namespace: str) -> Path:
        """A kubeconfig with a fresh token of a ServiceAccount."""
        token = self.api.send(
            "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", {"spec": {"audiences": []}}
        )["status"]["token"]
        body = json.loads(self.sandbox.kubeconfig.read_text())
        body["users"] = [{"name": body["users"][0]["name"], "user": {"token": token}}]
        path = self.home / f"{account}.kubeconfig"
        path.write_text(json.dumps(body), encoding="utf-8")
        return path

    def end(self) -> None:
        for daemon in self.daemons:
            daemon.kill()


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def http(daemon: Daemon, path: str) -> tuple[int, str]:
    """Status and body of one of the daemon's own endpoints."""
    try:
        with urllib.request.urlopen(daemon.base_url + path, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metric(daemon: Daemon, name: str) -> float:
    """The sum of all samples whose line begins with ``name``."""
    _, text = http(daemon, "/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@contextlib.contextmanager
def staged(name: str, home: Path, sandbox: Sandbox, tools: Mapping[str, Path], **how: Any) -> Iterator[FleetStage]:
    stage = FleetStage(name=name, home=home, sandbox=sandbox, tools=tools, **how)
    try:
        yield stage
    finally:
        stage.end()
