"""Deliveries of each forge: verified before anything is read, and read as a hint. Bodies are cut to what is read.

**Source:** Gitea v1.26 modules/structs/hook.go and services/webhook/deliver.go; GitLab, "Webhook events".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clusterops.errors import TerminalError
from clusterops.forge import is_signed, read_delivery
from clusterops.model.fleet import ForgeKind
from clusterops.model.request import Called, Delivery
from clusterops.model.secret import SecretText
from tests.unit.web.webhook_calls import (
    REPOSITORY,
    SECRET,
    SIGNING,
    encoded,
    gitea,
    github,
    gitlab,
    gitlab_signed,
    hexed,
)

NOW_S = 1_795_000_000.0
OTHER = Delivery(kind=Called.OTHER)


def read(kind: ForgeKind, headers: Mapping[str, str], body: bytes, *secrets: str) -> Delivery:
    valid = [SecretText(secret) for secret in secrets or (SECRET,)]
    return read_delivery(kind, headers, body, valid, repository=REPOSITORY, now_s=NOW_S)


def refusal(kind: ForgeKind, headers: Mapping[str, str], body: bytes, *secrets: str) -> str:
    with pytest.raises(TerminalError) as raised:
        read(kind, headers, body, *secrets)
    return raised.value.code


def of_gitea(body: Mapping[str, Any], event: str, kind: ForgeKind = ForgeKind.GITEA) -> Delivery:
    sent = encoded({"repository": {"full_name": "Platform/Fleet"}, **body})
    return read(kind, gitea(sent, event=event), sent)


def of_gitlab(body: Mapping[str, Any], event: str) -> Delivery:
    sent = encoded({"project": {"path_with_namespace": REPOSITORY}, **body})
    return read(ForgeKind.GITLAB, gitlab(event=event), sent)


@pytest.mark.parametrize("kind", [ForgeKind.GITEA, ForgeKind.FORGEJO])
@pytest.mark.parametrize(
    ("event", "body", "meant"),
    [
        ("push", {"ref": "refs/heads/team/a"}, Delivery(kind=Called.PUSH, branch="team/a")),
        ("push", {"ref": "refs/tags/v1"}, OTHER),
        ("pull_request", {"action": "opened", "number": 4}, Delivery(kind=Called.REQUEST, number=4)),
        ("pull_request", {"action": "synchronized", "number": 4}, Delivery(kind=Called.REQUEST, number=4)),
        ("pull_request", {"action": "edited", "number": 4}, Delivery(kind=Called.REQUEST, number=4)),
        ("pull_request", {"action": "closed", "number": 4}, Delivery(kind=Called.REQUEST, number=4)),
        ("pull_request", {"action": "label_updated", "number": 4}, OTHER),
        (
            "issue_comment",
            {"action": "created", "is_pull": True, "issue": {"number": 4, "pull_request": {"merged": False}}},
            Delivery(kind=Called.COMMENT, number=4),
        ),
        ("issue_comment", {"action": "created", "issue": {"number": 5, "pull_request": None}}, OTHER),
        ("issue_comment", {"action": "deleted", "issue": {"number": 4, "pull_request": {}}}, OTHER),
        ("status", {"state": "success", "context": "clusterops/plan", "sha": "0" * 40}, OTHER),
        ("pull_request_approved", {"action": "reviewed", "number": 4}, OTHER),
    ],
)
def test_gitea_and_forgejo(kind: ForgeKind, event: str, body: Mapping[str, Any], meant: Delivery) -> None:
    assert of_gitea(body, event, kind) == meant


@pytest.mark.parametrize(
    ("event", "body", "meant"),
    [
        ("Push Hook", {"ref": "refs/heads/main"}, Delivery(kind=Called.PUSH, branch="main")),
        ("Tag Push Hook", {"ref": "refs/tags/v1"}, OTHER),
        (
            "Merge Request Hook",
            {"object_attributes": {"id": 99, "iid": 4, "action": "open"}},
            Delivery(kind=Called.REQUEST, number=4),
        ),
        (
            "Merge Request Hook",
            {"object_attributes": {"id": 99, "iid": 4, "action": "update", "oldrev": "a" * 40}},
            Delivery(kind=Called.REQUEST, number=4),
        ),
        ("Merge Request Hook", {"object_attributes": {"id": 99, "iid": 4, "action": "approved"}}, OTHER),
        (
            "Note Hook",
            {"object_attributes": {"noteable_type": "MergeRequest", "action": "create"}, "merge_request": {"iid": 4}},
            Delivery(kind=Called.COMMENT, number=4),
        ),
        (
            "Note Hook",
            {"object_attributes": {"noteable_type": "MergeRequest"}, "merge_request": {"iid": 4}},
            Delivery(kind=Called.COMMENT, number=4),
        ),
        ("Note Hook", {"object_attributes": {"noteable_type": "Issue"}, "issue": {"iid": 4}}, OTHER),
        (
            "Note Hook",
            {"object_attributes": {"noteable_type": "MergeRequest", "system": True}, "merge_request": {"iid": 4}},
            OTHER,
        ),
        ("Pipeline Hook", {"object_attributes": {"status": "success", "source": "external"}}, OTHER),
        ("System Hook", {}, OTHER),
    ],
)
def test_gitlab(event: str, body: Mapping[str, Any], meant: Delivery) -> None:
    assert of_gitlab(body, event) == meant


def test_what_another_repository_calls_out_is_of_no_concern() -> None:
    """A webhook of an organisation brings all of them."""
    push = {"ref": "refs/heads/main"}
    assert of_gitea(push | {"repository": {"full_name": "platform/fleets"}}, "push") == OTHER
    assert of_gitlab(push | {"project": {"path_with_namespace": "platform/sub/fleet"}}, "Push Hook") == OTHER


def test_the_id_is_what_the_forge_calls_this_delivery() -> None:
    push = encoded({"ref": "refs/heads/main"})
    assert read(ForgeKind.GITHUB, github(push, id="a"), push).id == "a"
    assert read(ForgeKind.GITEA, gitea(push, id="b"), push).id == "b"
    assert read(ForgeKind.GITLAB, gitlab(id="c"), push).id == "c"
    assert read(ForgeKind.GITLAB, gitlab_signed(push, at_s=NOW_S, id="d"), push, SIGNING).id == "d"
    assert read(ForgeKind.GITLAB, gitlab() | {"x-gitlab-event-uuid": "of all that came of one event"}, push).id == ""
    assert len(read(ForgeKind.GITHUB, github(push, id="x" * 5000), push).id) == 100


@pytest.mark.parametrize("secret", ["old", "new"])
def test_while_a_secret_is_replaced_both_are_valid(secret: str) -> None:
    push = encoded({"ref": "refs/heads/main"})
    assert read(ForgeKind.GITHUB, github(push, secret=secret), push, "new", "old").branch == "main"
    assert read(ForgeKind.GITEA, gitea(push, secret=secret), push, "new", "old").branch == "main"
    assert read(ForgeKind.GITLAB, gitlab(secret=secret), push, "new", "old").branch == "main"


@pytest.mark.parametrize("kind", ForgeKind)
def test_nothing_and_an_empty_secret_prove_nothing(kind: ForgeKind) -> None:
    """HMAC takes an empty key, and an empty token equals none."""
    body = encoded({"ref": "refs/heads/main"})
    for headers in ({}, github(body, secret=""), gitea(body, secret=""), {"x-gitlab-token": ""}):
        assert refusal(kind, headers, body, "") == "webhook-unsigned"
        assert refusal(kind, headers, body) == "webhook-unsigned"
    assert not is_signed(kind, {"x-gitlab-token": "", "x-hub-signature": "sha1=00"})


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=zz", "é", "\udcff", "0" * 64, hexed(b"{}").upper(), hexed(b"{}") + "0"]
)
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    for kind in (ForgeKind.GITHUB, ForgeKind.GITEA):
        headers = {"x-hub-signature-256": signature, "x-gitea-signature": signature}
        assert refusal(kind, headers, b"{}") == "webhook-unsigned"


def test_no_other_proof_makes_up_for_a_wrong_one() -> None:
    body = encoded({"ref": "refs/heads/main"})
    assert refusal(ForgeKind.GITEA, gitea(body) | {"x-gitea-signature": "0" * 64}, body) == "webhook-unsigned"
    wrong = gitlab() | {"webhook-signature": "v1,AAAA", "webhook-id": "a", "webhook-timestamp": str(int(NOW_S))}
    assert refusal(ForgeKind.GITLAB, wrong, body, SECRET, SIGNING) == "webhook-unsigned"


def test_gitlab_signs_id_time_and_body_with_a_signing_token() -> None:
    body = encoded({"ref": "refs/heads/main"})
    headers = gitlab_signed(body, at_s=NOW_S)
    assert read(ForgeKind.GITLAB, headers, body, SECRET, SIGNING).branch == "main"
    several = headers | {"webhook-signature": f"v1a,AAAA v1,BBBB {headers['webhook-signature']}"}
    assert read(ForgeKind.GITLAB, several, body, SIGNING).branch == "main"
    for change in ({"webhook-id": "another"}, {"webhook-timestamp": f"{NOW_S + 1:.0f}"}, {"webhook-timestamp": "soon"}):
        assert refusal(ForgeKind.GITLAB, headers | change, body, SIGNING) == "webhook-unsigned"
    assert refusal(ForgeKind.GITLAB, headers, body + b" ", SIGNING) == "webhook-unsigned"
    assert refusal(ForgeKind.GITLAB, headers, body, SECRET, "whsec_", "whsec_???") == "webhook-unsigned"


@pytest.mark.parametrize("late_s", [-301.0, 301.0, 1e9])
def test_a_signed_delivery_of_another_time_is_refused(late_s: float) -> None:
    body = encoded({"ref": "refs/heads/main"})
    assert refusal(ForgeKind.GITLAB, gitlab_signed(body, at_s=NOW_S + late_s), body, SIGNING) == "webhook-unsigned"


def test_a_signing_token_is_never_taken_as_a_secret_token() -> None:
    assert refusal(ForgeKind.GITLAB, gitlab(secret=SIGNING), b"{}", SIGNING) == "webhook-unsigned"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=%7B%7D",
        b"[]",
        b'"canary"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"repository": "canary"}',
        b'{"ref": ["canary"]}',
        b'{"issue": {"pull_request": {}, "number": Infinity}, "action": "created"}',
        b'{"ref": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_signed_and_not_understood_is_told_without_its_words(body: bytes) -> None:
    event = "issue_comment" if b"issue" in body else "push"
    with pytest.raises(TerminalError) as raised:
        read(ForgeKind.GITHUB, github(body, event=event), body)
    assert raised.value.code == "webhook-malformed"
    assert "canary" not in str(raised.value) + raised.value.hint


def test_neither_refusal_shows_the_secret() -> None:
    with pytest.raises(TerminalError) as raised:
        read(ForgeKind.GITLAB, gitlab(secret="wrong-canary"), b"{}", "right-canary")
    assert "canary" not in repr(raised.value) + str(raised.value) + raised.value.hint
