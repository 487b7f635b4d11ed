"""Stands between a Gitea's webhooks and a daemon: writes down when each came, and can send one again."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """``at_s`` is monotonic."""

    event: str
    at_s: float
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(slots=True)
class Relay:
    """Passes each on at once, to the address ``to``, with its headers and body as they came."""

    to: str
    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def take(self, one: Received) -> int:
        self.received.append(one)
        return self.send(one)

    def send(self, one: Received, **changed: Any) -> int:
        """The answer's status; ``changed`` fields instead of what came."""
        headers, body = changed.get("headers", one.headers), changed.get("body", one.body)
        request = urllib.request.Request(self.to, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        self.answers.append(status)
        return status


@contextmanager
def relaying(to: str) -> Iterator[Relay]:
    relay = Relay(to)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at_s, body = time.monotonic(), self.rfile.read(int(self.headers["Content-Length"]))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            self.send_response(relay.take(Received(event=kept["X-Gitea-Event"], at_s=at_s, headers=kept, body=body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    relay.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_HOP = frozenset({"host", "content-length", "connection", "accept-encoding"})
