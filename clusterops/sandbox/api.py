"""The few requests that a sandbox sends to its own API server, over the standard library alone."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from clusterops.errors import TerminalError
from clusterops.sandbox.spec import Layout

FIELD_MANAGER = "clusterops-sandbox"
_TIMEOUT_S = 30.0

# Kind to the collection that its objects live in; a sandbox installs nothing else.
COLLECTIONS: Mapping[str, str] = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "MutatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Blocking; to be called in a thread. One connection per request, so any thread may use it."""

    server: str
    tls: ssl.SSLContext

    @classmethod
    def of(cls, layout: Layout, server: str) -> "ApiServer":
        tls = ssl.create_default_context(cafile=str(layout.ca))
        tls.load_cert_chain(layout.admin_cert, layout.admin_key)
        return cls(server, tls)

    def is_ready(self) -> bool:
        """Whether it answers that it is ready; False also when nobody answers."""
        try:
            return self._request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def apply(self, item: Mapping[str, Any]) -> None:
        """Server-side apply, with force: everything here is ours. TerminalError ``sandbox-install-failed``."""
        name = item["metadata"]["name"]
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
        status, answer = self._request(
            "PATCH", f"{COLLECTIONS[item['kind']]}/{name}?{query}", body=json.dumps(item).encode()
        )
        if status not in (200, 201):
            raise TerminalError("sandbox-install-failed", f"{item['kind']} {name}", _message(status, answer))

    def established(self) -> frozenset[str]:
        """The names of the CRDs that the API server serves."""
        status, answer = self._request("GET", COLLECTIONS["CustomResourceDefinition"])
        if status != 200:
            raise TerminalError("sandbox-install-failed", "CustomResourceDefinitions", _message(status, answer))
        return frozenset(item["metadata"]["name"] for item in json.loads(answer)["items"] if _is_established(item))

    def _request(self, method: str, path: str, *, body: bytes | None = None) -> tuple[int, bytes]:
        place = urlsplit(self.server)
        connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=self.tls, timeout=_TIMEOUT_S)
        try:
            # JSON is YAML, and spares the API server its slow parser.
            headers = {"Content-Type": "application/apply-patch+yaml"} if body else {}
            connection.request(method, path, body=body, headers={"Accept": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _is_established(item: Mapping[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)


def _message(status: int, answer: bytes) -> str:
    try:
        told = json.loads(answer)["message"]
    except (ValueError, KeyError, TypeError):
        told = answer.decode(errors="replace")[:500]
    return f"the API server answered {status}: {told}"
