"""A real Gitea on loopback for as long as a block, or this process, lasts."""

from __future__ import annotations

import getpass
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.stage import ROOT, until

ADMIN: Final = "admin-of-tests"
AUTHOR: Final = "author"
BOT: Final = "clusterops"
_PORTS: Final = range(10_000, 19_000)
"""Below those that the kernel gives to outgoing connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiteaServer:
    """``tokens`` by account, all scopes: an admin, an author of requests, and the bot whose token a daemon has."""

    url: str
    folder: Path
    pid: int
    tokens: dict[str, str]

    def api(self, method: str, path: str, body: Any = None, *, account: str = ADMIN) -> Any:
        """The decoded answer below ``/api/v1``, None for an empty one. Raises Refused."""
        return _send(
            f"{self.url}/api/v1{path}", method, body, authorization=f"token {self.tokens[account]}", what=account
        )

    def everything(self, path: str, *, account: str = ADMIN) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        joined, page = "&" if "?" in path else "?", 1
        while rows := self.api("GET", f"{path}{joined}limit=50&page={page}", account=account):
            found, page = found + rows, page + 1
        return found

    def add_account(self, name: str) -> None:
        """With a token."""
        password = secrets.token_urlsafe(16)
        form = {
            "username": name,
            "password": password,
            "email": f"{name}@example.invalid",
            "must_change_password": False,
        }
        self.api("POST", "/admin/users", form)
        basic = b64encode(f"{name}:{password}".encode()).decode()
        token = {"name": "tests", "scopes": ["all"]}
        answer = _send(
            f"{self.url}/api/v1/users/{name}/tokens", "POST", token, authorization=f"Basic {basic}", what=name
        )
        self.tokens[name] = answer["sha1"]

    def git_url(self, repository: str, account: str = "") -> str:
        """Of OWNER/NAME, with the account's token where one is given."""
        who = f"{account}:{self.tokens[account]}@" if account else ""
        return f"http://{who}{self.url.removeprefix('http://')}/{repository}.git"


class Refused(AssertionError):
    """An answer that is not 2xx."""

    def __init__(self, status: int, said: str, what: str) -> None:
        super().__init__(f"{what}: {status} {said}")
        self.status = status
        self.said = said


@contextmanager
def serving(program: Path) -> Iterator[GiteaServer]:
    """``program`` is what `ensure_gitea` gives. Ready in about 3 s; gone, its folder too, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="clusterops-gitea-"))
    reserved = _reserve()
    try:
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        config = folder / "app.ini"
        config.write_text(_configuration(program, folder, url), encoding="utf-8")
        run = _Program(program / "gitea", config, folder)
        run("migrate")
        run("admin", "user", "create", "--admin", "--username", ADMIN, "--random-password", "--email", "a@example.org")
        told = run("admin", "user", "generate-access-token", "--username", ADMIN, "--scopes", "all", "--raw")
        with run.web() as keeper:
            server = GiteaServer(url=url, folder=folder, pid=keeper.pid, tokens={ADMIN: told.split()[-1]})
            until("an answer of gitea", lambda: keeper.poll() is not None or _answers(server))
            assert keeper.poll() is None, run.log.read_text(errors="replace")[-3000:]
            server.add_account(AUTHOR)
            server.add_account(BOT)
            yield server
    finally:
        reserved.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Program:
    def __init__(self, program: Path, config: Path, folder: Path) -> None:
        self._argv = [str(program)]
        self._options = ["--config", str(config), "--work-path", str(folder)]
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GITEA_WORK_DIR": str(folder)}
        self.log = folder / "gitea.log"

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._argv, *arguments, *self._options], env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"gitea {arguments}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
        return done.stdout

    @contextmanager
    def web(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.gitea.keeper", *self._argv, "web", *self._options],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield keeper
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait()


def _answers(server: GiteaServer) -> bool:
    try:
        return bool(server.api("GET", "/version"))
    except OSError:
        return False


def _send(url: str, method: str, body: Any, *, authorization: str, what: str) -> Any:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": authorization, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace")[:500]
            raise Refused(error.code, said, f"{method} {url} as {what}") from error


def _reserve() -> socket.socket:
    """Bound and not listening: Go, which sets SO_REUSEADDR, may listen there, and nobody else finds it free."""
    while True:
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", random.choice(_PORTS)))
        except OSError:
            held.close()
        else:
            return held


def _configuration(program: Path, folder: Path, url: str) -> str:
    return f"""\
RUN_USER = {getpass.getuser()}
RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {url.rpartition(":")[2]}
ROOT_URL = {url}/
STATIC_ROOT_PATH = {program}
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false
ALLOW_GRACEFUL_RESTARTS = false
GRACEFUL_HAMMER_TIME = 2s
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY = {secrets.token_hex(32)}
[webhook]
ALLOWED_HOST_LIST = loopback
[repository]
ROOT = {folder}/repositories
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
MODE = console
LEVEL = Info
ROOT_PATH = {folder}/log
[session]
PROVIDER = memory
[actions]
ENABLED = false
[mailer]
ENABLED = false
[picture]
DISABLE_GRAVATAR = true
[cron]
ENABLED = false
[cron.update_checker]
ENABLED = false
"""
