"""The sandbox on real processes: what it gives, what it never does, and that nothing of it stays."""

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import struct
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import clusterops
from clusterops.errors import TerminalError
from clusterops.process import ProcessId, identify, is_alive, send_signal, wait_gone
from clusterops.sandbox import Held, Layout, Sandbox, Spec, down, found, held, opened, status, tools_for, up
from clusterops.sandbox.state import read_state
from clusterops.toolchain import Silent, ToolchainSettings, ensure

_LISTEN = "0A"


@pytest.fixture
async def minimal(tmp_path: Path, toolchain_settings: ToolchainSettings) -> Spec:
    """What a minimal sandbox in a folder of this test is made from."""
    try:
        tools = await ensure(tools_for("minimal"), toolchain_settings, Silent())
    except TerminalError as error:
        pytest.skip(f"{error}; {error.hint}")
    return Spec(name="test", mode="minimal", directory=tmp_path / "sandbox", tools=tools)


def get(sandbox: Sandbox, path: str) -> Any:
    """The decoded answer of the API server to its admin."""
    return send(sandbox, urllib.request.Request(sandbox.server + path))


def apply(sandbox: Sandbox, path: str, body: Mapping[str, Any]) -> None:
    """Server-side apply; JSON is YAML."""
    place = f"{sandbox.server}{path}/{body['metadata']['name']}?fieldManager=test"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    send(sandbox, urllib.request.Request(place, method="PATCH", data=json.dumps(body).encode(), headers=headers))


def send(sandbox: Sandbox, request: urllib.request.Request) -> Any:
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    tls.load_cert_chain(sandbox.cert_file, sandbox.key_file)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


async def eventually(holds: Callable[[], bool], *, within_s: float) -> None:
    """Ask real controllers again and again; there is nothing to wait on but what they say."""
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.5)


def listening(pid: int) -> set[str]:
    """The addresses on which a process accepts TCP connections, from the kernel's own tables."""
    inodes = {match[1] for link in _links(pid) if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    places = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                places.add(_address(fields[1].partition(":")[0]))
    return places


def _links(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(entry.readlink())
        except FileNotFoundError:
            continue


def _address(text: str) -> str:
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def test_the_reader_of_listening_sockets_sees_those_of_every_interface() -> None:
    with socket.create_server(("", 0)), socket.create_server(("127.0.0.1", 0)):
        assert listening(os.getpid()) >= {"0.0.0.0", "127.0.0.1"}


@pytest.mark.apiserver
async def test_a_sandbox_serves_its_admin_and_refuses_strangers(apiserver: Sandbox) -> None:
    names = {item["metadata"]["name"] for item in get(apiserver, "/api/v1/namespaces")["items"]}
    assert "kube-system" in names
    stranger = ssl.create_default_context(cafile=str(apiserver.ca_file))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=stranger)
        ).open(f"{apiserver.server}/api/v1/namespaces", timeout=30)
    refused.value.close()
    assert refused.value.code == 403


@pytest.mark.apiserver
async def test_the_official_client_reads_the_kubeconfig(apiserver: Sandbox) -> None:
    config = json.loads(apiserver.kubeconfig.read_text(encoding="utf-8"))
    assert config["clusters"][0]["cluster"]["server"] == apiserver.server
    from kubernetes import client
    from kubernetes import config as loader

    loaded = client.Configuration()
    loader.load_kube_config(str(apiserver.kubeconfig), client_configuration=loaded)  # type: ignore[no-untyped-call]
    with client.ApiClient(loaded) as api:
        names = {item.metadata.name for item in client.CoreV1Api(api).list_namespace().items if item.metadata}
    assert "default" in names


@pytest.mark.apiserver
async def test_definitions_without_controllers_do_not_ask_for_conversion(apiserver: Sandbox) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    strategies = {
        item["metadata"]["name"]: item["spec"]["conversion"]["strategy"] for item in get(apiserver, path)["items"]
    }
    assert strategies["clusters.cluster.x-k8s.io"] == "None"
    assert strategies["devclusters.infrastructure.cluster.x-k8s.io"] == "None"
    assert set(strategies.values()) == {"None"}


@pytest.mark.apiserver
async def test_the_audit_log_has_every_request_once_and_without_its_body(apiserver: Sandbox) -> None:
    get(apiserver, "/api/v1/namespaces/default?pretty=audited")
    assert apiserver.audit_log is not None
    lines = [json.loads(line) for line in apiserver.audit_log.read_text(encoding="utf-8").splitlines()]
    ours = [line for line in lines if line["requestURI"].endswith("pretty=audited")]
    assert [line["stage"] for line in ours] == ["ResponseComplete"]
    assert "responseObject" not in ours[0]


