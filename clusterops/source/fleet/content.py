"""What the content of one file tells: encrypted, a pointer to elsewhere, a template; and values files as layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.model.document import Document, load_document
from clusterops.model.problem import Problem, Retry
from clusterops.model.revision import EntryKind, FileEntry
from clusterops.source.fleet.quick import look_quickly
from clusterops.source.fleet.schema import type_finding, without
from clusterops.source.fleet.tables import VALUES_FILE

_LFS: Final = b"version https://git-lfs.github.com/spec/v1\n"
"""**Source:** git-lfs docs/spec.md, "The Pointer"."""
_SOPS: Final = re.compile(rb"^sops:|^\s*\"sops\":|ENC\[AES256_GCM,", re.MULTILINE)
"""**Source:** getsops/sops, the metadata key and the form of an encrypted value."""
_SEALED: Final = re.compile(rb"^sops:", re.MULTILINE)
_MANIFEST: Final = re.compile(rb"^kind:", re.MULTILINE)
_CIPHERTEXT: Final = "ENC[AES256_GCM,"
_SOPS_WORDS: Final = (b"sops", b"ENC[")
"""One of them is in what the pattern finds, and looking for them costs a tenth."""


_UNPLACED: Final = Problem(
    code="internal-error", subject="", message="needs its place in the file", retry=Retry.BACKOFF
)
"""Never shown: sends a block that names a chart to the full reader, as a missing chart is told with its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """``sops_line`` is 1-based, 0 when nothing is encrypted; ``variables`` when a ``${`` occurs.

    ``sealed`` where SOPS encrypted it as a whole, ``manifest`` where it says of which kind it is.
    """

    lfs: bool = False
    sops_line: int = 0
    sealed: bool = False
    manifest: bool = False
    variables: bool = False
    unreadable: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One values file. ``block`` is its ``clusterops:`` block, what is wrong in it left out. ``sealed``: by SOPS."""

    path: str
    keys: frozenset[str] = frozenset()
    block: Mapping[str, Any] = field(default_factory=dict)
    document: Document | None = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()
    sealed: bool = False

    @property
    def only_ours(self) -> bool:
        """Nothing in it is for a chart."""
        return self.keys <= {"clusterops", "variables", "sops"}


def read_content(text: bytes) -> Content:
    mark = _SOPS.search(text) if any(word in text for word in _SOPS_WORDS) else None
    line = text.count(b"\n", 0, mark.start()) + 1 if mark else 0
    return Content(
        lfs=text.startswith(_LFS),
        sops_line=line,
        sealed=bool(line and _SEALED.search(text)),
        manifest=_MANIFEST.search(text) is not None,
        variables=b"${" in text,
    )


def read_layer(path: str, text: bytes, *, blocks: Callable[[str], Layer] | None = None) -> Layer:
    """Never raises: what is wrong is in ``problems``. ``blocks`` is read_block, or something that remembers it."""
    quick = look_quickly(text)
    if quick is None:
        return _read_fully(path, text)
    block = (blocks or read_block)(quick.block)
    return _read_fully(path, text) if block.problems else replace(block, path=path, keys=quick.keys)


def read_block(text: str) -> Layer:
    """A ``clusterops:`` block on its own; one with ``problems`` has to be read with the whole file."""
    layer = _read_fully("", text.encode()) if text else Layer(path="")
    needs_places = "chart" in layer.block
    return replace(layer, document=None, problems=layer.problems or ((_UNPLACED,) if needs_places else ()))


def _read_fully(path: str, text: bytes) -> Layer:
    try:
        document = load_document(text, path)
    except TerminalError as error:
        return Layer(path=path, problems=(Problem.of(error),))
    if not isinstance(document.value, Mapping):
        finding = type_finding(document.value, (), wanted="a mapping of values", hint="`key: value` lines")
        return Layer(path=path, problems=(finding.problem(document),))
    return _layer_of(document)


def _layer_of(document: Document) -> Layer:
    if (hidden := _hidden_block(document)) is not None:
        return Layer(path=document.path, keys=frozenset(document.value), problems=(hidden,))
    findings = list(VALUES_FILE.check(document.value, ()))
    checked = without({"clusterops": document.value.get("clusterops")}, (finding.pointer for finding in findings))
    return Layer(
        path=document.path,
        keys=frozenset(document.value),
        block=checked.get("clusterops") or {},
        document=document if document.value.get("clusterops") else None,
        problems=tuple(finding.problem(document) for finding in findings),
    )


def _hidden_block(document: Document) -> Problem | None:
    block = document.value.get("clusterops")
    if _CIPHERTEXT not in str(block):
        return None
    mark = document.key_mark(("clusterops",))
    return Problem(
        code="sops-block-encrypted",
        subject="clusterops",
        message="this block is encrypted, and is read before anything is decrypted",
        hint="leave it in plain text by `encrypted_regex` in .sops.yaml, or move the secrets to a secrets.yaml",
        path=document.path,
        line=mark.line,
        column=mark.column,
    )


def not_encrypted(path: str, *, subject: str) -> Problem:
    """Of a secrets.yaml with values that anybody can read."""
    return Problem(
        code="sops-not-encrypted",
        subject=subject,
        message="holds values and is not encrypted",
        hint=f"`sops encrypt -i {path}` before it is committed (what was pushed is no secret any more), or rename it",
        path=path,
    )


def entry_problem(
    path: str, entry: FileEntry, content: Content | None, *, subject: str, opened: bool = False
) -> Problem | None:
    """Why this file may not be part of what ``subject`` uses; None when it may.

    ``opened``: what SOPS encrypted in it is decrypted before it is used.
    """
    if entry.kind is EntryKind.SYMLINK:
        return _refused("symlink-refused", subject, path, "is a symbolic link", "put the file itself here")
    if entry.kind is EntryKind.SUBMODULE:
        hint = "commit the files themselves, or name the repository under `sources:` once that is supported"
        return _refused("submodule-refused", subject, path, "is a git submodule", hint)
    return None if content is None else _content_problem(path, content, subject=subject, opened=opened)


def _content_problem(path: str, content: Content, *, subject: str, opened: bool) -> Problem | None:
    if content.unreadable is not None:
        return replace(content.unreadable, subject=subject, path=path)
    if content.lfs:
        hint = "`git lfs untrack` it and commit the file itself"
        return _refused("lfs-refused", subject, path, "is a Git LFS pointer, not the file", hint)
    if content.sops_line and not (opened and content.sealed):
        return _encrypted(subject, path, content.sops_line)
    return None


def _refused(code: str, subject: str, path: str, message: str, hint: str) -> Problem:
    return Problem(code=code, subject=subject, message=message, hint=hint, path=path)


def _encrypted(subject: str, path: str, line: int) -> Problem:
    return Problem(
        code="secret-not-decrypted",
        subject=subject,
        message="carries SOPS marks: applied as it is, ciphertext would replace the live secret",
        hint="only values.yaml and secrets.yaml of charts and templates are decrypted: put it there, or keep "
        "the Secret out of this target and refer to it by name",
        path=path,
        line=line,
    )
