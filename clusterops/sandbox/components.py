"""The processes of a sandbox: their arguments, their environment, and how each says that it is ready. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterops.sandbox.addresses import LOOPBACK, Addresses
from clusterops.sandbox.spec import Layout, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """``health`` is a plain URL that answers 200 once it is ready; None where only the API server can tell."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    health: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """A controller of Cluster API: its name as a process here, its program and manifests, its namespace there."""

    name: str
    program: str
    namespace: str


MANAGERS = (
    Manager(name="capi-core", program="core", namespace="capi-system"),
    Manager(name="capi-bootstrap", program="bootstrap", namespace="capi-kubeadm-bootstrap-system"),
    Manager(name="capi-control-plane", program="control-plane", namespace="capi-kubeadm-control-plane-system"),
    Manager(name="capi-dev", program="dev", namespace="capd-system"),
)

# Without these the Secrets of a deleted Cluster stay and wedge the next one of its name, and a deleted Namespace
# stays Terminating for ever.
_CONTROLLERS = "garbage-collector-controller,namespace-controller,serviceaccount-controller"


def api_components(spec: Spec, layout: Layout, addresses: Addresses) -> tuple[Component, ...]:
    """etcd and the API server, in the order in which they start."""
    return (_etcd(spec, layout, addresses), _api_server(spec, layout, addresses))


def controller_components(spec: Spec, layout: Layout, addresses: Addresses) -> tuple[Component, ...]:
    """Everything that runs against the API server; these may start together."""
    return (
        _controller_manager(spec, layout),
        *(_manager(manager, spec, layout, addresses) for manager in MANAGERS),
    )


def audit_policy(spec: Spec) -> dict[str, Any]:
    """One line for every request, when it has been answered."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "RequestResponse" if spec.audit_bodies else "Metadata"}],
    }


def _etcd(spec: Spec, layout: Layout, addresses: Addresses) -> Component:
    client = f"https://{LOOPBACK}:{addresses.etcd}"
    peer = f"https://{LOOPBACK}:{addresses.etcd_peer}"
    argv = (
        str(spec.tools["etcd"]),
        f"--data-dir={layout.etcd_data}",
        "--name=sandbox",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        f"--cert-file={layout.server_cert}",
        f"--key-file={layout.server_key}",
        f"--trusted-ca-file={layout.ca}",
        "--client-cert-auth",
        f"--peer-cert-file={layout.server_cert}",
        f"--peer-key-file={layout.server_key}",
        f"--peer-trusted-ca-file={layout.ca}",
        "--peer-client-cert-auth",
        # A sandbox may be lost with the machine; what it buys is most of the time of every write.
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    return Component(name="etcd", argv=argv)


def _api_server(spec: Spec, layout: Layout, addresses: Addresses) -> Component:
    argv = [
        str(spec.tools["kube-apiserver"]),
        f"--etcd-servers=https://{LOOPBACK}:{addresses.etcd}",
        f"--etcd-cafile={layout.ca}",
        f"--etcd-certfile={layout.admin_cert}",
        f"--etcd-keyfile={layout.admin_key}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={addresses.api_server}",
        f"--tls-cert-file={layout.server_cert}",
        f"--tls-private-key-file={layout.server_key}",
        f"--client-ca-file={layout.ca}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.token_key}",
        f"--service-account-signing-key-file={layout.token_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        # No token controller runs here, so the plugin would make every Pod wait for a Secret.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={layout.directory}",
    ]
    if spec.audit_log:
        argv += [f"--audit-policy-file={layout.audit_policy}", f"--audit-log-path={spec.audit_log}"]
    return Component(name="kube-apiserver", argv=tuple(argv))


def _controller_manager(spec: Spec, layout: Layout) -> Component:
    argv = (
        str(spec.tools["kube-controller-manager"]),
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--controllers={_CONTROLLERS}",
    )
    return Component(name="kube-controller-manager", argv=argv)


def _manager(manager: Manager, spec: Spec, layout: Layout, addresses: Addresses) -> Component:
    health = f"{LOOPBACK}:{addresses.health[manager.program]}"
    argv = (
        str(spec.tools["cluster-api"] / manager.program),
        f"--webhook-port={addresses.webhooks[manager.program]}",
        f"--webhook-cert-dir={layout.server_cert.parent}",
        f"--health-addr={health}",
        # Metrics of a manager are nobody's need here, and 0 keeps one more port closed.
        "--diagnostics-address=0",
        "--leader-elect=false",
        "--feature-gates=ClusterTopology=true,MachinePool=true",
    )
    env = {
        "KUBECONFIG": str(layout.kubeconfig),
        "POD_IP": addresses.workload_host,
        "POD_NAMESPACE": manager.namespace,
        "POD_NAME": manager.name,
    }
    return Component(name=manager.name, argv=argv, env=env, health=f"http://{health}/readyz")