@pytest.mark.apiserver
async def test_a_process_is_stopped_and_started_again_at_its_address(apiserver_held: Held) -> None:
    before = apiserver_held.sandbox
    await apiserver_held.stop_process("kube-apiserver", kill=True)
    assert "kube-apiserver" not in apiserver_held.sandbox.pids
    with pytest.raises(OSError, match="refused"):
        get(before, "/readyz?verbose=false")
    await apiserver_held.start_process("kube-apiserver")
    after = apiserver_held.sandbox
    assert after.server == before.server
    assert after.pids["kube-apiserver"] != before.pids["kube-apiserver"]
    assert get(after, "/api/v1/namespaces/default")["metadata"]["name"] == "default"


@pytest.mark.apiserver
async def test_up_twice_is_up_once_and_down_leaves_nothing(minimal: Spec) -> None:
    sandbox, is_new = await up(minimal)
    try:
        again, is_new_again = await up(minimal)
        assert (is_new, is_new_again) == (True, False)
        assert again == sandbox
        assert status(minimal.directory).word == "up"
        assert [one.name for one in found(minimal.directory.parent)] == ["test"]
        identities = [identify(pid) for pid in sandbox.pids.values()]
    finally:
        assert await down(minimal.directory)
    assert not minimal.directory.exists()
    assert not any(is_alive(identity) for identity in identities if identity)
    assert not await down(minimal.directory)


@pytest.mark.apiserver
async def test_two_that_ask_at_once_get_one_sandbox(minimal: Spec) -> None:
    try:
        (first, new_first), (second, new_second) = await asyncio.gather(up(minimal), up(minimal))
        assert first == second
        assert {new_first, new_second} == {True, False}
    finally:
        await down(minimal.directory)


