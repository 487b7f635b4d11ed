"""Whatever is sent: it is refused unless it is signed, and what is signed is a hint or not understood."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clusterops.errors import TerminalError
from clusterops.forge import read_delivery
from clusterops.model.fleet import ForgeKind
from clusterops.model.request import Delivery
from clusterops.model.secret import SecretText
from tests.unit.web.webhook_calls import REPOSITORY, SECRET, encoded, gitea, github, gitlab

KINDS = st.sampled_from(ForgeKind)
EVENTS = st.sampled_from(
    ["push", "pull_request", "issue_comment", "merge_group", "Push Hook", "Merge Request Hook", "Note Hook", ""]
)
WORDS = st.sampled_from(
    [
        "ref",
        "action",
        "number",
        "issue",
        "pull_request",
        "repository",
        "full_name",
        "object_attributes",
        "iid",
        "project",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["refs/heads/main", "opened", "created", "update", "MergeRequest", REPOSITORY, "canary", ""])
)
BODIES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), below, max_size=6)
)


def headers(kind: ForgeKind, event: str, body: bytes) -> dict[str, str]:
    if kind is ForgeKind.GITLAB:
        return gitlab(event=event)
    return github(body, event=event) if kind is ForgeKind.GITHUB else gitea(body, event=event)


def read(kind: ForgeKind, sent: dict[str, str], body: bytes) -> Delivery | str:
    try:
        return read_delivery(kind, sent, body, [SecretText(SECRET)], repository=REPOSITORY, now_s=0.0)
    except TerminalError as error:
        return error.code if "canary" not in str(error) else "told"


@given(kind=KINDS, event=EVENTS, body=BODIES)
def test_what_is_signed_is_a_hint_or_not_understood(kind: ForgeKind, event: str, body: Any) -> None:
    sent = encoded(body)
    assert isinstance(found := read(kind, headers(kind, event, sent), sent), Delivery) or found == "webhook-malformed"


@given(kind=KINDS, body=st.binary(max_size=200), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_bit_more_or_less_is_refused(kind: ForgeKind, body: bytes, at: int, bit: int) -> None:
    """GitLab's secret token covers no body, so its bit is the token's."""
    sent = headers(kind, "push", body)
    if kind is ForgeKind.GITLAB:
        token = bytearray(SECRET.encode())
        token[at % len(token)] ^= 1 << bit
        sent["x-gitlab-token"] = token.decode("utf-8", "surrogateescape")
        assert read(kind, sent, body) == "webhook-unsigned"
    else:
        changed = bytearray(body or b"\0")
        changed[at % len(changed)] ^= 1 << bit
        assert read(kind, sent, bytes(changed)) == "webhook-unsigned"


@given(kind=KINDS, body=st.binary(max_size=50), value=st.text(max_size=80))
def test_no_text_is_a_signature(kind: ForgeKind, body: bytes, value: str) -> None:
    names = ("x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature", "x-gitlab-token", "webhook-signature")
    sent = dict.fromkeys(names, value) | {"webhook-timestamp": value, "webhook-id": value}
    assert value == SECRET or read(kind, sent, body) == "webhook-unsigned"
