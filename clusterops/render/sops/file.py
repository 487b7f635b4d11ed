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
from clusterops.model.document import Document, Mark, Pointer, compose_document, load_document
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
    value = opening.mapping(compose_document(text, path), _Place())
    _verify(seal, key, opening.mac, subject)
    opened = replace(document, value=value, marks=opening.marks, key_marks=opening.key_marks)
    return Opened(document=opened, secrets=frozenset(opening.secrets))


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


@dataclass(frozen=True, slots=True)
class _Place:
    """``there`` in the file, ``here`` in what it opens to (comments leave lists), ``path`` is what SOPS binds to."""

    there: Pointer = ()
    here: Pointer = ()
    path: tuple[str, ...] = ()

    def key(self, name: str) -> _Place:
        return _Place((*self.there, name), (*self.here, name), (*self.path, name))

    def item(self, there: int, here: int) -> _Place:
        return _Place((*self.there, there), (*self.here, here), self.path)


class _Opening:
    """One walk in the order of the file; the rest is whole once it is done."""

    def __init__(self, document: Document, rules: Rules, key: bytes, *, subject: str, narrow: bool) -> None:
        self.secrets: set[Pointer] = set()
        self.marks: dict[Pointer, Mark] = {}
        self.key_marks: dict[Pointer, Mark] = {}
        self._document = document
        self._rules = rules
        self._key = key
        self._subject = subject
        self._narrow = narrow
        self._hash = hashlib.sha512(_NARROW if narrow else b"")

    @property
    def mac(self) -> str:
        return self._hash.hexdigest().upper()

    def mapping(self, node: yaml.MappingNode, at: _Place) -> dict[str, Any]:
        self.marks[at.here] = self._document.mark(at.there)
        opened: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value)
            if not at.path and name == KEY:
                continue
            place = at.key(name)
            if name not in self._plain(at):
                raise self._error("sops-unsupported", place, "is a key that YAML readers differ about")
            self.key_marks[place.here] = self._document.key_mark(place.there)
            opened[name] = self._value(value_node, place)
        return opened

    def _value(self, node: yaml.Node, at: _Place) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        self.marks[at.here] = self._document.mark(at.there)
        if isinstance(node, yaml.SequenceNode):
            return self._items(node, at)
        assert isinstance(node, yaml.ScalarNode)
        if self._rules.covers(at.path):
            return self._decrypted(node, at)
        if not self._narrow:
            self._hash.update(content_of(node) or b"")
        return self._plain(at)

    def _items(self, node: yaml.SequenceNode, at: _Place) -> list[Any]:
        items: list[Any] = []
        for index, item in enumerate(node.value):
            opened = self._value(item, at.item(index, len(items)))
            if not isinstance(opened, Comment):
                items.append(opened)
        return items

    def _plain(self, at: _Place) -> Any:
        value = self._document.value
        for part in at.there:
            value = value[part]
        return value

    def _decrypted(self, node: yaml.ScalarNode, at: _Place) -> Any:
        if content_of(node) is None:
            return None
        try:
            plain = decrypt(str(node.value), self._key, bound_to=f"{':'.join(at.path)}:")
        except NotDecryptable as error:
            raise self._error("sops-invalid", at, str(error)) from None
        self._hash.update(plain.content)
        if not isinstance(plain.value, Comment):
            self.secrets.add(at.here)
        return plain.value

    def _error(self, code: str, at: _Place, message: str) -> TerminalError:
        mark = self._document.key_mark(at.there)
        path = self._document.path
        name = ".".join(str(part) for part in at.there)
        hint = f"edit it with `sops {path}`, never by hand"
        return TerminalError(
            code, f"{self._subject}: {name}", message, hint=hint, path=path, line=mark.line, column=mark.column
        )