@pytest.mark.apiserver
async def test_a_crashed_sandbox_is_started_again_with_its_data_and_address(minimal: Spec) -> None:
    before, _ = await up(minimal)
    try:
        uid = get(before, "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        state = read_state(Layout(minimal.directory).state)
        assert state is not None
        for killed in (state.supervisor, *(process.identity for process in state.processes)):
            assert send_signal(killed, signal.SIGKILL)
            assert await wait_gone(killed, timeout_s=60)
        assert status(minimal.directory).word == "crashed"
        with pytest.raises(TerminalError, match="crashed"):
            opened(minimal.directory)
        after, is_new = await up(minimal)
        assert is_new
        assert after.server == before.server
        assert get(after, "/api/v1/namespaces/kube-system")["metadata"]["uid"] == uid
    finally:
        await down(minimal.directory)


@pytest.mark.apiserver
async def test_a_killed_supervisor_leaves_nothing_after_down(minimal: Spec) -> None:
    await up(minimal)
    state = read_state(Layout(minimal.directory).state)
    assert state is not None
    send_signal(state.supervisor, signal.SIGKILL)
    assert await wait_gone(state.supervisor, timeout_s=60)
    assert await down(minimal.directory)
    assert not any(process.alive for process in state.processes)


@pytest.mark.apiserver
async def test_two_sandboxes_stand_side_by_side(minimal: Spec, tmp_path: Path) -> None:
    other = Spec(name="other", mode="minimal", directory=tmp_path / "other", tools=minimal.tools)
    async with held(minimal) as first, held(other) as second:
        uids = {get(one.sandbox, "/api/v1/namespaces/kube-system")["metadata"]["uid"] for one in (first, second)}
    assert len(uids) == 2


@pytest.mark.apiserver
async def test_a_process_that_cannot_run_fails_with_its_last_words_and_stops_the_rest(minimal: Spec) -> None:
    broken = minimal.directory.parent / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 7\n", encoding="utf-8")
    broken.chmod(0o755)
    spec = Spec(
        name="broken",
        mode="minimal",
        directory=minimal.directory,
        tools={**minimal.tools, "kube-apiserver": broken},
    )
    with pytest.raises(TerminalError, match="no such luck") as caught:
        await up(spec)
    assert caught.value.code == "sandbox-process-ended"
    state = read_state(Layout(minimal.directory).state)
    assert state is not None
    assert not any(process.alive for process in state.processes)
    await down(minimal.directory)


_HOLDER = """
import asyncio, json, os, sys, time
from pathlib import Path
from clusterops.sandbox import Spec, held

async def main():
    async with held(Spec.from_json(sys.stdin.read())) as holder:
        # A forked worker keeps the pipe to the supervisor open for longer than its parent lives.
        worker = os.fork() if sys.argv[1:] else None
        if worker == 0:
            os.closerange(0, 3)
            time.sleep(60)
            os._exit(0)
        print(json.dumps([worker, *holder.sandbox.pids.values()]), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.apiserver
@pytest.mark.parametrize("arguments", [(), ("--forks",)], ids=["alone", "with-a-forked-worker"])
async def test_everything_stops_when_the_holder_is_killed(minimal: Spec, arguments: tuple[str, ...]) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _HOLDER,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(next(iter(clusterops.__path__))).parent)},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(minimal.to_json().encode())
    holder.stdin.write_eof()
    worker, *pids = json.loads(await holder.stdout.readline())
    state = read_state(Layout(minimal.directory).state)
    assert state is not None
    started: list[ProcessId] = [state.supervisor, *(found for pid in pids if (found := identify(pid)))]
    assert len(started) == 3
    holder.kill()
    await holder.wait()
    try:
        for process in started:
            assert await wait_gone(process, timeout_s=60)
        assert worker is None or identify(worker)
    finally:
        if worker and (forked := identify(worker)):
            send_signal(forked, signal.SIGKILL)


@pytest.mark.capi
async def test_the_webhooks_of_a_whole_sandbox_answer_on_loopback(capi_sandbox: Sandbox) -> None:
    # An older version than the stored one: it is answered through the conversion webhook.
    assert isinstance(get(capi_sandbox, "/apis/cluster.x-k8s.io/v1beta1/clusters")["items"], list)
    hooks = get(capi_sandbox, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations")["items"]
    urls = {hook["clientConfig"].get("url", "") for item in hooks for hook in item["webhooks"]}
    assert urls
    assert all(url.startswith("https://127.0.0.1:") for url in urls)


_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Cluster": "/apis/cluster.x-k8s.io/v1beta2/namespaces/sandboxed/clusters",
    "MachineDeployment": "/apis/cluster.x-k8s.io/v1beta2/namespaces/sandboxed/machinedeployments",
    "KubeadmControlPlane": "/apis/controlplane.cluster.x-k8s.io/v1beta2/namespaces/sandboxed/kubeadmcontrolplanes",
    "KubeadmConfigTemplate": "/apis/bootstrap.cluster.x-k8s.io/v1beta2/namespaces/sandboxed/kubeadmconfigtemplates",
    "DevCluster": "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/sandboxed/devclusters",
    "DevMachineTemplate": "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/sandboxed/devmachinetemplates",
}


@pytest.mark.capi
async def test_processes_are_stopped_and_started_in_any_order(capi_held: Held) -> None:
    before = capi_held.sandbox.pids
    await capi_held.stop_process("capi-dev")
    await capi_held.stop_process("kube-apiserver")
    await capi_held.start_process("kube-apiserver")
    await capi_held.start_process("capi-dev")
    after = capi_held.sandbox.pids
    assert {name for name in before if before[name] != after[name]} == {"capi-dev", "kube-apiserver"}
    with pytest.raises(ValueError, match="capi-prod"):
        await capi_held.stop_process("capi-prod")


@pytest.mark.capi
async def test_a_cluster_lives_and_goes_with_all_it_had_and_only_loopback_listens(
    capi_sandbox: Sandbox, capi_held: Held
) -> None:
    text = (Path(__file__).parent / "sandbox_cluster.yaml").read_text(encoding="utf-8")
    for item in yaml.load_all(text, Loader=yaml.CSafeLoader):
        apply(capi_sandbox, _COLLECTIONS[item["kind"]], item)
    cluster = f"{_COLLECTIONS['Cluster']}/alpha"
    machines = "/apis/cluster.x-k8s.io/v1beta2/namespaces/sandboxed/machines"
    await eventually(lambda: _is_available(get(capi_sandbox, cluster)), within_s=400)
    assert len(get(capi_sandbox, machines)["items"]) == 3

    places = {name: listening(pid) for name, pid in capi_held.sandbox.pids.items()}
    assert len(places) == 7
    # Each of them serves something, so an empty set would mean that this test does not see.
    assert all(places[name] for name in places if name != "kube-controller-manager")
    assert all(place.startswith("127.") for found in places.values() for place in found), places
    # The in-memory API server of the cluster too, on the address that this sandbox has for itself.
    assert len(places["capi-dev"]) >= 2

    send(capi_sandbox, urllib.request.Request(capi_sandbox.server + cluster, method="DELETE"))
    secrets = "/api/v1/namespaces/sandboxed/secrets"
    assert get(capi_sandbox, secrets)["items"]
    await eventually(lambda: not get(capi_sandbox, secrets)["items"], within_s=400)
    namespace = f"{capi_sandbox.server}/api/v1/namespaces/sandboxed"
    send(capi_sandbox, urllib.request.Request(namespace, method="DELETE"))
    names = "/api/v1/namespaces"
    await eventually(lambda: "sandboxed" not in _names(get(capi_sandbox, names)), within_s=400)


def _is_available(cluster: Mapping[str, Any]) -> bool:
    conditions = cluster.get("status", {}).get("conditions", [])
    return any(found["type"] == "Available" and found["status"] == "True" for found in conditions)


def _names(listed: Mapping[str, Any]) -> set[str]:
    return {item["metadata"]["name"] for item in listed["items"]}
