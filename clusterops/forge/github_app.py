"""A GitHub App as the source of tokens. **Source:** GitHub, "Generating a JSON Web Token (JWT) for a GitHub App" and
"Authenticating as a GitHub App installation".
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from clusterops.errors import TerminalError, TransientError
from clusterops.forge.sender import Sender
from clusterops.forge.wire import Call, Reply
from clusterops.model.secret import SecretText
from clusterops.ports import Clock

T = TypeVar("T")
_BEFORE: Final = timedelta(seconds=60)
"""Our clock may be ahead of GitHub's."""
_LIFE: Final = timedelta(minutes=9)
"""GitHub takes at most ten."""
_MARGIN: Final = timedelta(minutes=5)
"""An installation's token lives for an hour."""
_KEY_HINT: Final = "give the App's private key as it was downloaded (PEM, RSA): CLUSTEROPS_FORGE_APP_KEY_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWire:
    """What an App asks with its own token. ``repository`` is OWNER/NAME."""

    repository: str

    def app(self) -> Call:
        return Call(method="GET", path="/app")

    def read_app(self, body: Any) -> str:
        """The account under which it comments."""
        return f"{body['slug']}[bot]"

    def installation(self) -> Call:
        return Call(method="GET", path=f"/repos/{quote(self.repository)}/installation")

    def read_installation(self, body: Any) -> int:
        return int(body["id"])

    def installation_token(self, installation: int) -> Call:
        """Of that one repository, with the App's own rights there. Asking twice does no harm."""
        form = {"repositories": [self.repository.partition("/")[2]]}
        return Call(method="POST", path=f"/app/installations/{installation}/access_tokens", body=form)

    def read_installation_token(self, body: Any) -> tuple[SecretText, datetime]:
        return SecretText(str(body["token"])), datetime.fromisoformat(body["expires_at"])


@dataclass(slots=True, kw_only=True)
class GithubApp:
    """Tokens of the App's installation on one repository, each used until shortly before it expires."""

    app_id: str
    key_file: Path
    wire: AppWire
    sender: Sender = field(repr=False)
    clock: Clock = field(repr=False)
    _token: SecretText = field(default_factory=lambda: SecretText(""))
    _until: datetime | None = None
    _account: str = ""
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def token(self) -> SecretText:
        """Raises what ports.Forge says, ``forge-token`` where the key cannot be used."""
        async with self._asking:
            if self._until is None or self.clock.now() >= self._until - _MARGIN:
                number = self._read(await self._send(self.wire.installation()), self.wire.read_installation)
                reply = await self._send(self.wire.installation_token(number))
                self._token, self._until = self._read(reply, self.wire.read_installation_token)
            return self._token

    def refused(self) -> None:
        """The App was installed anew, or its token was revoked."""
        self._until = None

    async def account(self) -> str:
        if not self._account:
            self._account = self._read(await self._send(self.wire.app()), self.wire.read_app)
        return self._account

    async def _send(self, call: Call) -> Reply:
        key = await asyncio.to_thread(read_key, self.key_file)
        try:
            return await self.sender.send(call, app_token(self.app_id, key, self.clock.now()))
        except TerminalError as error:
            if error.code != "forge-missing":
                raise
            raise TerminalError(
                error.code,
                f"GitHub App {self.app_id}",
                f"is not installed on {self.wire.repository}: {error.message}",
                hint="install it, with `Commit statuses` and `Pull requests` to read and write, `Contents` to read",
            ) from error

    def _read(self, reply: Reply, read: Callable[[Any], T]) -> T:
        try:
            return read(reply.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Never what stands there: it may be a token.
            problem = f"answered what is not understood: {type(error).__name__}"
            raise TransientError("forge-unavailable", self.sender.root, problem, hint="tried again by itself") from None


def app_token(app_id: str, key: rsa.RSAPrivateKey, now: datetime) -> SecretText:
    """A JWT, RS256 (RFC 7515, RFC 7519), that lives for nine minutes."""
    claims = {"iat": int((now - _BEFORE).timestamp()), "exp": int((now + _LIFE).timestamp()), "iss": app_id}
    signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return SecretText(f"{signed}.{_base64url(signature)}")


def read_key(file: Path) -> rsa.RSAPrivateKey:
    """Raises TerminalError ``forge-token``."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise TerminalError("forge-token", str(file), error.strerror or "cannot be read", hint=_KEY_HINT) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the parser says may quote the file.
        raise TerminalError("forge-token", str(file), "is no private key without a password", hint=_KEY_HINT) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TerminalError("forge-token", str(file), "is not an RSA key", hint=_KEY_HINT)
    return key


def _encoded(part: dict[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
