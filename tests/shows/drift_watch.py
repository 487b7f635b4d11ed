"""What a second client sees of an API server, with the moment at which it saw it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from clusterops.sandbox import Sandbox
from tests.stage import WITHIN_S

_CORE, _BOOT = "cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
_PLANE, _INFRA = "controlplane.cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io"
KINDS = {
    "Cluster": (_CORE, "clusters"),
    "ClusterClass": (_CORE, "clusterclasses"),
    "MachineDeployment": (_CORE, "machinedeployments"),
    "MachineHealthCheck": (_CORE, "machinehealthchecks"),
    "Machine": (_CORE, "machines"),
    "KubeadmControlPlane": (_PLANE, "kubeadmcontrolplanes"),
    "KubeadmControlPlaneTemplate": (_PLANE, "kubeadmcontrolplanetemplates"),
    "KubeadmConfigTemplate": (_BOOT, "kubeadmconfigtemplates"),
    "DevCluster": (_INFRA, "devclusters"),
    "DevClusterTemplate": (_INFRA, "devclustertemplates"),
    "DevMachineTemplate": (_INFRA, "devmachinetemplates"),
}
"""Group and plural of what a fleet's clusters are made of."""
TARGETS = "/apis/clusterops.io/v1alpha1/fleettargets"
EVENTS = "/api/v1/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An object, or with name "" all of a kind: in a namespace, or with namespace "" in all of them."""

    kind: str
    namespace: str = ""
    name: str = ""

    @property
    def path(self) -> str:
        group, plural = KINDS[self.kind]
        within = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/apis/{group}/v1beta2{within}/{plural}" + (f"/{self.name}" if self.name else "")

    @property
    def resource(self) -> str:
        """As kubectl takes it."""
        group, plural = KINDS[self.kind]
        return f"{plural}.v1beta2.{group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One version of an object. ``at`` is when its line had been read, in seconds of the wall clock."""

    at: float
    gone: bool
    body: dict[str, Any]

    @property
    def place(self) -> Place:
        metadata = self.body["metadata"]
        return Place(kind=self.body["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"])


@dataclass(slots=True)
class Watch:
    """Follows lists from when it is entered. ``on_seen`` is called in the order of arrival, one call at a time.

    With ``keep`` all that is seen stays, for ``until``.
    """

    sandbox: Sandbox
    paths: tuple[str, ...]
    on_seen: Callable[[Seen], None] = lambda seen: None
    keep: bool = True
    seen: list[Seen] = field(default_factory=list)
    problem: BaseException | None = None
    _news: threading.Condition = field(default_factory=threading.Condition)
    _open: dict[str, http.client.HTTPConnection] = field(default_factory=dict)
    _ended: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Watch:
        for path in self.paths:
            since = self._list(path)
            self._threads.append(threading.Thread(target=self._follow, args=(path, since), name=path, daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        for connection in list(self._open.values()):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    @property
    def mark(self) -> int:
        """Where ``until`` may begin to look for what has not come yet."""
        return len(self.seen)

    def until(self, what: str, holds: Callable[[Seen], bool], *, since: int = 0, within_s: float = WITHIN_S) -> Seen:
        """The first sight from ``since`` on of which that holds."""
        deadline = time.monotonic() + within_s
        with self._news:
            looked = since
            while True:
                found = next((seen for seen in self.seen[looked:] if holds(seen)), None)
                if found is not None:
                    return found
                looked = len(self.seen)
                self.broken()
                left = deadline - time.monotonic()
                assert left > 0, f"waited {within_s:.0f} s for {what}"
                self._news.wait(left)

    def broken(self) -> None:
        """Raises what ended a watch: one with holes proves nothing."""
        if self.problem is not None:
            raise AssertionError("a watch ended") from self.problem

    def _list(self, path: str) -> str:
        """What is there counts as seen now. The version from which to follow."""
        found = self._get(path)
        for body in found.get("items") or ():
            kind = found["kind"].removesuffix("List")
            self._note(Seen(at=time.time(), gone=False, body={"kind": kind, **body}))
        return str(found["metadata"]["resourceVersion"])

    def _get(self, path: str) -> Any:
        connection = self._connection(60)
        try:
            for _ in range(60):
                connection.request("GET", path)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 429:  # the storage of a new kind is being made ready
                    break
                time.sleep(0.5)
            assert answer.status == 200, f"{path}: {answer.status} {text[:300]!r}"
            return json.loads(text)
        finally:
            connection.close()

    def _follow(self, path: str, since: str) -> None:
        try:
            while not self._ended:
                since = self._watch(path, since)
        except BaseException as error:
            if not self._ended:
                self.problem = error
                with self._news:
                    self._news.notify_all()

    def _watch(self, path: str, since: str) -> str:
        """Until the server ends it, as it does every hour or so."""
        connection = self._connection(None)
        self._open[path] = connection
        try:
            query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds=3600&resourceVersion={since}"
            connection.request("GET", f"{path}?{query}")
            answer = connection.getresponse()
            assert answer.status == 200, f"{path}: {answer.status} {answer.read()[:300]!r}"
            while line := answer.readline():
                at, document = time.time(), json.loads(line)
                body = document["object"]
                assert document["type"] != "ERROR", f"{path}: {body}"
                since = str(body["metadata"]["resourceVersion"])
                if document["type"] != "BOOKMARK":
                    self._note(Seen(at=at, gone=document["type"] == "DELETED", body=body))
            return since
        finally:
            connection.close()

    def _note(self, seen: Seen) -> None:
        with self._news:
            if self.keep:
                self.seen.append(seen)
            self.on_seen(seen)
            self._news.notify_all()

    def _connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        where = urlsplit(self.sandbox.server)
        tls = ssl.create_default_context(cafile=str(self.sandbox.ca_file))
        tls.load_cert_chain(self.sandbox.cert_file, self.sandbox.key_file)
        return http.client.HTTPSConnection(where.hostname or "", where.port, context=tls, timeout=timeout_s)
