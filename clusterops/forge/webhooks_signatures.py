"""Whether a webhook is the forge's own: what it is signed with, compared in constant time. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from clusterops.model.fleet import ForgeKind
from clusterops.model.secret import SecretText

_SIGNING: Final = "whsec_"
"""What a secret of GitLab begins with that signs; any other one is sent as it is."""
_TOLERANCE_S: Final = 300
_PROOFS: Final[Mapping[ForgeKind, tuple[str, ...]]] = {
    ForgeKind.GITHUB: ("x-hub-signature-256",),
    ForgeKind.GITEA: ("x-gitea-signature", "x-hub-signature-256"),
    ForgeKind.FORGEJO: ("x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"),
    ForgeKind.GITLAB: ("webhook-signature", "x-gitlab-token"),
}


def is_signed(kind: ForgeKind, headers: Mapping[str, str]) -> bool:
    """Whether there is anything to verify, so that a body without it need not be read."""
    return any(headers.get(name) for name in _PROOFS[kind])


def is_genuine(
    kind: ForgeKind, headers: Mapping[str, str], body: bytes, secrets: Sequence[SecretText], *, now_s: float
) -> bool:
    """Whether one of the secrets made the first proof that there is; an empty secret proves nothing.

    ``headers`` have lower-case names, ``now_s`` is Unix time. **Source:** GitHub, "Validating webhook deliveries";
    Gitea v1.26 services/webhook/deliver.go; GitLab, "Webhooks", secret token and signing token (merge request 230944).
    """
    keys = [secret.reveal().encode() for secret in secrets if secret]
    given = next((name for name in _PROOFS[kind] if headers.get(name)), "")
    proof = headers.get(given, "").encode(errors="surrogateescape")
    if given == "webhook-signature":
        return _is_standard(headers, body, [key for key in keys if key.startswith(_SIGNING.encode())], now_s)
    if given == "x-gitlab-token":
        return _is_any(proof, [key for key in keys if not key.startswith(_SIGNING.encode())])
    return _is_any(
        proof.removeprefix(b"sha256="), [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in keys]
    )


def _is_standard(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now_s: float) -> bool:
    """Signatures are ``v1,`` and base64, parted by blanks. **Source:** standardwebhooks.com, specification 1.0."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit() and len(at) < 20 and abs(int(at) - now_s) <= _TOLERANCE_S):
        return False
    signed = f"{id}.{at}.".encode(errors="surrogateescape") + body
    proofs = headers["webhook-signature"].encode(errors="surrogateescape").split(b" ")[:8]
    made = [b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in _signing_keys(keys)]
    return sum(_is_any(proof, made) for proof in proofs) > 0


def _signing_keys(secrets: Sequence[bytes]) -> list[bytes]:
    keys = []
    for secret in secrets:
        try:
            keys.append(base64.b64decode(secret.removeprefix(_SIGNING.encode()), validate=True))
        except binascii.Error:
            continue
    return [key for key in keys if key]


def _is_any(proof: bytes, expected: Sequence[bytes]) -> bool:
    """All are compared, whichever fits."""
    return sum(hmac.compare_digest(proof, each) for each in expected) > 0
