"""A daemon as a process, on a real API server and a real repository: what system tests, shows and scale runs share."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from clusterops.sandbox import Sandbox
from clusterops.source.author import commit_files, create_bare

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
WITHIN_S = 120.0
"""Bounds are for what never comes, not for how fast it is: CI has two cores, and others are on them too."""


LEASES = "/apis/coordination.k8s.io/v1/namespaces/clusterops-system/leases"
LEASE = {
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "15",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "10",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "0.5",
}
"""Long enough that a starved process keeps it; tests that need its end say so, or take it away (``forget``)."""


def until(what: str, probe: Callable[[], T], *, within_s: float = WITHIN_S, every_s: float = 0.05) -> T:
    """The first truthy answer of ``probe``; AssertionError that says what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {what}; last answer: {answer!r}"
        time.sleep(every_s)


@dataclass(frozen=True, slots=True)
class Api:
    """Plain reads and writes as an admin, past ClusterOps."""

    sandbox: Sandbox

    def get(self, path: str) -> Any:
        """The decoded answer, None for 404; waits while the server's storage of a new kind initialises (429)."""
        return self.send("GET", path)

    def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.sandbox.server + path, data=data, method=method, headers={"Content-Type": content_type}
        )
        tls = ssl.create_default_context(cafile=str(self.sandbox.ca_file))
        tls.load_cert_chain(self.sandbox.cert_file, self.sandbox.key_file)
        try:
            with urllib.request.urlopen(request, context=tls, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                if error.code == 429 and method == "GET":
                    time.sleep(0.5)
                    return self.get(path)
                raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def forget(self, fleet: str) -> None:
        """Takes the Lease of a killed process away, so that the next one need not wait for its end."""
        with contextlib.suppress(AssertionError, OSError):
            self.send("DELETE", f"{LEASES}/clusterops-{fleet}")

    def items(self, path: str) -> list[dict[str, Any]]:
        return list((self.get(path) or {}).get("items") or ())


@dataclass(slots=True)
class Repository:
    """A bare fleet repository that tests commit to."""

    directory: Path
    head: str = ""

    def create(self, files: Mapping[str, bytes]) -> str:
        self.head = create_bare(self.directory, files, "first")
        return self.head

    def commit(self, files: Mapping[str, bytes], message: str = "change") -> str:
        self.head = commit_files(self.directory, files, message)
        return self.head

    def drop(self, prefix: str) -> str:
        """One commit that removes a path and all below it."""
        self.head = _git_drop(self.directory, prefix)
        return self.head

    def statuses(self, commit: str) -> dict[str, dict[str, str]]:
        """Context to {state, text, at} of a commit's note."""
        found = subprocess.run(
            ["git", "-C", str(self.directory), "notes", "--ref", "clusterops", "show", commit],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in found.stdout.splitlines() if line]
        return {line.pop("context"): line for line in lines}

    def verdict(self, commit: str, context: str = "clusterops/apply") -> str:
        """The state of a context, "" while there is none or it is pending."""
        state = self.statuses(commit).get(context, {}).get("state", "")
        return "" if state == "pending" else state


@dataclass(slots=True)
class Daemon:
    """`clusterops run` as a child process; its log is JSON lines."""

    repository: Path
    kubeconfig: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    starts: int = 0
    after_kill: Callable[[], None] = lambda: None
    module: str = "clusterops"
    arguments: tuple[str, ...] = ()
    """Further ones of `clusterops run`."""

    @property
    def log(self) -> Path:
        return self.home / f"daemon-{self.starts}.log"

    def start(self, **settings: str) -> None:
        self.starts += 1
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CLUSTEROPS_CACHE_DIR": str(self.home / "cache"),
            "CLUSTEROPS_REPOSITORY_URL": str(self.repository),
            "CLUSTEROPS_CLUSTER_KUBECONFIG": str(self.kubeconfig),
            **LEASE,
            **self.environment,
            **settings,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "run", "--listen", "127.0.0.1:0", "--log-json", *self.arguments],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Log lines of one event, or all."""
        found = []
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and (not name or event.get("event") == name):
                found.append(event)
        return found

    def until_event(self, name: str, *, within_s: float = WITHIN_S, **fields: Any) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            self.must_run()
            matching = [e for e in self.events(name) if all(e.get(key) == value for key, value in fields.items())]
            return matching[-1] if matching else None

        return until(f"log event {name} {fields}", probe, within_s=within_s) or {}

    def must_run(self) -> None:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the daemon ended with {code}:\n{self.log.read_text(errors='replace')[-3000:]}"

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.until_event('started')['port']}"

    def kill(self) -> None:
        """kill -9, and its children's groups are its own affair."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.after_kill()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WITHIN_S)


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Removed at the end, unless $CLUSTEROPS_TESTS_KEEP wants to look at the logs."""
    path = Path(tempfile.mkdtemp(prefix=f"clusterops-{prefix}-"))
    try:
        yield path
    finally:
        if not os.environ.get("CLUSTEROPS_TESTS_KEEP"):
            shutil.rmtree(path, ignore_errors=True)


@dataclass(slots=True)
class Audit:
    """The API server's audit log from where it stood when this was made."""

    path: Path
    offset: int = 0

    @classmethod
    def from_now(cls, path: Path) -> Audit:
        return cls(path, path.stat().st_size if path.exists() else 0)

    def writes(self, agent: str = "clusterops") -> list[str]:
        """``verb resource namespace/name code`` of each mutating request of one user agent, in order."""
        return [
            f"{event['verb']} {reference.get('resource', '')}"
            f" {reference.get('namespace', '')}/{reference.get('name', '')} {event['responseStatus']['code']}"
            for event in self._events()
            if event["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
            and event.get("userAgent", "").startswith(agent)
            and "dryRun" not in event["requestURI"]
            for reference in [event.get("objectRef") or {}]
        ]

    def requests(self, agent: str = "clusterops") -> list[str]:
        """``verb resource`` of each request of one user agent that was answered, watches at their end; in order."""
        return [
            f"{event['verb']} {(event.get('objectRef') or {}).get('resource') or event['requestURI']}"
            for event in self._events()
            if event.get("userAgent", "").startswith(agent)
        ]

    def delete_bodies(self, agent: str = "clusterops") -> list[dict[str, Any]]:
        """The DeleteOptions of each delete; none where the log is kept without bodies."""
        return [
            event["requestObject"]
            for event in self._events()
            if event["verb"] == "delete" and event.get("userAgent", "").startswith(agent) and "requestObject" in event
        ]

    def _events(self) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as log:
            log.seek(self.offset)
            for line in log:
                if line.endswith(b"\n"):
                    yield json.loads(line)


def _git_drop(directory: Path, prefix: str) -> str:
    def git(*arguments: str, stdin: str = "") -> str:
        return subprocess.run(
            ["git", "-C", str(directory), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            env={
                **os.environ,
                "GIT_INDEX_FILE": str(directory / "drop-index"),
                "GIT_WORK_TREE": str(directory),
                **_AUTHOR,
            },
        ).stdout.strip()

    git("read-tree", "main")
    git("update-index", "--force-remove", "--stdin", stdin=git("ls-files", "--cached", prefix) + "\n")
    commit = git("commit-tree", git("write-tree"), "-p", "main", "-m", f"drop {prefix}")
    git("update-ref", "refs/heads/main", commit)
    return commit


_AUTHOR = {
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@example.invalid",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@example.invalid",
}
