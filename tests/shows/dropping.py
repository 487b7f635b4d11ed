"""Commits that drop something from git, one by one, with a daemon at work: what was written, and what still lives.

Shared by show 5 and by tests/system/test_dropped.py. Nothing here decides what is right: a Drop says what it expects.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clusterops.sandbox import Sandbox
from tests.stage import ROOT, Api, Audit, Daemon, Repository, until

_KINDS = (
    ("Namespace", "/api/v1/namespaces"),
    ("Secret", "/api/v1/namespaces/{}/secrets"),
    ("ConfigMap", "/api/v1/namespaces/{}/configmaps"),
    ("Cluster", "/apis/cluster.x-k8s.io/v1beta2/namespaces/{}/clusters"),
    ("MachineDeployment", "/apis/cluster.x-k8s.io/v1beta2/namespaces/{}/machinedeployments"),
    ("KubeadmControlPlane", "/apis/controlplane.cluster.x-k8s.io/v1beta2/namespaces/{}/kubeadmcontrolplanes"),
    ("KubeadmConfigTemplate", "/apis/bootstrap.cluster.x-k8s.io/v1beta2/namespaces/{}/kubeadmconfigtemplates"),
    ("DevCluster", "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devclusters"),
    ("DevMachineTemplate", "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devmachinetemplates"),
)
_CLUSTER = """\
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: NAME}
spec:
  clusterNetwork: {pods: {cidrBlocks: ["10.244.0.0/16"]}}
  controlPlaneRef: {apiGroup: controlplane.cluster.x-k8s.io, kind: KubeadmControlPlane, name: NAME-cp}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevCluster, name: NAME}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevCluster
