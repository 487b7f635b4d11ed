"""From a tool's output to the objects that Kubernetes would read in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clusterops.capi.tools import FLEET_LABEL, TARGET_ANNOTATION
from clusterops.errors import TerminalError
from clusterops.model.document import load_documents, load_values
from clusterops.model.fleet import Target
from clusterops.model.key import ObjectKey, group_of
from clusterops.model.manifest import Manifest, Skipped
from clusterops.model.secret import NO_SECRETS, SecretValues
from clusterops.render.scope import Scopes

HOOK_ANNOTATION: Final = "helm.sh/hook"
_SOPS_VALUE: Final = "ENC[AES256_GCM,"
"""**Source:** getsops/sops, the form of an encrypted value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One text of manifests. ``path`` is the file that it stands in, "" for a tool's output."""

    text: bytes = field(repr=False)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """``manifests`` may hold a key only once; ``skipped`` are hooks; ``secrets`` what was decrypted for them."""

    manifests: tuple[Manifest, ...]
    skipped: tuple[Skipped, ...]
    secrets: SecretValues = NO_SECRETS


def decode_objects(outputs: Iterable[Output], target: Target) -> Decoded:
    """Nulls dropped, lists flattened, namespaces and our marks filled in.

    Raises TerminalError ``yaml-syntax``, ``manifest-invalid``, ``object-twice`` or ``secret-not-decrypted``.
    """
    found = [(body, output, number) for output in outputs for number, body in _bodies(output, target)]
    scopes = Scopes(body for body, _, _ in found)
    places: dict[ObjectKey, str] = {}
    manifests: list[Manifest] = []
    skipped: list[Skipped] = []
    for body, output, number in found:
        _check(body, output, number, target)
        _refuse_encrypted(body, output, target)
        _complete(body, target, scopes)
        key = ObjectKey.of(body)
        if (reason := _hook_reason(body)) is not None:
            skipped.append(Skipped(key=key, reason=reason))
            continue
        here = _place(output, number)
        if key in places:
            raise _twice(key, places[key], here, output, target)
        places[key] = here
        manifests.append(Manifest.of(body))
    return Decoded(manifests=tuple(manifests), skipped=tuple(sorted(skipped, key=lambda each: each.key)))


def split_hooks(output: Output, target: Target) -> tuple[bytes, bytes]:
    """The objects that are applied and the Helm hooks, as JSON documents."""
    rest: list[bytes] = []
    hooks: list[bytes] = []
    for _, body in _bodies(output, target):
        (rest if _hook_reason(body) is None else hooks).append(json.dumps(body, ensure_ascii=False).encode())
    return b"\n---\n".join(rest), b"\n---\n".join(hooks)


def _bodies(output: Output, target: Target) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, value in enumerate(_values(output, target), start=1):
        if not isinstance(value, dict):
            what = "a list" if isinstance(value, list) else f"{str(value)[:40]!r}"
            raise _invalid(output, number, target, f"holds {what}, not an object")
        if value := drop_nulls(value):
            for body in _flattened(value, output, number, target):
                yield number, body


def _values(output: Output, target: Target) -> list[Any]:
    try:
        return load_values(output.text, output.path)
    except TerminalError as error:
        error.subject = error.subject or target.name
        raise


def drop_nulls(value: Any) -> Any:
    """Null-valued map entries mean the same as none, and a server-side apply takes them for a wrong type."""
    if isinstance(value, dict):
        return {key: drop_nulls(each) for key, each in value.items() if each is not None}
    return [drop_nulls(each) for each in value] if isinstance(value, list) else value


