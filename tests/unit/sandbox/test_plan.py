"""What a sandbox is going to be, before any of it runs."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from clusterops.process import ProcessId
from clusterops.sandbox import Layout, Spec, tools_for
from clusterops.sandbox.addresses import Addresses, reserve
from clusterops.sandbox.components import api_components, audit_policy, controller_components
from clusterops.sandbox.manifests import bare_definitions, served_definitions, served_webhooks
from clusterops.sandbox.state import ProcessState, State, read_state, write_state

SPEC = Spec(
    name="one",
    mode="full",
    directory=Path("/sandbox"),
    tools={name: Path("/tools") / name for name in tools_for("full")},
    audit_log=Path("/audit.log"),
)
PORTS = {"core": 1, "bootstrap": 2, "control-plane": 3, "dev": 4}
ADDRESSES = Addresses(etcd=10, etcd_peer=11, api_server=12, webhooks=PORTS, health=PORTS, workload_host="127.0.0.7")
DEFINITION: dict[str, Any] = {
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things", "annotations": {"cert-manager.io/inject-ca-from": "a/b", "kept": "yes"}},
    "spec": {
        "group": "g",
        "conversion": {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/convert"}},
            },
        },
    },
}
WEBHOOK: dict[str, Any] = {
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "w"},
    "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/validate"}}}],
}
NAMESPACE: dict[str, Any] = {"kind": "Namespace", "metadata": {"name": "n"}}


def test_a_spec_survives_its_file() -> None:
    assert Spec.from_json(SPEC.to_json()) == SPEC


def test_every_process_is_told_loopback_wherever_it_takes_an_address() -> None:
    layout = Layout(SPEC.directory)
    components = (*api_components(SPEC, layout, ADDRESSES), *controller_components(SPEC, layout, ADDRESSES))
    assert len(components) == 7
    for component in components:
        told = [word for word in component.argv if re.search(r"(?:urls?|address|addr)=|peer=", word)]
        assert all(re.search(r"=(?:sandbox=)?(?:https?://)?127\.0\.0\.1\b|=0$", word) for word in told), told
        assert component.env.get("POD_IP", "127.0.0.7") == "127.0.0.7"


def test_an_api_server_audits_only_when_asked() -> None:
    quiet = Spec(name="q", mode="minimal", directory=SPEC.directory, tools=SPEC.tools)
    _, api_server = api_components(quiet, Layout(quiet.directory), ADDRESSES)
    assert not [word for word in api_server.argv if "audit" in word]
    _, audited = api_components(SPEC, Layout(SPEC.directory), ADDRESSES)
    assert "--audit-log-path=/audit.log" in audited.argv
    assert audit_policy(SPEC)["rules"] == [{"level": "Metadata"}]


def test_conversion_goes_to_the_manager_on_loopback() -> None:
    namespace, definition = served_definitions([NAMESPACE, DEFINITION, WEBHOOK], 99, "Q0E=")
    assert namespace == NAMESPACE
    assert definition["spec"]["conversion"]["webhook"] == {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:99/convert", "caBundle": "Q0E="},
    }
    assert definition["metadata"]["annotations"] == {"kept": "yes"}


def test_without_controllers_only_definitions_are_installed_and_none_converts() -> None:
    (definition,) = bare_definitions([NAMESPACE, DEFINITION, WEBHOOK])
    assert definition["spec"] == {"group": "g", "conversion": {"strategy": "None"}}


def test_webhooks_go_to_the_manager_on_loopback() -> None:
    (webhook,) = served_webhooks([NAMESPACE, DEFINITION, WEBHOOK], 99, "Q0E=")
    assert webhook["webhooks"] == [
        {"name": "a", "clientConfig": {"url": "https://127.0.0.1:99/validate", "caBundle": "Q0E="}}
    ]


def test_what_was_given_is_not_changed() -> None:
    before = json.dumps([NAMESPACE, DEFINITION, WEBHOOK])
    served_definitions([NAMESPACE, DEFINITION, WEBHOOK], 99, "Q0E=")
    served_webhooks([NAMESPACE, DEFINITION, WEBHOOK], 99, "Q0E=")
    bare_definitions([NAMESPACE, DEFINITION, WEBHOOK])
    assert json.dumps([NAMESPACE, DEFINITION, WEBHOOK]) == before


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    state = State(
        phase="failed",
        supervisor=ProcessId(pid=1, started_ticks=2),
        server="https://127.0.0.1:1",
        processes=(ProcessState(name="etcd", identity=ProcessId(pid=3, started_ticks=4), exit_code=-9),),
        failure=("code", "subject", "message"),
        answered=5,
    )
    write_state(tmp_path / "state.json", state)
    assert read_state(tmp_path / "state.json") == state


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"phase": "ready"}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "state.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert read_state(path) is None


def _all_ports(addresses: Addresses) -> list[int]:
    single = (addresses.etcd, addresses.etcd_peer, addresses.api_server)
    return [*single, *addresses.webhooks.values(), *addresses.health.values()]


def test_two_reservations_share_no_address(tmp_path: Path) -> None:
    first = reserve(("core", "dev"), tmp_path / "first")
    second = reserve(("core", "dev"), tmp_path / "second")
    try:
        ports = _all_ports(first.addresses) + _all_ports(second.addresses)
        assert len(set(ports)) == len(ports) == 14
        assert first.addresses.workload_host != second.addresses.workload_host
    finally:
        first.release()
        second.release()


def test_a_reserved_address_is_refused_to_strangers_and_open_to_our_own_program(tmp_path: Path) -> None:
    reserved = reserve((), tmp_path / "addresses")
    place = ("127.0.0.1", reserved.addresses.api_server)
    try:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(place)
        with socket.socket() as program:
            # As Go does for every listener.
            program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            program.bind(place)
            program.listen()
            socket.create_connection(place, timeout=5).close()
    finally:
        reserved.release()


def test_addresses_are_the_same_the_next_time_unless_somebody_took_one(tmp_path: Path) -> None:
    first = reserve(("core",), tmp_path / "addresses")
    first.release()
    second = reserve(("core",), tmp_path / "addresses")
    second.release()
    assert second.addresses == first.addresses
    with socket.create_server(("127.0.0.1", first.addresses.etcd)):
        third = reserve(("core",), tmp_path / "addresses")
        third.release()
    assert third.addresses.etcd != first.addresses.etcd
