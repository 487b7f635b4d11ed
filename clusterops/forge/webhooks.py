"""What a forge calls out, verified and read as a hint where to look. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from clusterops.errors import TerminalError
from clusterops.forge.webhooks_signatures import is_genuine
from clusterops.model.fleet import ForgeKind
from clusterops.model.request import Called, Delivery
from clusterops.model.secret import SecretText

_OTHER: Final = Delivery(kind=Called.OTHER)
_BRANCH: Final = "refs/heads/"
_REQUEST_ACTIONS: Final = frozenset(
    {"opened", "reopened", "edited", "closed", "synchronize", "synchronized", "ready_for_review", "converted_to_draft"}
)
"""GitHub says ``synchronize``, Gitea and Forgejo ``synchronized``: all the others change neither commits nor branch."""
_MERGE_REQUEST_ACTIONS: Final = frozenset({"open", "reopen", "update", "close", "merge"})
_ID_LENGTH: Final = 100


def read_delivery(
    kind: ForgeKind,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[SecretText],
    *,
    repository: str,
    now_s: float,
) -> Delivery:
    """``headers`` have lower-case names; any of ``secrets`` will do, so one may be replaced while it is in use.

    What is of another ``repository`` (OWNER/NAME), of no concern, or written about our own statuses is OTHER. Raises
    TerminalError ``webhook-unsigned``, before anything is read, and ``webhook-malformed``; neither holds any of it.
    """
    if not is_genuine(kind, headers, body, secrets, now_s=now_s):
        raise TerminalError(
            "webhook-unsigned",
            f"webhook of {kind}",
            "its signature is missing or wrong",
            hint="give the webhook the secret of `forge.webhook_secret_file`",
        )
    try:
        found = _read(kind, headers, json.loads(body), repository.casefold())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise TerminalError(
            "webhook-malformed",
            f"webhook of {kind}",
            f"its body is not understood ({type(error).__name__})",
            hint="let the forge send application/json",
        ) from error
    return replace(found, id=_id(kind, headers)[:_ID_LENGTH])


def _read(kind: ForgeKind, headers: Mapping[str, str], body: Mapping[str, Any], repository: str) -> Delivery:
    if kind is ForgeKind.GITLAB:
        path = (body.get("project") or {}).get("path_with_namespace")
        return _of_gitlab(headers.get("x-gitlab-event", ""), body) if _is(repository, path) else _OTHER
    event = headers.get("x-github-event" if kind is ForgeKind.GITHUB else "x-gitea-event", "")
    path = (body.get("repository") or {}).get("full_name")
    return _of_github(event, body) if _is(repository, path) else _OTHER


def _is(repository: str, path: str | None) -> bool:
    """GitHub promises none with a merge group."""
    return path is None or path.casefold() == repository


def _id(kind: ForgeKind, headers: Mapping[str, str]) -> str:
    """GitLab's event UUID is shared by all that one event sets off, so it does not tell deliveries apart."""
    if kind is ForgeKind.GITLAB:
        return headers.get("webhook-id") or headers.get("idempotency-key") or ""
    return headers.get("x-github-delivery" if kind is ForgeKind.GITHUB else "x-gitea-delivery") or ""


def _of_github(event: str, body: Mapping[str, Any]) -> Delivery:
    """Gitea and Forgejo keep its shapes. **Source:** GitHub, "Webhook events and payloads"; Gitea v1.26
    modules/structs/hook.go.
    """
    if event == "push":
        return _push(body["ref"])
    if event == "pull_request" and body["action"] in _REQUEST_ACTIONS:
        return Delivery(kind=Called.REQUEST, number=int(body["number"]))
    if event == "issue_comment" and body["action"] in {"created", "edited"}:
        issue = body["issue"]
        is_request = issue.get("pull_request") is not None
        return Delivery(kind=Called.COMMENT, number=int(issue["number"])) if is_request else _OTHER
    return Delivery(kind=Called.QUEUE) if event == "merge_group" else _OTHER


def _of_gitlab(event: str, body: Mapping[str, Any]) -> Delivery:
    """**Source:** GitLab, "Webhook events". Versions before 16.11 name no action of a comment."""
    if event == "Push Hook":
        return _push(body["ref"])
    attributes = body.get("object_attributes") or {}
    if event == "Merge Request Hook" and attributes.get("action") in _MERGE_REQUEST_ACTIONS:
        return Delivery(kind=Called.REQUEST, number=int(attributes["iid"]))
    if event == "Note Hook" and attributes.get("noteable_type") == "MergeRequest" and not attributes.get("system"):
        return Delivery(kind=Called.COMMENT, number=int(body["merge_request"]["iid"]))
    return _OTHER


def _push(ref: str) -> Delivery:
    """Of a tag: nothing is planned from these."""
    return Delivery(kind=Called.PUSH, branch=ref.removeprefix(_BRANCH)) if ref.startswith(_BRANCH) else _OTHER