def _flattened(body: dict[str, Any], output: Output, number: int, target: Target) -> Iterator[dict[str, Any]]:
    """**Source:** apimachinery unstructured.IsList: any object with ``items`` that is a list, so named or not."""
    items = body.get("items")
    kind = body.get("kind")
    if not (isinstance(items, list) and isinstance(kind, str) and kind.endswith("List")):
        yield body
        return
    typed = {"apiVersion": body.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    for item in items:
        if not isinstance(item, dict):
            raise _invalid(output, number, target, f"a {kind} with an item that is no object")
        yield from _flattened({**typed, **item}, output, number, target)


def _check(body: dict[str, Any], output: Output, number: int, target: Target) -> None:
    kind, metadata = body.get("kind"), body.get("metadata")
    if not (isinstance(kind, str) and kind and isinstance(body.get("apiVersion"), str) and body["apiVersion"]):
        missing = "apiVersion" if isinstance(kind, str) and kind else "kind"
        raise _invalid(output, number, target, f"has no {missing} (its keys: {', '.join(list(body)[:5])})")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not (isinstance(metadata, dict) and isinstance(name, str) and name):
        raise _invalid(output, number, target, f"a {kind} with {_name_trouble(metadata, name)}")
    for part in ("labels", "annotations"):
        if trouble := _text_trouble(metadata.get(part), part):
            raise _invalid(output, number, target, f"{kind} {name}: {trouble}")


def _name_trouble(metadata: Any, name: Any) -> str:
    if isinstance(metadata, dict) and metadata.get("generateName"):
        return "generateName and no metadata.name, so it would be another object each time"
    return f"metadata.name {name!r}, which has to be text: put it in quotes" if name is not None else "no metadata.name"


def _text_trouble(found: Any, part: str) -> str:
    if found is None:
        return ""
    if not isinstance(found, dict):
        return f"metadata.{part} is no map"
    wrong = next(((key, value) for key, value in found.items() if not isinstance(value, str)), None)
    if wrong is None:
        return ""
    return f"metadata.{part}.{wrong[0]} is {json.dumps(wrong[1])}, which has to be text: put it in quotes"


def _complete(body: dict[str, Any], target: Target, scopes: Scopes) -> None:
    metadata = body["metadata"]
    if scopes.is_cluster_scoped(group_of(body["apiVersion"]), body["kind"]):
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        metadata["namespace"] = target.namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), FLEET_LABEL: target.fleet}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TARGET_ANNOTATION: target.name}


def _hook_reason(body: Mapping[str, Any]) -> str | None:
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    hook = annotations.get(HOOK_ANNOTATION) if isinstance(annotations, Mapping) else None
    return None if hook is None else f"is a Helm hook ({hook}), which only helm itself would run"


def _refuse_encrypted(body: dict[str, Any], output: Output, target: Target) -> None:
    if not (isinstance(body.get("sops"), dict) or _has_ciphertext(body)):
        return
    key = ObjectKey.of(body)
    raise TerminalError(
        "secret-not-decrypted",
        f"{target.name}: {key.label}",
        "carries SOPS marks: applied as it is, ciphertext would replace the live secret",
        hint="only values.yaml and secrets.yaml of charts and templates are decrypted: put it there, or keep "
        "the Secret out of this target and refer to it by name",
        path=output.path,
    )


def _has_ciphertext(value: Any) -> bool:
    if isinstance(value, str):
        return _SOPS_VALUE in value
    if isinstance(value, dict):
        return any(_has_ciphertext(each) for each in value.values())
    return isinstance(value, list) and any(_has_ciphertext(each) for each in value)


def _place(output: Output, number: int) -> str:
    return f"document {number} of {output.path or 'the output'}"


def _twice(key: ObjectKey, first: str, second: str, output: Output, target: Target) -> TerminalError:
    where = first if first != second else f"{first} (twice in one list)"
    return TerminalError(
        "object-twice",
        target.name,
        f"{key.label} is rendered twice: {where}" + ("" if first == second else f" and {second}"),
        hint="give one of them another name, or leave one out",
        path=output.path,
    )


def _invalid(output: Output, number: int, target: Target, message: str) -> TerminalError:
    return TerminalError(
        "manifest-invalid",
        target.name,
        f"document {number} of {'the file' if output.path else 'the output'}: {message}",
        hint="every object needs apiVersion, kind and metadata.name; `clusterops render` shows the rest",
        path=output.path,
        line=_line_of(output, number),
    )


def _line_of(output: Output, number: int) -> int:
    if not output.path:
        return 0
    documents = load_documents(output.text, output.path)
    return documents[number - 1].mark(()).line if number <= len(documents) else 0