metadata: {name: NAME}
spec: {backend: {inMemory: {}}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: DevMachineTemplate
metadata: {name: NAME-cp}
spec: {template: {spec: {backend: {inMemory: {}}}}}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: KubeadmControlPlane
metadata: {name: NAME-cp}
spec:
  replicas: 3
  version: v1.34.1
  machineTemplate:
    spec: {infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevMachineTemplate, name: NAME-cp}}
  kubeadmConfigSpec:
    initConfiguration: {nodeRegistration: {criSocket: "unix:///run/c.sock"}}
    files: [{path: /etc/registry.json, contentFrom: {secret: {name: NAME-registry, key: config}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME-notes}
data: {team: platform}
---
apiVersion: v1
kind: Secret
metadata: {name: NAME-registry}
stringData: {config: "{}"}
"""
_PLAIN = {
    "namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: REGION-tenants}\n",
    "secret-used.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: web-registry}\nstringData: {config: '{}'}\n",
    "secret-unused.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: web-spare}\nstringData: {a: b}\n",
    "config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-notes}\ndata: {team: platform}\n",
}
_VALUES = "version: v1.34.1\npools: {general: {replicas: 2}}\n"


def fleet_files(name: str) -> dict[str, bytes]:
    """Fleet, region and namespace are called ``name``; clusters `shop` and `web` are plain YAML, `chart` is by Helm."""
    web = _CLUSTER.replace("NAME", "web").partition("---\napiVersion: v1\n")[0]
    texts = {
        "fleet.yaml": f"apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: {name}\nmode: apply\n"
        "clouds: {dev: {chart: {path: charts/cluster-dev}}}\n",
        f"regions/{name}/region.yaml": "cloud: dev\ncredentials: {}\n",
        f"clusters/{name}/shop/objects.yaml": _CLUSTER.replace("NAME", "shop"),
        f"clusters/{name}/web/objects.yaml": web,
        f"clusters/{name}/chart/values.yaml": _VALUES,
        **{f"clusters/{name}/web/{path}": text.replace("REGION", name) for path, text in _PLAIN.items()},
    }
    chart = ROOT / "charts"
    shipped = {f"charts/{path.relative_to(chart)}": path.read_bytes() for path in _files(chart)}
    return {path: text.encode() for path, text in texts.items()} | shipped


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One commit and what must follow. ``files`` are set, ``path`` is removed; ``target`` is the cluster it is about.

    ``code`` must stand in the plan's rows and, unless empty, the status ``context`` must be a failure with it;
    ``deletes`` are the only deletes that may follow; ``restored`` is put back afterwards.
    """

    title: str
    target: str
    code: str
    path: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    context: str = "clusterops/plan"
    deletes: tuple[str, ...] = ()


def drops(name: str) -> tuple[Drop, ...]:
    """In the order in which they are played; each is put back before the next."""
    web, shop, chart = f"clusters/{name}/web", f"clusters/{name}/shop", f"clusters/{name}/chart/values.yaml"
    broken = b"version: v1.34.1\npools: {general: {repl"
    return (
        Drop(
            title="a cluster's directory",
            target="shop",
            code="deletion-needs-second-key",
            context="clusterops/policy",
            path=shop,
        ),
        Drop(title="a Namespace", target="web", code="never-pruned", path=f"{web}/namespace.yaml"),
        Drop(title="a Secret in use", target="web", code="never-pruned", path=f"{web}/secret-used.yaml"),
        Drop(
            title="a Secret out of use",
            target="web",
            code="prune-not-allowed",
            path=f"{web}/secret-unused.yaml",
        ),
        Drop(title="every object of a file", target="shop", code="empty-render", files={f"{shop}/objects.yaml": b""}),
        Drop(title="half of a values file", target="chart", code="yaml-syntax", files={chart: broken}),
        Drop(title="all values", target="chart", code="value-missing", files={chart: b""}),
        Drop(
            title="a ConfigMap",
            target="web",
            code="",
            path=f"{web}/config.yaml",
            deletes=(f"delete configmaps {name}/web-notes 200",),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What followed a Drop: statuses by context, the rows of the plan, writes from the audit log, and what is wrong."""

    statuses: Mapping[str, Mapping[str, str]]
    rows: tuple[str, ...]
    writes: tuple[str, ...]
    restored: tuple[str, ...]
    """Writes after the commit that put it back."""
    delete_bodies: tuple[Mapping[str, Any], ...] = ()
    """What each delete said, where the audit log has bodies."""
    wrong: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Dropping:
    """One fleet on one API server, with its daemon running between ``__enter__`` and ``__exit__``."""

    name: str
    sandbox: Sandbox
    home: Path
    tools: Mapping[str, Path]
    before: dict[str, str] = field(default_factory=dict)
    repository: Repository = field(init=False)
    daemon: Daemon = field(init=False)

    def __post_init__(self) -> None:
        self.repository = Repository(self.home / f"{self.name}.git")
        self.daemon = Daemon(
            self.repository.directory,
            self.sandbox.kubeconfig,
            self.home / f"daemon-{self.name}",
            environment=self._tool_settings,
        )

    def __enter__(self) -> Dropping:
        self.repository.create(fleet_files(self.name))
        self.daemon.start()
        self.daemon.until_event("commit applied", commit=self.repository.head[:7])
        self.before = self.uids()
        return self

    def __exit__(self, *args: object) -> None:
        with contextlib.suppress(Exception):
            self.daemon.stop()
        self.daemon.kill()

    def play(self, drop: Drop) -> Followed:
        """Plans the drop in a clone as a person would, commits it, looks at everything, and puts it back."""
        kept, rows, audit = self._files_of(drop), self._rows(drop), self._audit()
        commit = self.repository.drop(drop.path) if drop.path else self.repository.commit(drop.files, drop.title)
        self._judged(commit)
        statuses, writes, uids, audit_back = self._statuses(commit), self._writes(audit), self.uids(), self._audit()
        self._judged(self.repository.commit(kept, f"put back {drop.title}"))
        followed = Followed(
            statuses=statuses,
            rows=rows,
            writes=tuple(writes),
            restored=tuple(self._writes(audit_back)),
            delete_bodies=tuple(audit.delete_bodies()),
        )
        return replace(followed, wrong=(*self._wrong(drop, followed, uids), *self._not_restored(drop, followed)))

    def uids(self) -> dict[str, str]:
        """``Kind/name`` to uid of all that lives in the fleet's namespaces."""
        found = {}
        for kind, path in _KINDS:
            for item in self._api.items(path.format(self.name)):
                found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["uid"]
        ours = {f"Namespace/{self.name}", f"Namespace/{self.name}-tenants"}
        return {key: uid for key, uid in found.items() if not key.startswith("Namespace/") or key in ours}

    @property
    def _tool_settings(self) -> dict[str, str]:
        return {f"CLUSTEROPS_RENDER_{name.upper()}": str(path) for name, path in self.tools.items()}

    @property
    def _api(self) -> Api:
        return Api(self.sandbox)

    def _audit(self) -> Audit:
        assert self.sandbox.audit_log is not None
        return Audit.from_now(self.sandbox.audit_log)

    def _judged(self, commit: str) -> None:
        """Until the commit's plan verdict stands and the daemon is past everything that it may write."""
        until("the plan verdict", lambda: self.repository.verdict(commit, "clusterops/plan"), within_s=30)
        if self.repository.verdict(commit, "clusterops/plan") == "success":
            self.daemon.until_event("commit applied", commit=commit[:7])
        else:
            self.daemon.until_event("verdict", commit=commit[:7], context="clusterops/apply")

    def _statuses(self, commit: str) -> dict[str, dict[str, str]]:
        return {name: status for name, status in self.repository.statuses(commit).items() if ":" not in name}

    def _writes(self, audit: Audit) -> list[str]:
        """Of the fleet and its records, without the Lease's renewals; the audit log lags by nothing: it is blocking."""
        return [write for write in audit.writes() if " leases " not in write]

    def _files_of(self, drop: Drop) -> dict[str, bytes]:
        """What the commit is about to change, as it stands now."""
        everything = fleet_files(self.name)
        paths = drop.files or {path for path in everything if path == drop.path or path.startswith(f"{drop.path}/")}
        return {path: everything[path] for path in paths}

    def _rows(self, drop: Drop) -> tuple[str, ...]:
        """`clusterops plan` of the drop in the working tree of a clone, before it is committed."""
        clone = self.home / f"clone-{self.name}"
        shutil.rmtree(clone, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", str(self.repository.directory), str(clone)], check=True)
        if drop.path:
            shutil.rmtree(clone / drop.path) if (clone / drop.path).is_dir() else (clone / drop.path).unlink()
        for path, content in drop.files.items():
            (clone / path).write_bytes(content)
        said = self.clusterops("plan", f"{self.name}/{drop.target}", "--repo", str(clone))
        return tuple(f"{said.stdout}{said.stderr}".splitlines())

    def clusterops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the product, on this cluster."""
        return subprocess.run(
            [sys.executable, "-m", "clusterops", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "CLUSTEROPS_CACHE_DIR": str(self.home / "cache"),
                "CLUSTEROPS_CLUSTER_KUBECONFIG": str(self.sandbox.kubeconfig),
                **self._tool_settings,
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def _wrong(self, drop: Drop, followed: Followed, uids: Mapping[str, str]) -> Iterator[str]:
        verdict = followed.statuses.get(drop.context, {})
        wanted = "failure" if drop.code else "success"
        if verdict.get("state") != wanted:
            yield f"{drop.context} is {verdict.get('state')} instead of {wanted}: {verdict.get('text')}"
        if drop.code and f"({drop.code})" not in verdict.get("text", ""):
            yield f"{drop.context} does not say {drop.code}: {verdict.get('text')}"
        if not any(f"({drop.code})" in row if drop.code else "- prune" in row for row in followed.rows):
            yield f"no row of the plan says {drop.code or 'prune'}"
        deleted = [write for write in followed.writes if write.startswith("delete")]
        if deleted != list(drop.deletes):
            yield f"deletes {deleted} instead of {list(drop.deletes)}"
        gone = {f"ConfigMap/{write.split()[2].partition('/')[2]}" for write in drop.deletes}
        for key, uid in self.before.items():
            if key not in gone and uids.get(key) != uid:
                yield f"{key} is no longer the one with uid {uid}"
        unguarded = [body for body in followed.delete_bodies if not _guarded(body)]
        if unguarded:
            yield f"deleted without uid and resourceVersion: {unguarded}"

    def _not_restored(self, drop: Drop, followed: Followed) -> Iterator[str]:
        if any(write.startswith("delete") for write in followed.restored):
            yield f"deleted something when it was put back: {followed.restored}"
        if missing := self.before.keys() - self.uids().keys():
            yield f"missing after it was put back: {sorted(missing)}"


def _guarded(body: Mapping[str, Any]) -> bool:
    preconditions = body.get("preconditions") or {}
    return bool(preconditions.get("uid") and preconditions.get("resourceVersion"))
