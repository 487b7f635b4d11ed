"""What an API server's answer means for the caller. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from clusterops.errors import ClusterOpsError, FieldConflict, RefusedError, TerminalError, TransientError
from clusterops.http import Answer
from clusterops.kube.wire import Request
from clusterops.model.secret import MASK, brings_secrets

_UNTYPED: Final = re.compile(
    r"failed to (?:create typed|convert) (?:patch|new) object \([^)]*\)(?: to proper version)?: (?P<rest>.*)", re.DOTALL
)
"""An apply whose body does not fit the type is answered 500 in these words and without a reason (seen on 1.36).

**Source:** k8s.io/apimachinery pkg/util/managedfields/internal/structuredmerge.go, Apply.
"""
_DECODING: Final = re.compile(r"unable to convert unstructured object to [^:]*: (?:error decoding from json: )?")
_WEBHOOK_DOWN: Final = re.compile(r"failed calling webhook|conversion webhook for .* failed")
_PATTERN: Final = re.compile(r" \(e\.g\. .*regex used for validation is .*\)$", re.DOTALL)
"""Rules are worth reading, regular expressions are not."""
_WEBHOOK_SAYS: Final = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<words>.*)', re.DOTALL)
_MANAGER: Final = re.compile(r'conflict with "(?P<name>(?:[^"\\]|\\.)*)"')
_RBAC_VERBS: Final = {"apply": "patch", "replace": "update"}
_QUOTED_VALUE: Final = re.compile(
    r"(, got|Invalid value:|Unsupported value:|Duplicate value:|Too long:).*?(?=; |: [a-z]|$)", re.DOTALL
)
_PLAIN_LENGTH: Final = 48
_MANY: Final = 4
"""Field errors that one line can hold."""


def decode(request: Request, answer: Answer) -> dict[str, Any]:
    """The JSON object of a good answer. Raises TransientError ``api-unavailable`` when it is none."""
    try:
        document = json.loads(answer.body)
    except ValueError as error:
        raise _no_answer(request) from error
    if not isinstance(document, dict):
        raise _no_answer(request)
    return document


def _no_answer(request: Request) -> TransientError:
    return TransientError(
        "api-unavailable",
        request.subject,
        f"{request.verb} was answered with something that is no JSON object",
        hint="is there a proxy, or another server, between us and the API server?",
    )


def error_of(request: Request, answer: Answer) -> ClusterOpsError:
    """The error that an answer of status 400 or more stands for."""
    status = _status_of(answer)
    words = str(status.get("message") or "").strip() or f"HTTP status {answer.status}"
    by_status = {
        401: _unauthorized,
        403: _forbidden,
        404: _not_found,
        409: _conflict,
        410: _expired,
        422: _invalid,
        429: _throttled,
        500: _internal,
    }
    translate = by_status.get(answer.status, _unavailable if answer.status > 500 else _bad_request)
    return translate(request, status, words)


def retry_after_s(answer: Answer) -> float:
    """Seconds that the server asks us to wait, 0 when it does not say (dates are not used by API servers)."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def may_pass(answer: Answer, error: ClusterOpsError) -> bool:
    """Whether the same request, sent again in a moment, may succeed."""
    return error.code in {"api-throttled", "api-unavailable"} and answer.status != 501


def _status_of(answer: Answer) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return {"message": answer.body[:200].decode("utf-8", "replace")}
    return document if isinstance(document, dict) else {}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cause for cause in (status.get("details") or {}).get("causes") or () if isinstance(cause, dict)]


