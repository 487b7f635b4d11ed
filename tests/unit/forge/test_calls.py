"""Every call that an adapter can build is one that its forge describes: path, query and body; and so is what we read.

GitHub's and Gitea's descriptions are their own (tests/openapi/extract.py), GitLab's is its documentation.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import pytest

from clusterops.forge.gitea import Gitea
from clusterops.forge.github import Github
from clusterops.forge.github_app import AppWire
from clusterops.forge.gitlab import Gitlab
from clusterops.forge.wire import Call
from clusterops.model.commit_status import CommitStatus, State
from tests.openapi import gitlab
from tests.openapi.description import Description, Operation, Pointer, described
from tests.openapi.watched import watched, with_field

SHA = "9d03be1c5b4f0a7e6d2c1b0a9f8e7d6c5b4a3f2e"
LONG = "x" * 2_000_000
ASTRAL = "planning \U0001f680\n\x07 of 300"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    wire: Any
    description: Description
    says_required: bool = True


ADAPTERS = {
    "github": Adapter(wire=Github(repository="octo-org/fleet.yaml"), description=described("github")),
    "github-enterprise": Adapter(
        wire=Github(url="https://github.example.org", repository="octo-org/fleet"), description=described("github")
    ),
    "gitlab": Adapter(wire=Gitlab(repository="platform/prod/fleet"), description=gitlab.described()),
    "gitea": Adapter(
        wire=Gitea(url="https://git.example.org", repository="platform/fleet"),
        description=described("gitea"),
        says_required=False,
    ),
    "github-app": Adapter(wire=AppWire(repository="octo-org/fleet"), description=described("github")),
}
"""Forgejo has Gitea's."""


def _statuses() -> list[dict[str, Any]]:
    texts = ("1 cluster: resize 1", ASTRAL, LONG)
    found = [CommitStatus(context="clusterops/plan", state=state, text=text) for state in State for text in texts]
    found.append(CommitStatus(context=f"clusterops/apply: {'r' * 300}", state=State.SUCCESS, text=""))
    return [{"commit": SHA, "status": status} for status in found]


CASES: Mapping[str, list[dict[str, Any]]] = {
    "whoami": [{}],
    "open_requests": [{"branch": "main"}, {"branch": "release/1.x & more"}],
    "requests_of": [{"commit": SHA}],
    "statuses": [{"commit": SHA}],
    "post_status": _statuses(),
    "comments": [{"number": 412}],
    "post_comment": [{"number": 412, "body": "### ClusterOps plan"}, {"number": 1, "body": LONG}],
    "edit_comment": [
        {"number": 412, "id": "99", "body": "### ClusterOps plan"},
        {"number": 1, "id": "1", "body": LONG},
    ],
    "delete_comment": [{"number": 412, "id": "99"}],
    "permission": [{"account": "octocat"}, {"account": "dependabot[bot]"}],
    "open_request": [
        {"branch": "payments-1.34", "base": "main", "title": "Payments to v1.34.1", "body": "why"},
        {"branch": "b", "base": "main", "title": LONG, "body": LONG},
    ],
    "app": [{}],
    "installation": [{}],
    "installation_token": [{"installation": 7}],
}
READ_BY = {
    "whoami": ("read_whoami",),
    "open_requests": ("read_requests",),
    "requests_of": ("read_requests",),
    "open_request": ("read_requests",),
    "statuses": ("read_statuses",),
    "post_status": (),
    "comments": ("read_comments", "octocat"),
    "post_comment": ("read_comments", "octocat"),
    "edit_comment": ("read_comments", "octocat"),
    "delete_comment": (),
    "permission": ("read_permission", "octocat"),
    "app": ("read_app",),
    "installation": ("read_installation",),
    "installation_token": ("read_installation_token",),
}
"""By what an answer is read, and what that takes besides."""
NEEDED = ("app", ("slug",))
"""Optional in the description. An App without a name of its own cannot be told from others: that is an error."""


def calls_of(wire: object) -> list[str]:
    """Names of the methods that build a call."""
    methods = inspect.getmembers(type(wire), inspect.isfunction)
    return [name for name, method in methods if name[0] != "_" and get_type_hints(method).get("return") is Call]


_BOT = {"id": 3, "login": "clusterops", "full_name": ""}
_AT = "2026-11-21T14:02:11Z"
_GITEA_COMMENT = {"id": 12, "body": "### ClusterOps plan", "user": _BOT, "created_at": _AT, "updated_at": _AT}
_GITEA_REQUEST = {
    "number": 4,
    "title": "Payments to v1.34.1",
    "user": {"id": 2, "login": "ada"},
    "head": {"label": "payments-1.34", "ref": "payments-1.34", "sha": SHA, "repo_id": 1},
    "base": {"label": "main", "ref": "main", "sha": SHA[::-1], "repo_id": 1},
    "html_url": "https://git.example.org/platform/fleet/pulls/4",
}
_GITEA_STATUS = {"id": 8, "context": "clusterops/plan", "status": "success", "description": "", "created_at": _AT}
GITEA_ANSWERS: Mapping[str, list[Any]] = {
    "whoami": [_BOT],
    "open_requests": [[_GITEA_REQUEST]],
    "requests_of": [_GITEA_REQUEST],
    "open_request": [_GITEA_REQUEST],
    "statuses": [{"state": "success", "statuses": [_GITEA_STATUS], "total_count": 1, "sha": SHA}],
    "comments": [[_GITEA_COMMENT]],
    "post_comment": [_GITEA_COMMENT],
    "edit_comment": [_GITEA_COMMENT],
    "permission": [{"permission": "write", "role_name": "", "user": _BOT}],
}
"""Its description shows none; tests/doors/test_forge.py meets real ones."""

