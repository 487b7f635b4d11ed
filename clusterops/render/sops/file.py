"""A SOPS file opened: its values decrypted, its MAC verified.

**Source:** getsops/sops v3.13.3 sops.go (Tree.Decrypt, walkBranch, walkSlice) and cmd/sops/common (DecryptTree).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from clusterops.errors import TerminalError
from clusterops.model.document import Document, Pointer, compose_document, load_document
from clusterops.render.sops.cipher import Comment, NotDecryptable, decrypt
from clusterops.render.sops.keys import AgeKeys
from clusterops.render.sops.scalars import content_of
from clusterops.render.sops.seal import KEY, Rules, Seal, read_seal

_NARROW: Final = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
"""What a MAC over encrypted values only begins with. **Source:** sops.go MACOnlyEncryptedInitialization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """``document`` has its places and no ``sops:``; ``secrets`` are the pointers of what was decrypted."""

    document: Document = field(repr=False)
    secrets: frozenset[Pointer]


def open_file(text: bytes, path: str, keys: AgeKeys, *, subject: str) -> Opened:
    """Raises TerminalError ``sops-key-missing``, ``sops-key-invalid``, ``sops-key-unreadable``, ``sops-mac-mismatch``,
    ``sops-invalid`` or ``sops-unsupported``, and what load_document raises.
    """
    document = load_document(text, path)
    seal = read_seal(document.value.get(KEY), path, subject=subject)
    key = keys.data_key(seal, subject=subject)
    opening = _Opening(document, seal.rules, key, subject=subject, narrow=seal.narrow)
    value = opening.mapping(compose_document(text, path), (), ())
    _verify(seal, key, opening.mac, subject)
    return Opened(document=replace(document, value=value), secrets=frozenset(opening.secrets))


def _verify(seal: Seal, key: bytes, mac: str, subject: str) -> None:
    try:
        wanted = str(decrypt(seal.mac, key, bound_to=seal.modified).value)
    except NotDecryptable:
        wanted = ""
    if not hmac.compare_digest(wanted.encode(), mac.encode()):
        raise TerminalError(
            "sops-mac-mismatch",
            subject,
            "was changed after it was encrypted: its values are not those of its MAC",
            hint=f"edit it with `sops {seal.path}`, never by hand, and resolve merges by encrypting again",
            path=seal.path,
        )


class _Opening:
    """One walk in the order of the file; ``mac`` and ``secrets`` are whole once it is done."""

    def __init__(self, document: Document, rules: Rules, key: bytes, *, subject: str, narrow: bool) -> None:
        self.secrets: set[Pointer] = set()
        self._document = document
        self._rules = rules
        self._key = key
        self._subject = subject
        self._narrow = narrow
        self._hash = hashlib.sha512(_NARROW if narrow else b"")

    @property
    def mac(self) -> str:
        return self._hash.hexdigest().upper()

    def mapping(self, node: yaml.MappingNode, pointer: Pointer, path: tuple[str, ...]) -> dict[str, Any]:
        opened: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if not path and key == KEY:
                continue
            if key not in self._at(pointer):
                raise self._error("sops-unsupported", (*pointer, key), "is a key that YAML readers differ about")
            opened[key] = self._value(value_node, (*pointer, key), (*path, key))
        return opened

    def _value(self, node: yaml.Node, pointer: Pointer, path: tuple[str, ...]) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, pointer, path)
        if isinstance(node, yaml.SequenceNode):
            items = [self._value(item, (*pointer, index), path) for index, item in enumerate(node.value)]
            return [item for item in items if not isinstance(item, Comment)]
        assert isinstance(node, yaml.ScalarNode)
        return self._decrypted(node, pointer, path) if self._rules.covers(path) else self._plain(node, pointer)

    def _plain(self, node: yaml.ScalarNode, pointer: Pointer) -> Any:
        if not self._narrow:
            self._hash.update(content_of(node) or b"")
        return self._at(pointer)

    def _at(self, pointer: Pointer) -> Any:
        value = self._document.value
        for part in pointer:
            value = value[part]
        return value

    def _decrypted(self, node: yaml.ScalarNode, pointer: Pointer, path: tuple[str, ...]) -> Any:
        if content_of(node) is None:
            return None
        try:
            plain = decrypt(str(node.value), self._key, bound_to=f"{':'.join(path)}:")
        except NotDecryptable as error:
            raise self._error("sops-invalid", pointer, str(error)) from None
        self._hash.update(plain.content)
        self.secrets.add(pointer)
        return plain.value

    def _error(self, code: str, pointer: Pointer, message: str) -> TerminalError:
        mark = self._document.key_mark(pointer)
        path = self._document.path
        name = ".".join(str(part) for part in pointer)
        hint = f"edit it with `sops {path}`, never by hand"
        return TerminalError(
            code, f"{self._subject}: {name}", message, hint=hint, path=path, line=mark.line, column=mark.column
        )
