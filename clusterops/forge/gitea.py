"""Gitea 1.22 and later, and Forgejo, which keeps its API. **Source:** templates/swagger/v1_json.tmpl of 1.26.4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from clusterops.forge.limits import cut_body, fold_context, fold_line
from clusterops.forge.pages import next_link
from clusterops.forge.wire import Call, Reply
from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.request import ChangeRequest, Comment

_PAGE: Final = {"limit": "50"}
_STATUSES: Final = 30
"""A page of statuses: few enough for a forge whose pages are cut shorter than usual."""
_STATES: Final = {
    "pending": State.PENDING,
    "success": State.SUCCESS,
    "failure": State.FAILURE,
    "error": State.ERROR,
    "warning": State.FAILURE,
}
"""It takes any string: what is none of these is nobody's verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gitea:
    """forge.wire.Wire. ``url`` is the forge's, ``repository`` OWNER/NAME."""

    url: str
    repository: str
    comment_limit: int = 65_000
    """It has no limit of its own; this one is the others'."""

    @property
    def root(self) -> str:
        return f"{self.url.rstrip('/')}/api/v1"

    @property
    def _repo(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def headers(self, token: str) -> Mapping[str, str]:
        return {"Authorization": f"token {token}"}

    def next_page(self, call: Call, reply: Reply) -> Call | None:
        """A commit's newest statuses are counted wrong for their links, so the page's length decides there."""
        if not call.path.endswith("/status"):
            return next_link(call, reply)
        if len(reply.json().get("statuses") or ()) < _STATUSES:
            return None
        return replace(call, query={**call.query, "page": str(int(call.query["page"]) + 1)})

    def stands(self, call: Call, reply: Reply) -> bool:
        return False

    def whoami(self) -> Call:
        return Call(method="GET", path="/user")

    def read_whoami(self, body: Any) -> str:
        return str(body["login"])

    def open_requests(self, branch: str) -> Call:
        return Call(method="GET", path=f"{self._repo}/pulls", query={"state": "open", "base_branch": branch, **_PAGE})

    def read_requests(self, body: Any) -> list[ChangeRequest]:
        return [_request(each) for each in (body if isinstance(body, list) else [body])]

    def requests_of(self, commit: str) -> Call:
        return Call(method="GET", path=f"{self._repo}/commits/{commit}/pull")

    def statuses(self, commit: str) -> Call:
        """The list of all has no order that holds within one second, so the newest of each context is asked for."""
        query = {"page": "1", "limit": str(_STATUSES)}
        return Call(method="GET", path=f"{self._repo}/commits/{commit}/status", query=query)

    def read_statuses(self, body: Any) -> list[CommitStatus]:
        return [_status(each) for each in body.get("statuses") or () if each["status"] in _STATES]

    def post_status(self, commit: str, status: CommitStatus) -> Call:
        body = {
            "context": fold_context(status.context),
            "state": str(status.state),
            "description": fold_line(status.text, TEXT_LIMIT),
            "target_url": f"{self.url.rstrip('/')}/{quote(self.repository)}/commit/{commit}",
        }
        return Call(method="POST", path=f"{self._repo}/statuses/{commit}", body=body)

    def comments(self, number: int) -> Call:
        return Call(method="GET", path=f"{self._repo}/issues/{number}/comments")

    def read_comments(self, body: Any, me: str) -> list[Comment]:
        return [_comment(each, me) for each in (body if isinstance(body, list) else [body])]

    def post_comment(self, number: int, body: str) -> Call:
        form = {"body": cut_body(body, self.comment_limit)}
        return Call(method="POST", path=f"{self._repo}/issues/{number}/comments", body=form, repeatable=False)

    def edit_comment(self, number: int, id: str, body: str) -> Call:
        form = {"body": cut_body(body, self.comment_limit)}
        return Call(method="PATCH", path=f"{self._repo}/issues/comments/{id}", body=form)

    def delete_comment(self, number: int, id: str) -> Call:
        return Call(method="DELETE", path=f"{self._repo}/issues/comments/{id}")

    def permission(self, account: str) -> Call:
        """Answered to an admin of the repository only."""
        return Call(method="GET", path=f"{self._repo}/collaborators/{quote(account, safe='')}/permission")

    def read_permission(self, body: Any, account: str) -> bool:
        return body["permission"] in {"write", "admin", "owner"}

    def open_request(self, *, branch: str, base: str, title: str, body: str) -> Call:
        form = {
            "head": branch,
            "base": base,
            "title": fold_line(title, 255),
            "body": cut_body(body, self.comment_limit),
        }
        return Call(method="POST", path=f"{self._repo}/pulls", body=form, repeatable=False)


def _request(body: Mapping[str, Any]) -> ChangeRequest:
    head, base = body["head"], body["base"]
    return ChangeRequest(
        number=int(body["number"]),
        head=str(head["sha"]),
        ref=f"refs/pull/{body['number']}/head",
        base=str(base["ref"]),
        branch=str(head["ref"]),
        title=str(body.get("title") or ""),
        author=str((body.get("user") or {}).get("login") or ""),
        fork=_is_foreign(head, base),
        url=str(body.get("html_url") or ""),
    )


def _is_foreign(head: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """A head without a branch was pushed for review (AGit), which needs no right to write here."""
    return head["repo_id"] != base["repo_id"] or str(head["ref"]).startswith("refs/")


def _status(body: Mapping[str, Any]) -> CommitStatus:
    return CommitStatus(
        context=str(body["context"]),
        state=_STATES[body["status"]],
        text=str(body.get("description") or ""),
        at=datetime.fromisoformat(body["created_at"]),
    )


def _comment(body: Mapping[str, Any], me: str) -> Comment:
    author = str((body.get("user") or {}).get("login") or "")
    at = datetime.fromisoformat(body["created_at"])
    return Comment(
        id=str(body["id"]), body=str(body.get("body") or ""), author=author, mine=bool(me) and author == me, at=at
    )