def _unauthorized(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    return TransientError(
        "api-unauthorized",
        request.subject,
        "the API server does not accept our credentials",
        hint="log in again, or check the kubeconfig's user, its exec plugin or the mounted token; they are reloaded",
    )


def _forbidden(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(status)):
        return RefusedError(
            "namespace-terminating",
            request.subject,
            f"{request.verb} refused: Namespace {request.namespace} is being deleted",
            hint="wait until it is gone, or take its objects out of git",
        )
    denied = _WEBHOOK_SAYS.search(words)
    if denied:
        return _denied(request, denied)
    verb = _RBAC_VERBS.get(request.verb, request.verb)
    resource = request.resource.rbac_name if request.resource else "it"
    place = f" in namespace {request.namespace}" if request.namespace else ""
    return TerminalError(
        "api-forbidden",
        request.subject,
        f"{request.verb} refused: {words}",
        hint=f"give our ServiceAccount or user the verb {verb!r} on {resource}{place}",
    )


def _denied(request: Request, denied: re.Match[str]) -> ClusterOpsError:
    words = denied["words"].strip() or "no reason given"
    return TerminalError(
        "admission-denied",
        request.subject,
        f"{request.verb} refused by webhook {denied['name']}: {words}",
        hint="change the object in git so that the policy lets it in, or the policy",
    )


def _not_found(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    details = status.get("details") or {}
    if details.get("kind") == "namespaces" and details.get("name") == request.namespace and request.namespace:
        return TerminalError(
            "namespace-missing",
            request.subject,
            f"{request.verb} refused: there is no Namespace {request.namespace}",
            hint=f"commit a Namespace {request.namespace}, in regions/<region>/shared/ say, or create it",
        )
    if status.get("reason") == "NotFound" and details.get("name") and request.key is not None:
        return TransientError("object-gone", request.subject, f"{request.verb}: it is not there (any more)")
    return version_not_served(request.subject, request.resource.api_version if request.resource else "", ())


def version_not_served(subject: str, api_version: str, served: tuple[str, ...]) -> TerminalError:
    """``served`` are the versions that would do."""
    known = f"it serves {', '.join(served)}" if served else "it serves no version of this kind"
    return TerminalError(
        "version-not-served",
        subject,
        f"the API server does not serve {api_version or 'it'}; {known}",
        hint="write one of these versions" if served else "install its CustomResourceDefinition or provider first",
    )


def _conflict(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    if status.get("reason") == "AlreadyExists":
        return TransientError("object-exists", request.subject, "create: it is there already")
    conflicts = tuple(
        (str(cause.get("field") or ""), _manager_in(str(cause.get("message") or "")))
        for cause in _causes(status)
        if cause.get("reason") == "FieldManagerConflict"
    )
    if not conflicts:
        return object_changed(request, words)
    return FieldConflict(
        request.subject,
        f"apply refused: {_owners(conflicts)}",
        hint="drop these fields from git, or let the plan take them over; nothing was forced",
        conflicts=conflicts,
    )


def object_changed(request: Request, words: str) -> TransientError:
    return TransientError(
        "object-changed", request.subject, f"{request.verb}: it changed since it was read: {_tail(words)}"
    )


def _tail(words: str) -> str:
    """Without the server's preamble, which repeats kind and name."""
    return words.partition("cannot be fulfilled on ")[2].partition(": ")[2] or words


def _manager_in(message: str) -> str:
    found = _MANAGER.search(message)
    return found["name"] if found else message


def _owners(conflicts: tuple[tuple[str, str], ...]) -> str:
    fields: dict[str, list[str]] = {}
    for name, manager in conflicts:
        fields.setdefault(manager, []).append(name.lstrip("."))
    parts = (
        f"{', '.join(sorted(names))} {'is' if len(names) == 1 else 'are'} owned by {manager}"
        for manager, names in sorted(fields.items())
    )
    return "; ".join(parts)


def _expired(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    return TransientError("resource-version-expired", request.subject, f"{request.verb}: {words}")


def _invalid(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    causes = [cause for cause in _causes(status) if cause.get("field") not in {None, "", "<nil>"}]
    if any(cause["field"] == "metadata.uid" for cause in causes):
        return object_changed(request, "another object of this name took its place")
    if causes:
        return _invalid_fields(
            request, [(str(cause["field"]), _PATTERN.sub("", str(cause.get("message") or ""))) for cause in causes]
        )
    denied = _WEBHOOK_SAYS.search(words)
    return _denied(request, denied) if denied else _invalid_words(request, words)


def _invalid_fields(request: Request, fields: list[tuple[str, str]]) -> TerminalError:
    unique = list(dict.fromkeys(fields))
    shown = "; ".join(f"{name}: {words}" for name, words in unique[:_MANY])
    more = f" (and {len(unique) - _MANY} more)" if len(unique) > _MANY else ""
    return _invalid_words(request, shown + more)


def _invalid_words(request: Request, words: str) -> TerminalError:
    return TerminalError(
        "object-invalid",
        request.subject,
        f"{request.verb} refused: {_masked(request, words)}",
        hint="correct the field in git; nothing was written",
    )


def _masked(request: Request, words: str) -> str:
    """The server quotes the value that it rejects: nobody's business of a Secret, nor where it may hold a file."""
    if request.key is None or not brings_secrets(request.key):
        return words
    whole = request.key.is_secret
    return _QUOTED_VALUE.sub(lambda found: _quoted(found, whole=whole), words)


def _quoted(found: re.Match[str], *, whole: bool) -> str:
    """A plain word says what is wrong; anything larger or structured may be what a machine is given in secret."""
    value = found.group(0).removeprefix(found.group(1))
    plain = len(value) <= _PLAIN_LENGTH and not set(value) & set("{}[]\n\\")
    return found.group(0) if plain and not whole else f"{found.group(1)} {MASK}"


def _bad_request(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    denied = _WEBHOOK_SAYS.search(words)
    return _denied(request, denied) if denied else _invalid_words(request, words)


def _throttled(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    return TransientError(
        "api-throttled",
        request.subject,
        f"{request.verb}: the API server asks us to slow down",
        hint="lower max_in_flight or max_per_second, or give us a FlowSchema of our own",
    )


def _internal(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    if _WEBHOOK_DOWN.search(words):
        return TransientError(
            "webhook-unavailable",
            request.subject,
            f"{request.verb}: {words.removeprefix('Internal error occurred: ')}",
            hint="is the provider's controller running? Its webhook has to answer before its objects can be written",
        )
    untyped = _UNTYPED.search(words)
    if untyped:
        return _invalid_words(request, _plain_types(_DECODING.sub("", untyped["rest"])))
    return _unavailable(request, status, words)


def _plain_types(words: str) -> str:
    """One line, without the Go type around a value: ``expected string, got &value.valueUnstructured{Value:1}``."""
    lines = [line.strip().lstrip(".") for line in words.removeprefix("errors:").splitlines()]
    return re.sub(r"&value\.value\w+\{Value:(.*?)\}", r"\1", "; ".join(line for line in lines if line))


def _unavailable(request: Request, status: Mapping[str, Any], words: str) -> ClusterOpsError:
    return TransientError("api-unavailable", request.subject, f"{request.verb}: the API server failed: {words}")
