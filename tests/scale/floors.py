"""What any engine must spend on a first sync: the renders, and bare server-side applies. Nothing of ours in between."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import ssl
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from subprocess import run

import aiohttp
import yaml

from clusterops.model.fleet import Mode, PlainRecipe, Target
from clusterops.render.decode import Output, decode_objects
from clusterops.sandbox import Sandbox
from tests.scale.fleet import overlay_path

NAMESPACE = "floor"
IN_FLIGHT = 32
OBJECTS = 7
"""Of one cluster."""
_PLURALS = {
    "Cluster": "cluster.x-k8s.io/v1beta2/namespaces/{}/clusters",
    "DevCluster": "infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devclusters",
    "KubeadmControlPlane": "controlplane.cluster.x-k8s.io/v1beta2/namespaces/{}/kubeadmcontrolplanes",
    "DevMachineTemplate": "infrastructure.cluster.x-k8s.io/v1beta2/namespaces/{}/devmachinetemplates",
    "KubeadmConfigTemplate": "bootstrap.cluster.x-k8s.io/v1beta2/namespaces/{}/kubeadmconfigtemplates",
    "MachineDeployment": "cluster.x-k8s.io/v1beta2/namespaces/{}/machinedeployments",
}


@dataclass(frozen=True, slots=True)
class Floor:
    """Wall and client CPU seconds."""

    wall_s: float
    cpu_s: float


def render_floor(kustomize: Path, checkout: Path, clusters: int) -> Floor:
    """Every overlay by one kustomize process, as many at a time as there are cores; the output is thrown away."""
    folders = [(checkout / overlay_path(number)).parent for number in range(clusters)]
    before, started = _child_cpu_s(), time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda folder: run([kustomize, "build", folder], capture_output=True, check=True), folders))
    return Floor(time.monotonic() - started, _child_cpu_s() - before)


def decoded_render_floor(kustomize: Path, checkout: Path, clusters: int) -> Floor:
    """As ``render_floor``, each output decoded as ours are, in a process per core; CPU of renders and decoding."""
    folders = [(checkout / overlay_path(number)).parent for number in range(clusters)]
    share = os.cpu_count() or 1
    with ProcessPoolExecutor(share, mp_context=get_context("spawn")) as pool:
        list(pool.map(_cpu_of, [(kustomize, folders[:1])] * share))
        started = time.monotonic()
        spent = list(pool.map(_cpu_of, [(kustomize, folders[at::share]) for at in range(share)]))
    return Floor(time.monotonic() - started, sum(spent))


def _cpu_of(asked: tuple[Path, list[Path]]) -> float:
    kustomize, folders = asked
    before = _own_cpu_s() + _child_cpu_s()
    for folder in folders:
        text = run([kustomize, "build", folder], capture_output=True, check=True).stdout
        assert len(decode_objects([Output(text=text)], _target(folder.name)).manifests) == OBJECTS
    return _own_cpu_s() + _child_cpu_s() - before


def _target(name: str) -> Target:
    recipe = PlainRecipe(files=())
    return Target(
        name=f"r/{name}", fleet="scale", region=None, cluster=name, namespace="r", mode=Mode.APPLY, recipe=recipe
    )


def apply_floor(kustomize: Path, checkout: Path, sandbox: Sandbox, clusters: int) -> Floor:
    """Every object as one server-side apply into a namespace of its own, IN_FLIGHT at a time."""
    pending = _requests(kustomize, checkout, sandbox, clusters)
    before, started = _own_cpu_s(), time.monotonic()
    asyncio.run(_send(pending, sandbox))
    return Floor(time.monotonic() - started, _own_cpu_s() - before)


def _requests(kustomize: Path, checkout: Path, sandbox: Sandbox, clusters: int) -> list[tuple[str, bytes]]:
    folder = (checkout / overlay_path(0)).parent
    one = run([kustomize, "build", folder], capture_output=True, text=True, check=True).stdout
    found = []
    for number in range(clusters):
        for body in yaml.load_all(one.replace("c0000", f"c{number:04d}"), Loader=yaml.CSafeLoader):
            plural = _PLURALS[body["kind"]].format(NAMESPACE)
            url = f"{sandbox.server}/apis/{plural}/{body['metadata']['name']}?fieldManager=floor&force=true"
            found.append((url, json.dumps(body).encode()))
    return found


async def _send(pending: list[tuple[str, bytes]], sandbox: Sandbox) -> None:
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    tls.load_cert_chain(sandbox.cert_file, sandbox.key_file)
    headers = {"Content-Type": "application/apply-patch+yaml"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=IN_FLIGHT)) as session:

        async def worker() -> None:
            while pending:
                url, body = pending.pop()
                async with session.patch(url, data=body, headers=headers) as answer:
                    text = await answer.text()
                    assert answer.status in {200, 201}, text[:300]

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _child_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
