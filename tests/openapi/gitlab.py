"""What GitLab documents of the calls that we make, written by hand in the form of the other two, a page for each.

Read as of GitLab 18; what older servers lack is said in the adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.openapi.description import Description, of

_TEXT: Final = {"type": "string"}
_SHORT: Final = {"type": "string", "maxLength": 255}
_NUMBER: Final = {"type": "integer"}
_MAYBE: Final = {"type": ["string", "null"]}


def _one_of(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _object(required: str = "", **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def _list(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


_PROJECT: Final = {"id": _TEXT}
_REQUEST: Final = {**_PROJECT, "merge_request_iid": _NUMBER}
_PAGES: Final = {"page": _NUMBER, "per_page": {"type": "integer", "minimum": 1, "maximum": 100}}
"""**Page:** api/rest, "Pagination"."""

_USER: Final = {"id": 28, "username": "thedude", "name": "Jeff Lebowski", "state": "active"}
_USER_SHAPE: Final = _object("id username", id=_NUMBER, username=_TEXT, name=_TEXT, state=_TEXT)
_STATUS_SHAPE: Final = _object(
    "id sha name status created_at",
    id=_NUMBER,
    sha=_TEXT,
    ref=_MAYBE,
    name=_TEXT,
    status=_TEXT,
    description=_MAYBE,
    target_url=_MAYBE,
    created_at=_TEXT,
    started_at=_MAYBE,
    finished_at=_MAYBE,
    allow_failure={"type": "boolean"},
    author=_USER_SHAPE,
)
_STATUS: Final = {
    "id": 91,
    "sha": "18f3e63d05582537db6d183d9d557be09e1f90c8",
    "ref": "main",
    "name": "clusterops/plan",
    "status": "running",
    "description": None,
    "target_url": None,
    "created_at": "2026-01-19T08:40:25.934Z",
    "started_at": None,
    "finished_at": None,
    "allow_failure": False,
    "author": _USER,
}
_NOTE_SHAPE: Final = _object(
    "id body author created_at system",
    id=_NUMBER,
    body=_TEXT,
    author=_USER_SHAPE,
    created_at=_TEXT,
    updated_at=_TEXT,
    system={"type": "boolean"},
    noteable_iid=_NUMBER,
)
_NOTE: Final = {
    "id": 301,
    "body": "Comment for MR",
    "author": _USER,
    "created_at": "2026-10-02T08:57:14.000Z",
    "updated_at": "2026-10-02T08:57:14.000Z",
    "system": False,
    "noteable_iid": 2,
}
_MERGE_REQUEST_SHAPE: Final = _object(
    "iid title state source_branch target_branch target_project_id web_url",
    id=_NUMBER,
    iid=_NUMBER,
    title=_TEXT,
    description=_MAYBE,
    state=_one_of("opened", "closed", "locked", "merged"),
    source_branch=_TEXT,
    target_branch=_TEXT,
    source_project_id={"type": ["integer", "null"]},
    target_project_id=_NUMBER,
    sha=_MAYBE,
    author=_USER_SHAPE,
    web_url=_TEXT,
)
_MERGE_REQUEST: Final = {
    "id": 33092005,
    "iid": 43,
    "title": "Payments to v1.34.1",
    "description": None,
    "state": "opened",
    "source_branch": "payments-1.34",
    "target_branch": "main",
    "source_project_id": 12,
    "target_project_id": 12,
    "sha": "e82eb4a098e32c796079ca3915e07487fc4db24c",
    "author": _USER,
    "web_url": "https://gitlab.example.com/platform/fleet/-/merge_requests/43",
}


def _operation(
    path: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
    example: Any = None,
) -> dict[str, Any]:
    return {
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": each} for name, each in path.items()),
            *({"name": name, "in": "query", "required": False, "schema": each} for name, each in (query or {}).items()),
        ],
        "body": body,
        "answers": {"200": answer} if answer is not None else {},
        "examples": [] if example is None else [example],
    }


OPERATIONS: Final = {
    # **Page:** api/users, "Retrieve the current user"
    "GET /user": _operation({}, answer=_USER_SHAPE, example=_USER),
    # **Page:** api/merge_requests, "List project merge requests"
    "GET /projects/{id}/merge_requests": _operation(
        _PROJECT,
        query={
            "state": _one_of("opened", "closed", "locked", "merged", "all"),
            "target_branch": _TEXT,
            "order_by": _one_of("created_at", "label_priority", "milestone_due", "popularity", "priority", "title"),
            "sort": _one_of("asc", "desc"),
            **_PAGES,
        },
        answer=_list(_MERGE_REQUEST_SHAPE),
        example=[_MERGE_REQUEST],
    ),
    # **Page:** api/merge_requests, "Create a merge request"
    "POST /projects/{id}/merge_requests": _operation(
        _PROJECT,
        body=_object(
            "source_branch target_branch title",
            source_branch=_TEXT,
            target_branch=_TEXT,
            title=_SHORT,
            description={"type": "string", "maxLength": 1_048_576},
        ),
        answer=_MERGE_REQUEST_SHAPE,
        example=_MERGE_REQUEST,
    ),
    # **Page:** api/commits, "List merge requests associated with a commit"
    "GET /projects/{id}/repository/commits/{sha}/merge_requests": _operation(
        {**_PROJECT, "sha": _TEXT},
        query={"state": _one_of("opened", "closed", "locked", "merged"), **_PAGES},
        answer=_list(_MERGE_REQUEST_SHAPE),
        example=[{**_MERGE_REQUEST, "state": "merged", "source_project_id": None}],
    ),
    # **Page:** api/commits, "List all commit statuses"; lib/api/commit_statuses.rb
    "GET /projects/{id}/repository/commits/{sha}/statuses": _operation(
        {**_PROJECT, "sha": _TEXT},
        query={
            "name": _TEXT,
            "all": {"type": "boolean"},
            "order_by": _one_of("id", "pipeline_id"),
            "sort": _one_of("asc", "desc"),
            **_PAGES,
        },
        answer=_list(_STATUS_SHAPE),
        example=[_STATUS, {**_STATUS, "id": 90, "name": "flay", "status": "manual"}],
    ),
    # **Page:** api/commits, "Create or update a commit pipeline status"; lib/api/commit_statuses.rb
    "POST /projects/{id}/statuses/{sha}": _operation(
        {**_PROJECT, "sha": _TEXT},
        body=_object(
            "state",
            state=_one_of("pending", "running", "success", "failed", "canceled", "skipped"),
            name=_SHORT,
            description=_SHORT,
            target_url=_SHORT,
            ref=_SHORT,
            pipeline_id=_NUMBER,
        ),
        answer=_STATUS_SHAPE,
        example=_STATUS,
    ),
    # **Page:** api/notes, "List all merge request notes"
    "GET /projects/{id}/merge_requests/{merge_request_iid}/notes": _operation(
        _REQUEST,
        query={"sort": _one_of("asc", "desc"), "order_by": _one_of("created_at", "updated_at"), **_PAGES},
        answer=_list(_NOTE_SHAPE),
        example=[{**_NOTE, "id": 300, "system": True, "body": "added 1 commit"}, _NOTE],
    ),
    # **Page:** api/notes, "Create a merge request note"
    "POST /projects/{id}/merge_requests/{merge_request_iid}/notes": _operation(
        _REQUEST,
        body=_object("body", body={"type": "string", "maxLength": 1_000_000}),
        answer=_NOTE_SHAPE,
        example=_NOTE,
    ),
    # **Page:** api/notes, "Update a merge request note"
    "PUT /projects/{id}/merge_requests/{merge_request_iid}/notes/{note_id}": _operation(
        {**_REQUEST, "note_id": _NUMBER},
        body=_object("body", body={"type": "string", "maxLength": 1_000_000}),
        answer=_NOTE_SHAPE,
        example=_NOTE,
    ),
    # **Page:** api/notes, "Delete a merge request note"
    "DELETE /projects/{id}/merge_requests/{merge_request_iid}/notes/{note_id}": _operation(
        {**_REQUEST, "note_id": _NUMBER}
    ),
    # **Page:** api/project_members, "List all members of a project, including inherited and invited members"
    "GET /projects/{id}/members/all": _operation(
        _PROJECT,
        query={"query": _TEXT, "user_ids": _list(_NUMBER), **_PAGES},
        answer=_list(
            _object(
                "id username access_level",
                id=_NUMBER,
                username=_TEXT,
                name=_TEXT,
                state=_TEXT,
                access_level={"type": "integer", "enum": [0, 5, 10, 15, 20, 25, 30, 40, 50]},
                membership_state=_TEXT,
            )
        ),
        example=[{**_USER, "access_level": 30, "membership_state": "active"}],
    ),
}


def described() -> Description:
    return of({"operations": OPERATIONS, "schemas": {}})
