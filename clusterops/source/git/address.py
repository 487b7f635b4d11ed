"""Where a repository is: the forms of a git URL, without the credentials that may stand in one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from clusterops.errors import TerminalError
from clusterops.model.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """``url`` carries no credentials; ``path`` is set for a repository on this machine only."""

    url: str
    scheme: str
    host: str = ""
    path: Path | None = None
    username: str = ""
    password: SecretText = field(default_factory=lambda: SecretText(""))

    @property
    def digest(self) -> str:
        """Names the mirror's folder: equal for equal URLs, whatever the credentials."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:24]


def parse_address(text: str) -> Address:
    """Plain path, ``file://``, ``https://``, ``http://``, ``ssh://`` or ``user@host:path``.

    Raises TerminalError ``repository-url``.
    """
    if "://" not in text:
        return _scp_like(text) or _local(text, Path(text).expanduser())
    parts = urlsplit(text)
    if parts.scheme == "file":
        return _file(text, parts)
    if parts.scheme in {"https", "http", "ssh"} and parts.hostname:
        return _remote(parts)
    raise _unknown(_without_credentials(parts))


def _scp_like(text: str) -> Address | None:
    """``git@host:path``: a colon before the first slash, as git itself decides. **Source:** git-clone(1), GIT URLS."""
    host, colon, path = text.partition(":")
    if not colon or "/" in host or not host:
        return None
    user, _, name = host.rpartition("@")
    return Address(url=text, scheme="ssh", host=name, username=user) if path else None


def _local(text: str, path: Path) -> Address:
    if not text:
        raise _unknown(text)
    absolute = path.absolute()
    return Address(url=str(absolute), scheme="file", path=absolute)


def _file(text: str, parts: SplitResult) -> Address:
    if parts.netloc not in {"", "localhost"}:
        raise _unknown(text)
    return _local(text, Path(unquote(parts.path)))


def _remote(parts: SplitResult) -> Address:
    return Address(
        url=_without_credentials(parts),
        scheme=parts.scheme,
        host=parts.hostname or "",
        username=unquote(parts.username or ""),
        password=SecretText(unquote(parts.password or "")),
    )


def _without_credentials(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.scheme == "ssh" and parts.username else ""
    return parts._replace(netloc=f"{user}{host}").geturl()


def _unknown(text: str) -> TerminalError:
    return TerminalError(
        "repository-url",
        f"repository {text!r}",
        "is not an address that git can fetch from",
        hint="use a path, file:///PATH, https://HOST/PATH, or ssh://git@HOST/PATH",
    )
