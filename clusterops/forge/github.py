"""GitHub, in the cloud and as Enterprise Server. **Source:** its OpenAPI description (npm @octokit/openapi 23.0.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from clusterops.forge.limits import cut_body, fold_context, fold_line, plain_plane
from clusterops.forge.pages import next_link
from clusterops.forge.wire import Call, Reply
from clusterops.model.commit_status import TEXT_LIMIT, CommitStatus, State
from clusterops.model.request import ChangeRequest, Comment

PUBLIC: Final = "https://github.com"
_PAGE: Final = {"per_page": "100"}
_COMMENTS: Final = {"per_page": "50"}
"""Each may have a quarter of a megabyte."""
_VERSION: Final = "2022-11-28"
_STATES: Final = frozenset(State)
_WRITERS: Final = frozenset({"write", "admin"})
"""``permission`` has the four words of old: maintain is told as write, triage as read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Github:
    """forge.wire.Wire. ``url`` is the forge's, ``repository`` OWNER/NAME."""

    url: str = PUBLIC
    repository: str
    comment_limit: int = 65_536

    @property
    def root(self) -> str:
        return api_root(self.url)

    @property
    def _repo(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def headers(self, token: str) -> Mapping[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _VERSION,
            "Authorization": f"Bearer {token}",
        }

    def next_page(self, call: Call, reply: Reply) -> Call | None:
        return next_link(call, reply)

    def stands(self, call: Call, reply: Reply) -> bool:
        return False

    def whoami(self) -> Call:
        return Call(method="GET", path="/user")

    def read_whoami(self, body: Any) -> str:
        return str(body["login"])

    def open_requests(self, branch: str) -> Call:
        query = {"state": "open", "base": branch, "sort": "created", "direction": "asc", **_PAGE}
        return Call(method="GET", path=f"{self._repo}/pulls", query=query)

    def read_requests(self, body: Any) -> list[ChangeRequest]:
        return [_request(each) for each in (body if isinstance(body, list) else [body])]

    def requests_of(self, commit: str) -> Call:
        return Call(method="GET", path=f"{self._repo}/commits/{commit}/pulls", query=_PAGE)

    def statuses(self, commit: str) -> Call:
        return Call(method="GET", path=f"{self._repo}/commits/{commit}/status", query=_PAGE)

    def read_statuses(self, body: Any) -> list[CommitStatus]:
        return [_status(each) for each in body["statuses"] if each["state"] in _STATES]

    def post_status(self, commit: str, status: CommitStatus) -> Call:
        body = {
            "context": fold_context(status.context),
            "state": str(status.state),
            "description": fold_line(plain_plane(status.text), TEXT_LIMIT),
            "target_url": f"{self.url.rstrip('/')}/{quote(self.repository)}/commit/{commit}",
        }
        return Call(method="POST", path=f"{self._repo}/statuses/{commit}", body=body)

    def comments(self, number: int) -> Call:
        return Call(method="GET", path=f"{self._repo}/issues/{number}/comments", query=_COMMENTS)

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
        return Call(method="GET", path=f"{self._repo}/collaborators/{quote(account, safe='')}/permission")

    def read_permission(self, body: Any, account: str) -> bool:
        return body["permission"] in _WRITERS

    def open_request(self, *, branch: str, base: str, title: str, body: str) -> Call:
        form = {
            "head": branch,
            "base": base,
            "title": fold_line(title, 255),
            "body": cut_body(body, self.comment_limit),
        }
        return Call(method="POST", path=f"{self._repo}/pulls", body=form, repeatable=False)


def api_root(url: str) -> str:
    """``https://api.github.com``, ``https://api.NAME.ghe.com`` (data residency), else ``https://HOST/api/v3``."""
    bare = url.rstrip("/")
    parts = urlsplit(bare)
    host = (parts.hostname or "").removeprefix("www.")
    if host in {"github.com", "api.github.com"}:
        return "https://api.github.com"
    if host.endswith(".ghe.com"):
        return f"https://api.{host.removeprefix('api.')}"
    return f"{bare}/api/v3"


def _request(body: Mapping[str, Any]) -> ChangeRequest:
    head, base = body["head"], body["base"]
    return ChangeRequest(
        number=int(body["number"]),
        head=str(head["sha"]),
        ref=f"refs/pull/{body['number']}/head",
        base=str(base["ref"]),
        branch=str(head["ref"]),
        title=str(body.get("title") or ""),
        author=_login(body),
        # A fork that was deleted is null.
        fork=(head.get("repo") or {}).get("id") != base["repo"]["id"],
        url=str(body.get("html_url") or ""),
    )


def _status(body: Mapping[str, Any]) -> CommitStatus:
    return CommitStatus(
        context=str(body["context"]),
        state=State(body["state"]),
        text=str(body.get("description") or ""),
        at=datetime.fromisoformat(body["created_at"]),
    )


def _comment(body: Mapping[str, Any], me: str) -> Comment:
    author = _login(body)
    at = datetime.fromisoformat(body["created_at"])
    text = str(body.get("body") or "")
    return Comment(id=str(body["id"]), body=text, author=author, mine=bool(me) and author == me, at=at)


def _login(body: Mapping[str, Any]) -> str:
    """ "" of an account that was deleted."""
    return str((body.get("user") or {}).get("login") or "")