BUILT = [
    pytest.param(adapter, name, arguments, id=f"{kind}-{name}-{number}")
    for kind, adapter in ADAPTERS.items()
    for name in calls_of(adapter.wire)
    for number, arguments in enumerate(CASES.get(name, ()))
]
EXAMPLES = [
    pytest.param(adapter, name, operation, example, id=f"{kind}-{name}-{number}")
    for kind, adapter in ADAPTERS.items()
    for name in calls_of(adapter.wire)
    for operation in [adapter.description.operation(getattr(adapter.wire, name)(**CASES[name][0]))[0]]
    for number, example in enumerate(operation.examples or GITEA_ANSWERS.get(name, ()))
]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_call_has_a_case_and_every_answer_a_reader(kind: str) -> None:
    names = calls_of(ADAPTERS[kind].wire)
    assert len(names) >= 3
    assert [name for name in names if not CASES.get(name)] == []
    assert [name for name in names if name not in READ_BY] == []
    readers = {name for name, _ in inspect.getmembers(ADAPTERS[kind].wire, inspect.ismethod) if name[:5] == "read_"}
    assert readers - {reader for name in names for reader in READ_BY[name][:1]} == set()


@pytest.mark.parametrize(("adapter", "name", "arguments"), BUILT)
def test_a_call_is_as_its_forge_describes_it(adapter: Adapter, name: str, arguments: dict[str, Any]) -> None:
    call = getattr(adapter.wire, name)(**arguments)
    assert adapter.description.faults(call) == []


@pytest.mark.parametrize(("adapter", "name", "operation", "example"), EXAMPLES)
def test_what_is_read_of_an_answer_is_described_and_may_be_null_or_missing_where_that_is_said(
    adapter: Adapter, name: str, operation: Operation, example: Any
) -> None:
    """GitHub's examples depart from its own schemas in what we do not read, so it is fields that are held to them."""
    if not READ_BY[name]:
        return
    reader, *rest = READ_BY[name]
    read: set[Pointer] = set()
    assert getattr(adapter.wire, reader)(watched(example, (), read), *rest) is not None
    assert read
    for pointer in read:
        field = adapter.description.field(operation, pointer)
        changed = [
            *(with_field(example, pointer, null=True) if field.may_be_null else ()),
            *(with_field(example, pointer, null=False) if not field.required and adapter.says_required else ()),
        ]
        if (name, pointer) == NEEDED:
            continue
        for body in changed:
            getattr(adapter.wire, reader)(body, *rest)


@pytest.mark.parametrize("name", GITEA_ANSWERS)
def test_an_answer_of_gitea_is_as_it_describes_it(name: str) -> None:
    adapter = ADAPTERS["gitea"]
    operation, _ = adapter.description.operation(getattr(adapter.wire, name)(**CASES[name][0]))
    for answer in GITEA_ANSWERS[name]:
        assert adapter.description.answer_faults(operation, answer) == []
        assert adapter.description.unknown(operation, answer) == []


@pytest.mark.parametrize("kind", ADAPTERS)
def test_nothing_that_is_set_may_be_doubled_by_asking_again(kind: str) -> None:
    """What adds a thing each time is not repeatable: comments and requests."""
    wire = ADAPTERS[kind].wire
    adding = {name for name in calls_of(wire) if not getattr(wire, name)(**CASES[name][0]).repeatable}
    assert adding == ({"post_comment", "open_request"} if kind != "github-app" else set())


def test_a_call_that_departs_is_found_out() -> None:
    """The test of the test."""
    description = described("github")
    path = "/repos/octo-org/fleet"
    wrong = [
        Call(method="GET", path=f"{path}/pulls", query={"base_branch": "main"}),
        Call(method="GET", path=f"{path}/pulls", query={"state": "opened"}),
        Call(method="GET", path=f"{path}/issues/x/comments"),
        Call(method="POST", path=f"{path}/statuses/{SHA}", body={"state": "warning"}),
        Call(method="POST", path=f"{path}/statuses/{SHA}", body={"state": "error", "text": "x"}),
        Call(method="POST", path=f"{path}/statuses/{SHA}"),
        Call(method="DELETE", path=f"{path}/issues/comments/1", body={}),
    ]
    assert [bool(description.faults(call)) for call in wrong] == [True] * len(wrong)
    with pytest.raises(LookupError):
        description.faults(Call(method="PUT", path=f"{path}/pulls"))
