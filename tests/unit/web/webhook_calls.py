"""A listener that writes down, secrets, and requests as each forge sends and signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from clusterops.controller.clock import SystemClock
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.model.problem import Problem
from clusterops.model.request import Delivery
from clusterops.model.secret import SecretText
from clusterops.ports import Clock
from clusterops.telemetry import Metrics
from clusterops.web import Deliveries, Webhooks, serve

SECRET = "correct horse battery staple"
SIGNING = "whsec_" + base64.b64encode(bytes(range(32))).decode()
REPOSITORY = "platform/fleet"
PUSH: Mapping[str, Any] = {"ref": "refs/heads/main", "repository": {"full_name": REPOSITORY}}


@dataclass(slots=True, kw_only=True)
class Writing:
    """A Listener."""

    taken: bool = True
    file: ForgeFile | None = field(
        default_factory=lambda: ForgeFile(kind=ForgeKind.GITHUB, repository=REPOSITORY, per_cluster_status_up_to=0)
    )
    heard: list[Delivery] = field(default_factory=list)
    pass_on: Callable[[Delivery], None] = lambda _: None

    def called(self, delivery: Delivery) -> None:
        self.heard.append(delivery)
        self.pass_on(delivery)


class Ready:
    """Facts."""

    ready = True
    problem: Problem | None = None


def hexed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def github(body: bytes, *, event: str = "push", id: str = "", secret: str = SECRET) -> dict[str, str]:
    """Headers, with lower-case names as all of these."""
    named = {"x-github-delivery": id} if id else {}
    return {"x-github-event": event, "x-hub-signature-256": f"sha256={hexed(body, secret)}", **named}


def gitea(body: bytes, *, event: str = "push", id: str = "", secret: str = SECRET) -> dict[str, str]:
    """All that Gitea v1.26 sends (services/webhook/deliver.go), GitHub's names included."""
    signature = hexed(body, secret)
    return {
        "x-gitea-event": event,
        "x-gitea-delivery": id,
        "x-gitea-signature": signature,
        "x-hub-signature-256": f"sha256={signature}",
        "x-github-event": event,
        "x-github-delivery": id,
    }


def gitlab(*, event: str = "Push Hook", id: str = "", secret: str = SECRET) -> dict[str, str]:
    return {"x-gitlab-event": event, "x-gitlab-token": secret, **({"idempotency-key": id} if id else {})}


def gitlab_signed(
    body: bytes, *, at_s: float, event: str = "Push Hook", id: str = "msg-1", secret: str = SIGNING
) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.new(key, f"{id}.{at_s:.0f}.".encode() + body, hashlib.sha256).digest()).decode()
    return {
        "x-gitlab-event": event,
        "webhook-id": id,
        "webhook-timestamp": f"{at_s:.0f}",
        "webhook-signature": f"v1,{made}",
    }


@asynccontextmanager
async def taking(
    listener: Writing, *, clock: Clock | None = None, metrics: Metrics | None = None, secret: str = SECRET
) -> AsyncIterator[int]:
    """The port of a real server on loopback."""
    clock, metrics = clock or SystemClock(), metrics or Metrics()

    async def secrets() -> tuple[SecretText, ...]:
        return (SecretText(secret),) if secret else ()

    intake = Webhooks(
        listener=listener,
        secrets=secrets,
        deliveries=Deliveries(pass_on=listener.called, clock=clock),
        clock=clock,
        metrics=metrics,
    )
    async with serve(Ready(), metrics.registry, "127.0.0.1", 0, intake=intake) as port:
        yield port
