"""Stands between a daemon and its forge: tests see each request before the forge does, each answer before the daemon.

``before`` and ``after`` may wait, or kill the daemon: what it sent never arrived then, or was done without its knowing.
"""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to the forge's API; ``body`` is decoded JSON, None where there is none."""

    method: str
    path: str
    body: Any = None

    def sets(self, context: str, state: str = "") -> bool:
        """Whether it posts that status."""
        if self.method != "POST" or "/statuses/" not in self.path:
            return False
        return bool(self.body["context"] == context and state in {"", self.body["state"]})

    @property
    def writes_comment(self) -> bool:
        return self.method in {"POST", "PATCH"} and "/comments" in self.path


@dataclass(slots=True)
class ForgeProxy:
    to: str
    url: str = ""
    before: Callable[[Asked], bool] = lambda asked: True
    """Whether it is passed on; if not, the connection ends without an answer."""
    after: Callable[[Asked], bool] = lambda asked: True
    """Whether it is answered."""
    asked: list[Asked] = field(default_factory=list)


@contextlib.contextmanager
def proxied(to: str) -> Iterator[ForgeProxy]:
    proxy = ForgeProxy(to)

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            asked = Asked(method=self.command, path=self.path, body=json.loads(data) if data else None)
            proxy.asked.append(asked)
            if not proxy.before(asked):
                self.close_connection = True
                return
            status, headers, body = _forward(proxy.to, self, data)
            if not proxy.after(asked):
                self.close_connection = True
                return
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_KEPT = frozenset({"link", "content-type", "x-total-count", "retry-after"})


def _forward(to: str, handler: BaseHTTPRequestHandler, data: bytes | None) -> tuple[int, dict[str, str], bytes]:
    headers = {name: handler.headers[name] for name in ("Authorization", "Content-Type") if handler.headers.get(name)}
    request = urllib.request.Request(f"{to}{handler.path}", data=data, headers=headers, method=handler.command)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found, body = answer, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            found, body = error, error.read()
    return found.status, {name: value for name, value in found.headers.items() if name.lower() in _KEPT}, body
