"""A request log once more, with nothing in between: what any engine that asks the same must spend.

Each cluster's requests go out in the order and with the dependencies that they had: one that began after another had
its answer waits for that answer. What concerns no cluster keeps its order, and goes before what began after it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

import aiohttp
from yarl import URL

from clusterops.sandbox import Sandbox
from tests.scale.floors import IN_FLIGHT, Floor
from tests.scale.request_log import Sent

_UID, _VERSION = b"@uid@", b"@resourceVersion@"


@dataclass(slots=True, kw_only=True)
class _Step:
    sent: Sent
    body: bytes
    after: list[_Step] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)


async def replay(sandbox: Sandbox, sent: Iterable[Sent]) -> Floor:
    """Wall and client CPU seconds. AssertionError where the server answers otherwise than it did.

    Kinds are defined before the clock starts: a server takes seconds over that in which a daemon renders.
    """
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    tls.load_cert_chain(sandbox.cert_file, sandbox.key_file)
    steps = _steps(sent)
    known: dict[str, tuple[bytes, bytes]] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0)) as session:
        definitions = [step for step in steps if step.sent.defines_kinds]
        for step in definitions:
            await _send(session, sandbox.server, step, known)
            step.done.set()
        await _served(session, sandbox.server)
        waiting = iter([step for step in steps if not step.sent.defines_kinds])

        async def worker() -> None:
            for step in waiting:
                for earlier in step.after:
                    await earlier.done.wait()
                await _send(session, sandbox.server, step, known)
                step.done.set()

        before_s, began_s = _cpu_s(), time.monotonic()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return Floor(time.monotonic() - began_s, _cpu_s() - before_s)


async def _served(session: aiohttp.ClientSession, server: str) -> None:
    for plural in ("fleets", "fleettargets"):
        for attempt in count():
            async with session.get(f"{server}/apis/clusterops.io/v1alpha1/{plural}") as answer:
                if answer.status == 200:
                    break
            assert attempt < 600, f"{plural} are not served: {answer.status}"
            await asyncio.sleep(0.1)


def _steps(sent: Iterable[Sent]) -> Sequence[_Step]:
    """In the order in which they began, which is that in which workers take them: nothing waits for what is later."""
    ordered = sorted((one for one in sent if not one.is_lease), key=lambda one: one.began_s)
    steps = [_Step(sent=one, body=_body(one)) for one in ordered]
    latest: dict[str, list[_Step]] = {}
    shared: list[_Step] = []
    for step in steps:
        mine = latest.setdefault(step.sent.cluster, [])
        step.after = [one for one in (*mine[-64:], *shared) if one.sent.ended_s <= step.sent.began_s]
        mine.append(step)
        if not step.sent.cluster and step.sent.method != "GET":
            shared.append(step)
    return steps


def _body(sent: Sent) -> bytes:
    """With the stored object's identity left open where it was not sent to create one."""
    if sent.method not in {"PUT", "DELETE"} or not sent.body:
        return sent.body
    document = json.loads(sent.body)
    metadata = document.get("metadata") or document.get("preconditions") or {}
    for name, mark in (("uid", _UID), ("resourceVersion", _VERSION)):
        if name in metadata:
            metadata[name] = mark.decode()
    return json.dumps(document).encode()


async def _send(
    session: aiohttp.ClientSession, server: str, step: _Step, known: dict[str, tuple[bytes, bytes]]
) -> None:
    sent = step.sent
    path = sent.path.partition("?")[0]
    uid, version = known.get(path, (b"", b""))
    body = step.body.replace(_UID, uid).replace(_VERSION, version) if uid else step.body
    headers = {"Content-Type": sent.content_type} if body else None
    for attempt in count():
        async with session.request(
            sent.method, URL(server + sent.path, encoded=True), data=body or None, headers=headers
        ) as answer:
            text = await answer.read()
        if answer.status not in {429, 500, 503} or sent.status == answer.status or attempt == 50:
            break
        await asyncio.sleep(0.1)
    assert answer.status // 100 == sent.status // 100 or sent.status >= 400, (
        f"{sent.method} {sent.path}: {text[:300]!r}"
    )
    if sent.method in {"POST", "PUT"} and answer.status < 300:
        metadata = json.loads(text)["metadata"]
        name = f"/{metadata['name']}" if sent.method == "POST" else ""
        known[path + name] = metadata["uid"].encode(), metadata["resourceVersion"].encode()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
