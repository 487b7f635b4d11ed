"""The table of tools: which version of each is ours, and how it is made."""

from dataclasses import dataclass
from typing import Literal

from clusterops.errors import TerminalError
from clusterops.toolchain.patches import LOOPBACK_ONLY, Patch

KUSTOMIZE = "5.8.2"
HELM = "4.3.1"
ETCD = "3.6.5"
KUBERNETES = "1.36.3"
CLUSTER_API = "1.14.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One executable: its file name and the Go package that it is built from."""

    name: str
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One file of manifests: ``<name>.json`` from a kustomization inside a module's own folder."""

    name: str
    module: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing that is found or installed as a whole.

    ``folder`` is the folder under ``modules/`` that pins its sources. ``version_args`` make its one program print
    its version; empty means that a program found elsewhere is never used. ``fits`` says which other versions will
    do: the same ``minor`` or only the ``exact`` one. A tool with ``programs`` of more than one, or with
    ``rendered``, is a folder; any other is a file.
    """

    name: str
    version: str
    folder: str
    programs: tuple[Program, ...] = ()
    rendered: tuple[Rendered, ...] = ()
    version_args: tuple[str, ...] = ()
    fits: Literal["minor", "exact"] = "minor"
    stamps: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()
    needs: tuple[str, ...] = ()

    def accepts(self, version: str) -> bool:
        """Whether a program of this version (``1.2.3``) may stand in for ours."""
        if self.fits == "exact":
            return version == self.version
        return version.split(".")[:2] == self.version.split(".")[:2]

    @property
    def is_folder(self) -> bool:
        return len(self.programs) != 1


_KUBERNETES_STAMPS = (
    f"k8s.io/component-base/version.gitVersion=v{KUBERNETES}",
    "k8s.io/component-base/version.gitMajor=1",
    "k8s.io/component-base/version.gitMinor=36",
)
_CLUSTER_API_STAMPS = (
    f"sigs.k8s.io/cluster-api/version.gitVersion=v{CLUSTER_API}",
    "sigs.k8s.io/cluster-api/version.gitMajor=1",
    "sigs.k8s.io/cluster-api/version.gitMinor=14",
)

TOOLS: tuple[Tool, ...] = (
    Tool(
        name="kustomize",
        version=KUSTOMIZE,
        folder="kustomize",
        programs=(Program(name="kustomize", package="sigs.k8s.io/kustomize/kustomize/v5"),),
        version_args=("version",),
        stamps=(f"sigs.k8s.io/kustomize/api/provenance.version=v{KUSTOMIZE}",),
    ),
    Tool(
        name="helm",
        version=HELM,
        folder="helm",
        programs=(Program(name="helm", package="helm.sh/helm/v4/cmd/helm"),),
        version_args=("version", "--short"),
        stamps=(f"helm.sh/helm/v4/internal/version.version=v{HELM}",),
    ),
    Tool(
        name="etcd",
        version=ETCD,
        folder="etcd",
        programs=(Program(name="etcd", package="go.etcd.io/etcd/server/v3"),),
        version_args=("--version",),
    ),
    Tool(
        name="kube-apiserver",
        version=KUBERNETES,
        folder="kubernetes",
        programs=(Program(name="kube-apiserver", package="k8s.io/kubernetes/cmd/kube-apiserver"),),
        version_args=("--version",),
        stamps=_KUBERNETES_STAMPS,
    ),
    Tool(
        name="cluster-api-manifests",
        version=CLUSTER_API,
        folder="cluster-api",
        rendered=(
            Rendered(name="core", module="sigs.k8s.io/cluster-api", folder="core/config/default"),
            Rendered(name="bootstrap", module="sigs.k8s.io/cluster-api", folder="bootstrap/kubeadm/config/default"),
            Rendered(
                name="control-plane", module="sigs.k8s.io/cluster-api", folder="controlplane/kubeadm/config/default"
            ),
            Rendered(name="dev", module="sigs.k8s.io/cluster-api/test", folder="infrastructure/docker/config/default"),
        ),
        fits="exact",
        needs=("kustomize",),
    ),
    # One tool, as the four managers are of use only together and share nearly all of their build.
    Tool(
        name="cluster-api",
        version=CLUSTER_API,
        folder="cluster-api",
        programs=(
            Program(name="core", package="sigs.k8s.io/cluster-api/core"),
            Program(name="bootstrap", package="sigs.k8s.io/cluster-api/bootstrap/kubeadm"),
            Program(name="control-plane", package="sigs.k8s.io/cluster-api/controlplane/kubeadm"),
            Program(name="dev", package="sigs.k8s.io/cluster-api/test/infrastructure/docker"),
        ),
        fits="exact",
        stamps=_CLUSTER_API_STAMPS,
        patches=LOOPBACK_ONLY,
    ),
    Tool(
        name="kube-controller-manager",
        version=KUBERNETES,
        folder="kubernetes",
        programs=(Program(name="kube-controller-manager", package="k8s.io/kubernetes/cmd/kube-controller-manager"),),
        version_args=("--version",),
        stamps=_KUBERNETES_STAMPS,
    ),
    Tool(
        name="clusterctl",
        version=CLUSTER_API,
        folder="cluster-api",
        programs=(Program(name="clusterctl", package="sigs.k8s.io/cluster-api/cmd/clusterctl"),),
        version_args=("version", "-o", "short"),
        fits="exact",
        stamps=_CLUSTER_API_STAMPS,
    ),
)
"""In the order in which they are installed: what is quick and needed first comes first."""


def tool_named(name: str) -> Tool:
    """The tool of this name; TerminalError ``tool-unknown`` when there is none."""
    for tool in TOOLS:
        if tool.name == name:
            return tool
    known = ", ".join(tool.name for tool in TOOLS)
    raise TerminalError("tool-unknown", name, "is not a tool of ours", hint=f"known are: {known}")
