"""GitLab, API v4. **Source:** docs.gitlab.com/api: commits, merge_requests, notes, project_members, users; and
app/services/ci/create_commit_status_service.rb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from clusterops.forge.limits import cut_body, fold_context, fold_line
from clusterops.forge.pages import next_link
from clusterops.forge.wire import Call, Reply
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.request import ChangeRequest, Comment

PUBLIC: Final = "https://gitlab.com"
_PAGE: Final = {"per_page": "100"}
_NOTES: Final = {"sort": "asc", "order_by": "created_at", "per_page": "20"}
"""Each may have four megabytes."""
_SENT: Final = {
    State.PENDING: "running",
    State.SUCCESS: "success",
    State.FAILURE: "failed",
    State.ERROR: "failed",
}
_READ: Final = {
    "pending": State.PENDING,
    "running": State.PENDING,
    "success": State.SUCCESS,
    "failed": State.FAILURE,
}
NO_VERDICT: Final = "no verdict: "
"""Begins the text of an error, which GitLab has no word for: its `failed` would judge the change."""
_TEXT: Final = 255
_URL: Final = 255
_ACTION: Final = re.compile(r"(?:(?<=[\r\n\u0085\u2028\u2029])|\A)/")
_DEVELOPER: Final = 30
"""Access level from which an account may push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gitlab:
    """forge.wire.Wire. ``url`` is the forge's, ``repository`` the project's whole path, GROUP/[SUBGROUP/]NAME.

    A status that is running keeps the text that it began with: GitLab refuses to set a state anew.
    """

    url: str = PUBLIC
    repository: str
    comment_limit: int = 1_000_000

    @property
    def root(self) -> str:
        return f"{self.url.rstrip('/')}/api/v4"

    @property
    def _project(self) -> str:
        return f"/projects/{quote(self.repository, safe='')}"

    def headers(self, token: str) -> Mapping[str, str]:
        """Personal, group and project access tokens, and OAuth's."""
        return {"Authorization": f"Bearer {token}"}

    def next_page(self, call: Call, reply: Reply) -> Call | None:
        return next_link(call, reply)

    def stands(self, call: Call, reply: Reply) -> bool:
        return call.races and reply.status == 400 and b"annot transition status" in reply.body

    def whoami(self) -> Call:
        return Call(method="GET", path="/user")

    def read_whoami(self, body: Any) -> str:
        return str(body["username"])

    def open_requests(self, branch: str) -> Call:
        query = {"state": "opened", "target_branch": branch, "order_by": "created_at", "sort": "asc", **_PAGE}
        return Call(method="GET", path=f"{self._project}/merge_requests", query=query)

    def read_requests(self, body: Any) -> list[ChangeRequest]:
        """One whose branch is gone has no head and is left out."""
        found = body if isinstance(body, list) else [body]
        return [_request(each) for each in found if each.get("sha")]

    def requests_of(self, commit: str) -> Call:
        path = f"{self._project}/repository/commits/{commit}/merge_requests"
        return Call(method="GET", path=path, query=_PAGE)

    def statuses(self, commit: str) -> Call:
        query = {"order_by": "id", "sort": "desc", **_PAGE}
        return Call(method="GET", path=f"{self._project}/repository/commits/{commit}/statuses", query=query)

    def read_statuses(self, body: Any) -> list[CommitStatus]:
        """Sorted here too, since servers before 17.9 know no ``order_by``."""
        newest = sorted(body, key=lambda each: int(each["id"]), reverse=True)
        return [_status(each) for each in newest if each["status"] in _READ]

    def post_status(self, commit: str, status: CommitStatus) -> Call:
        mark = NO_VERDICT if status.state is State.ERROR else ""
        page = f"{self.url.rstrip('/')}/{quote(self.repository)}/-/commit/{commit}"
        body = {
            "name": fold_context(status.context),
            "state": _SENT[status.state],
            "description": fold_line(f"{mark}{status.text}", _TEXT),
            **({"target_url": page} if len(page) <= _URL else {}),
        }
        return Call(method="POST", path=f"{self._project}/statuses/{commit}", body=body, races=True)

    def comments(self, number: int) -> Call:
        return Call(method="GET", path=f"{self._notes(number)}", query=_NOTES)

    def read_comments(self, body: Any, me: str) -> list[Comment]:
        found = body if isinstance(body, list) else [body]
        return [_comment(each, me) for each in found if not each.get("system")]

    def post_comment(self, number: int, body: str) -> Call:
        form = {"body": cut_body(inert(body), self.comment_limit)}
        return Call(method="POST", path=self._notes(number), body=form, repeatable=False)

    def edit_comment(self, number: int, id: str, body: str) -> Call:
        form = {"body": cut_body(inert(body), self.comment_limit)}
        return Call(method="PUT", path=f"{self._notes(number)}/{id}", body=form)

    def delete_comment(self, number: int, id: str) -> Call:
        return Call(method="DELETE", path=f"{self._notes(number)}/{id}")

    def permission(self, account: str) -> Call:
        """Inherited memberships too."""
        return Call(method="GET", path=f"{self._project}/members/all", query={"query": account, **_PAGE})

    def read_permission(self, body: Any, account: str) -> bool:
        """The search matches parts of names, so others may be among what it finds."""
        return any(
            each["username"] == account
            and int(each["access_level"]) >= _DEVELOPER
            and each.get("state", "active") == "active"
            for each in body
        )

    def open_request(self, *, branch: str, base: str, title: str, body: str) -> Call:
        form = {
            "source_branch": branch,
            "target_branch": base,
            "title": fold_line(title, _TEXT),
            "description": cut_body(inert(body), self.comment_limit),
        }
        return Call(method="POST", path=f"{self._project}/merge_requests", body=form, repeatable=False)

    def _notes(self, number: int) -> str:
        return f"{self._project}/merge_requests/{number}/notes"


def inert(body: str) -> str:
    """Nothing in it is a quick action (``/merge``), which would be done with our rights: one begins its line.

    **Source:** lib/gitlab/quick_actions/extractor.rb.
    """
    return _ACTION.sub(" /", body)


def _request(body: Mapping[str, Any]) -> ChangeRequest:
    return ChangeRequest(
        number=int(body["iid"]),
        head=str(body["sha"]),
        ref=f"refs/merge-requests/{body['iid']}/head",
        base=str(body["target_branch"]),
        branch=str(body["source_branch"]),
        title=str(body.get("title") or ""),
        author=_username(body),
        # The project of a fork that was deleted is null.
        fork=body.get("source_project_id") != body["target_project_id"],
        url=str(body.get("web_url") or ""),
    )


def _status(body: Mapping[str, Any]) -> CommitStatus:
    text, state = str(body.get("description") or ""), _READ[body["status"]]
    if state is State.FAILURE and text.startswith(NO_VERDICT):
        text, state = text.removeprefix(NO_VERDICT), State.ERROR
    at = datetime.fromisoformat(body["created_at"])
    return CommitStatus(context=str(body["name"]), state=state, text=text, at=at)


def _comment(body: Mapping[str, Any], me: str) -> Comment:
    author = _username(body)
    at = datetime.fromisoformat(body["created_at"])
    text = str(body.get("body") or "")
    return Comment(id=str(body["id"]), body=text, author=author, mine=bool(me) and author == me, at=at)


def _username(body: Mapping[str, Any]) -> str:
    return str((body.get("author") or {}).get("username") or "")
