"""Real git repositories for tests, and git's own HTTP backend behind a few lines of server."""

from __future__ import annotations

import base64
import gzip
import os
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

AUTHOR = pygit2.Signature("Test", "test@example.org", 1_700_000_000, 0)


class Origin:
    """A bare repository that is committed to without a working tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = pygit2.init_repository(str(path), bare=True, initial_head="main")

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        branch: str = "main",
        onto: str | None = None,
        subject: str = "",
    ) -> str:
        """Changes these files (None removes) on the branch, or on commit ``onto``; the new commit's id."""
        ref = f"refs/heads/{branch}"
        known = self.repository.references.get(ref)
        parent = onto if onto is not None else (str(known.target) if known else "")
        tree = self._tree(parent, files)
        parents = [pygit2.Oid(hex=parent)] if parent else []
        commit = self.repository.create_commit(
            None, AUTHOR, AUTHOR, subject or f"change {len(files)} files", tree, parents
        )
        self.repository.references.create(ref, commit, force=True)
        return str(commit)

    def git(self, *arguments: str) -> str:
        return git(self.path, *arguments)

    def _tree(self, parent: str, files: Mapping[str, str | bytes | None]) -> pygit2.Oid:
        index = pygit2.Index()
        if parent:
            index.read_tree(self.repository[parent].peel(pygit2.Tree))
        for path, content in files.items():
            if content is None:
                index.remove(path)
            else:
                raw = content.encode() if isinstance(content, str) else content
                index.add(pygit2.IndexEntry(path, self.repository.create_blob(raw), FileMode.BLOB))
        return index.write_tree(self.repository)

    def commit_entry(self, path: str, mode: FileMode, target: str) -> str:
        """A commit whose ``path`` is a symbolic link to ``target``, or a submodule at commit ``target``."""
        index = pygit2.Index()
        parent = str(self.repository.references["refs/heads/main"].target)
        index.read_tree(self.repository[parent].peel(pygit2.Tree))
        is_link = mode == FileMode.LINK
        id_ = self.repository.create_blob(target.encode()) if is_link else pygit2.Oid(hex=target)
        index.add(pygit2.IndexEntry(path, id_, mode))
        tree = index.write_tree(self.repository)
        commit = self.repository.create_commit(None, AUTHOR, AUTHOR, "entry", tree, [pygit2.Oid(hex=parent)])
        self.repository.references.create("refs/heads/main", commit, force=True)
        return str(commit)


def git(cwd: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def corrupt_objects(repository: Path) -> None:
    """Every object becomes unreadable while the files stay where they are."""
    for file in [*repository.glob("objects/??/*"), *repository.glob("objects/pack/*.pack")]:
        size = file.stat().st_size
        file.chmod(0o644)
        file.write_bytes(b"\0" * size)


@dataclass
class GitServer:
    """What a test may change while it runs. ``stall_after`` bytes of a pack it waits until ``resume`` is set."""

    root: Path
    url: str = ""
    token: str = ""
    may_push: bool = True
    stall_after: int = -1
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what some tests are about."""


@contextmanager
def serve_git(root: Path, *, token: str = "", tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """Every repository below ``root``, on a free port of 127.0.0.1."""
    state = GitServer(root=root, token=token)
    server = _Server(("127.0.0.1", 0), _handler_of(state))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="git-server")
    thread.start()
    try:
        yield state
    finally:
        state.resume.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(state: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.state = state
    return Handler


class _Handler(BaseHTTPRequestHandler):
    """**Source:** git-http-backend(1), the CGI variables that it reads."""

    state: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.state.requests.append(f"{self.command} {self.path}")
        if not self._may_enter():
            self._reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        if "git-receive-pack" in self.path and not self.state.may_push:
            self._reply(403, {}, b"read only")
            return
        headers, content = self._backend(body)
        status = int(headers.pop("Status", "200").split()[0])
        self._reply(status, headers, content)

    def _may_enter(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        return not self.state.token or base64.b64decode(given).decode().partition(":")[2] == self.state.token

    def _backend(self, body: bytes) -> tuple[dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.state.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "test",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        return dict(line.split(": ", 1) for line in head.decode().splitlines()), content

    def _body(self) -> bytes:
        body = b"".join(self._chunks()) if self.headers.get("Transfer-Encoding") == "chunked" else self._counted()
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _counted(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _reply(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self._send(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _send(self, content: bytes) -> None:
        cut = self.state.stall_after
        if cut < 0 or len(content) <= cut:
            self.wfile.write(content)
            return
        self.wfile.write(content[:cut])
        self.wfile.flush()
        self.state.stalled.set()
        self.state.resume.wait()
        self.wfile.write(content[cut:])


@dataclass
class Tunnel:
    """A proxy: which hosts it was asked for."""

    url: str = ""
    hosts: list[str] = field(default_factory=list)


@contextmanager
def serve_tunnel() -> Iterator[Tunnel]:
    """An HTTP proxy that knows CONNECT only."""
    state = Tunnel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            state.hosts.append(self.path)
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as server:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, server)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="tunnel")
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Until either side closes."""
    while True:
        ready, _, _ = select.select([one, other], [], [], 10)
        for side in ready:
            if not (content := side.recv(65536)):
                return
            (other if side is one else one).sendall(content)
        if not ready:
            return
