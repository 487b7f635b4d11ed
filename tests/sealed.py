"""SOPS files written by a test, as sops itself writes them (what reads them is held against real ones elsewhere)."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyrage
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MODIFIED = "2026-11-21T12:00:00Z"


class AgeKey:
    """A throw-away identity."""

    def __init__(self) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.text = str(identity)
        self.public = str(identity.to_public())


def sealed(values: Mapping[str, Any], *keys: AgeKey, plain: Sequence[str] = ("clusterops",)) -> bytes:
    """``plain`` are the top-level keys that stay readable; values are text, whole numbers, booleans, maps and lists."""
    data_key = os.urandom(32)
    digest = hashlib.sha512()
    body = {key: _walk(value, (key,), data_key, digest, plain) for key, value in values.items()}
    recipients = [(key.public, pyrage.x25519.Recipient.from_str(key.public)) for key in keys]
    body["sops"] = {
        "age": [
            {"recipient": public, "enc": pyrage.encrypt(data_key, [one], armored=True).decode()}
            for public, one in recipients
        ],
        "lastmodified": MODIFIED,
        "mac": _encrypted(digest.hexdigest().upper().encode(), "str", data_key, MODIFIED),
        "unencrypted_regex": f"^({'|'.join(plain)})$",
        "version": "3.13.3",
    }
    return yaml.safe_dump(body, sort_keys=False, width=10_000).encode()


def _walk(value: Any, path: tuple[str, ...], key: bytes, digest: Any, plain: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _walk(each, (*path, name), key, digest, plain) for name, each in value.items()}
    if isinstance(value, list):
        return [_walk(each, path, key, digest, plain) for each in value]
    content = str(value).encode()
    digest.update(content)
    if path[0] in plain:
        return value
    kind = {bool: "bool", int: "int"}.get(type(value), "str")
    return _encrypted(content, kind, key, f"{':'.join(path)}:") if content else ""


def _encrypted(content: bytes, kind: str, key: bytes, bound_to: str) -> str:
    nonce = os.urandom(32)
    made = AESGCM(key).encrypt(nonce, content, bound_to.encode())
    data, iv, tag = (base64.b64encode(part).decode() for part in (made[:-16], nonce, made[-16:]))
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]"
