"""How libgit2 reaches a remote: credentials, proxy, trust, timeouts, and what its errors mean."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any, Final

import pygit2
from pygit2.enums import CredentialType

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.settings import NetworkSettings, RepositorySettings
from clusterops.source.git.address import Address

_NET, _OS, _SSL, _SSH, _HTTP = 12, 2, 16, 23, 34
NETWORK_CLASSES: Final = frozenset({_NET, _OS, _SSL, _SSH, _HTTP})
"""**Source:** libgit2 1.9 include/git2/errors.h, git_error_t."""
_FORBIDDEN: Final = (
    "status code: 401",
    "status code: 403",
    "authentication",
    "credentials",
    "publickey",
    "not owned by",
)
_ABSENT: Final = "status code: 404"


def configure_libgit2(settings: RepositorySettings, network: NetworkSettings, home: Path) -> None:
    """Timeouts, trusted authorities and the ssh home are settings of the process in libgit2, not of a connection."""
    pygit2.settings.server_connect_timeout = int(settings.connect_timeout_s * 1000)
    pygit2.settings.server_timeout = int(settings.timeout_s * 1000)
    if network.ca_file is not None:
        pygit2.settings.set_ssl_cert_locations(str(network.ca_file), None)
    if settings.known_hosts is not None:
        _adopt_known_hosts(settings.known_hosts, home)


def _adopt_known_hosts(known_hosts: Path, home: Path) -> None:
    """libgit2 reads ``~/.ssh/known_hosts`` only, so it is given a home of its own that holds ours."""
    folder = home / ".ssh"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(known_hosts, folder / "known_hosts")
    pygit2.settings.homedir = str(home)


def proxy_for(address: Address, network: NetworkSettings) -> str | None:
    """The proxy's URL, None for a direct connection, which plain http always is.

    For http://, libgit2 1.9 words its request for the proxy and then sends it to the server itself (seen).
    **Source:** curl's NO_PROXY: an exact host or a parent domain, or ``*``.
    """
    excepted = any(_covers(rule, address.host) for rule in network.no_proxy)
    return None if excepted or address.scheme != "https" else network.https_proxy or None


def _covers(rule: str, host: str) -> bool:
    domain = rule.strip().lstrip(".")
    return rule.strip() == "*" or (bool(domain) and (host == domain or host.endswith(f".{domain}")))


class Callbacks(pygit2.RemoteCallbacks):
    """One connection's credentials, its cancellation, and the server's word on each pushed reference."""

    def __init__(self, address: Address, settings: RepositorySettings, stop: threading.Event) -> None:
        super().__init__()
        self._address = address
        self._settings = settings
        self._stop = stop
        self._offered = False
        self.rejections: list[str] = []

    def credentials(self, url: str, username_from_url: str | None, allowed_types: CredentialType) -> Any:
        """Each credential is offered once: libgit2 asks again for ever while the server says no."""
        username = username_from_url or self._address.username or self._settings.username
        if allowed_types & CredentialType.USERNAME:
            return pygit2.Username(username)
        if self._offered:
            raise forbidden(self._address, "the credentials were not accepted")
        self._offered = True
        return self._offer(username, allowed_types)

    def _offer(self, username: str, allowed: CredentialType) -> Any:
        secret = self._settings.token or self._address.password
        if allowed & CredentialType.USERPASS_PLAINTEXT and secret:
            return pygit2.UserPass(username, secret.reveal())
        key = self._settings.ssh_key
        if allowed & CredentialType.SSH_KEY and key is not None:
            return pygit2.Keypair(username, None, str(key), "")
        raise forbidden(self._address, "it asks for credentials and none are configured")

    def transfer_progress(self, stats: Any) -> None:
        if self._stop.is_set():
            raise TransientError("cancelled", f"repository {self._address.url}", "the fetch was cancelled")

    def push_update_reference(self, refname: str, message: str | None) -> None:
        if message:
            self.rejections.append(message)


def forbidden(address: Address, why: str) -> TerminalError:
    hints = {
        "ssh": "set the repository's ssh_key to one that may read it",
        "file": "let this user own it, or trust it: `git config --global --add safe.directory PATH`",
    }
    return TerminalError(
        "repository-forbidden",
        f"repository {address.url}",
        f"access denied: {why}",
        hint=hints.get(address.scheme, "set the repository's token to one that may read it and write its notes"),
    )


def unreachable(address: Address, why: str) -> TransientError:
    return TransientError(
        "repository-unreachable",
        f"repository {address.url}",
        f"cannot be reached: {why}",
        hint="tried again by itself; check the address, the network and the proxy settings",
    )


def _untrusted(address: Address, why: str) -> TerminalError:
    what = "known_hosts" if address.scheme == "ssh" else "ca_file"
    return TerminalError(
        "repository-untrusted",
        f"repository {address.url}",
        f"the server's identity cannot be verified: {why}",
        hint=f"name the file that vouches for it in {what}",
    )


def is_network_error(error: Exception) -> bool:
    kinds = (pygit2.AuthError, pygit2.CertificateError, ConnectionError, TimeoutError)
    return isinstance(error, kinds) or getattr(error, "error_class", 0) in NETWORK_CLASSES


def translate(error: Exception, address: Address) -> ClusterOpsError:
    """libgit2's words as one of ours. Anything not understood is transient: the next poll tries again."""
    if isinstance(error, ClusterOpsError):
        return error
    text = str(error).strip() or type(error).__name__
    if isinstance(error, pygit2.CertificateError) or "certificate" in text.lower():
        return _untrusted(address, text)
    if isinstance(error, pygit2.AuthError) or any(word in text.lower() for word in _FORBIDDEN):
        return forbidden(address, text)
    if _ABSENT in text:
        return forbidden(address, "it does not exist, or these credentials may not see it (404)")
    return unreachable(address, text)
