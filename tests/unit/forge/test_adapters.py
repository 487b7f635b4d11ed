"""What each forge needs beyond its description: limits, words for states, and who counts as a fork."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from clusterops.forge.gitea import Gitea
from clusterops.forge.github import Github, api_root
from clusterops.forge.gitlab import NO_VERDICT, Gitlab
from clusterops.forge.limits import cut_body, fold_context, fold_line, plain_plane
from clusterops.forge.wire import Reply, Wire
from clusterops.model.commit_status import CommitStatus, State

SHA = "9d03be1c5b4f0a7e6d2c1b0a9f8e7d6c5b4a3f2e"
AT = datetime(2026, 11, 21, 14, 2, 11, tzinfo=UTC)
GITHUB = Github(repository="platform/fleet")
GITLAB = Gitlab(repository="platform/prod/fleet")
GITEA = Gitea(url="https://git.example.org/", repository="platform/fleet")
WIRES: dict[str, Wire] = {"github": GITHUB, "gitlab": GITLAB, "gitea": GITEA}


def standing(wire: Wire, status: CommitStatus) -> list[CommitStatus]:
    """As the forge tells it back."""
    sent = wire.post_status(SHA, status).body
    if isinstance(wire, Gitlab):
        return wire.read_statuses([{**sent, "status": sent["state"], "id": 1, "created_at": AT.isoformat()}])
    told = {"context": sent["context"], "description": sent["description"], "created_at": AT.isoformat()}
    return wire.read_statuses({"statuses": [{**told, "state": sent["state"], "status": sent["state"]}]})


@pytest.mark.parametrize("kind", WIRES)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("text", ["1 cluster: resize 1, adds 2 machines", "x" * 140, "südliche Zone, 3 °C — „ok“"])
def test_a_status_comes_back_as_it_was_posted(kind: str, state: State, text: str) -> None:
    """Else it would be posted again after every restart."""
    status = CommitStatus(context="clusterops/apply: eu-west-1", state=state, text=text, at=AT)
    assert standing(WIRES[kind], status) == [status]


def test_an_error_is_marked_at_gitlab_which_knows_failed_only() -> None:
    status = CommitStatus(context="clusterops/plan", state=State.ERROR, text="management cluster unreachable")
    body = GITLAB.post_status(SHA, status).body
    assert (body["state"], body["description"]) == ("failed", f"{NO_VERDICT}management cluster unreachable")


@pytest.mark.parametrize("kind", WIRES)
def test_what_nobody_of_us_says_is_no_verdict(kind: str) -> None:
    each = {"id": 1, "context": "x", "name": "x", "state": "waiting", "status": "skipped", "created_at": AT.isoformat()}
    assert WIRES[kind].read_statuses([each] if kind == "gitlab" else {"statuses": [each]}) == []


def test_the_newest_of_gitlab_is_first_whatever_its_order() -> None:
    found = [{"id": id, "name": "c", "status": "success", "description": str(id)} for id in (7, 9, 8)]
    read = GITLAB.read_statuses([{**each, "created_at": AT.isoformat()} for each in found])
    assert [each.text for each in read] == ["9", "8", "7"]


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://www.github.com/", "https://api.github.com"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://github.example.org/", "https://github.example.org/api/v3"),
        ("http://127.0.0.1:8443", "http://127.0.0.1:8443/api/v3"),
    ],
)
def test_where_githubs_api_is(url: str, root: str) -> None:
    assert api_root(url) == root


def test_where_the_others_are() -> None:
    below = Gitlab(url="https://example.org/gitlab/", repository="a/b")
    assert (below.root, GITEA.root) == ("https://example.org/gitlab/api/v4", "https://git.example.org/api/v1")
    assert GITLAB.comments(7).path == "/projects/platform%2Fprod%2Ffleet/merge_requests/7/notes"


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("github", f"https://github.com/platform/fleet/commit/{SHA}"),
        ("gitlab", f"https://gitlab.com/platform/prod/fleet/-/commit/{SHA}"),
        ("gitea", f"https://git.example.org/platform/fleet/commit/{SHA}"),
    ],
)
def test_a_status_leads_to_its_commit(kind: str, page: str) -> None:
    status = CommitStatus(context="c", state=State.SUCCESS, text="")
    assert WIRES[kind].post_status(SHA, status).body["target_url"] == page


def test_an_address_that_gitlab_would_refuse_is_left_out() -> None:
    deep = Gitlab(repository="/".join(["group" * 10] * 6))
    assert "target_url" not in deep.post_status(SHA, CommitStatus(context="c", state=State.SUCCESS, text="")).body


def gitea_request(**head: Any) -> dict[str, Any]:
    base = {"ref": "main", "sha": SHA, "repo_id": 1}
    return {"number": 4, "head": {"ref": "payments", "sha": SHA, "repo_id": 1, **head}, "base": base}


@pytest.mark.parametrize(
    ("head", "fork"),
    [({}, False), ({"repo_id": 7}, True), ({"repo_id": -1}, True), ({"ref": "refs/pull/4/head"}, True)],
)
def test_a_head_that_needed_no_right_to_write_is_a_fork_s(head: dict[str, Any], fork: bool) -> None:
    """Gitea: of another repository, of one that was deleted, or pushed for review without a branch (AGit)."""
    [request] = GITEA.read_requests(gitea_request(**head))
    assert request.fork is fork


def test_a_request_whose_repository_is_not_told_is_not_taken_for_one_of_ours() -> None:
    body = gitea_request()
    del body["head"]["repo_id"]
    with pytest.raises(KeyError):
        GITEA.read_requests(body)


def gitlab_request(**changed: Any) -> dict[str, Any]:
    ours = {"source_branch": "payments", "target_branch": "main", "source_project_id": 1, "target_project_id": 1}
    return {"iid": 4, "sha": SHA, "title": "t", **ours, **changed}


def test_gitlab_s_merge_requests() -> None:
    bodies = [
        gitlab_request(),
        gitlab_request(iid=5, source_project_id=None),
        gitlab_request(iid=6, source_project_id=2),
        gitlab_request(iid=7, sha=None),
    ]
    found = GITLAB.read_requests(bodies)
    assert [(each.number, each.ref, each.fork) for each in found] == [
        (4, "refs/merge-requests/4/head", False),
        (5, "refs/merge-requests/5/head", True),
        (6, "refs/merge-requests/6/head", True),
    ]


def test_what_gitlab_says_of_itself_is_no_comment() -> None:
    note = {"id": 1, "body": "x", "author": {"username": "ada"}, "created_at": AT.isoformat()}
    found = GITLAB.read_comments([{**note, "system": True}, {**note, "id": 2, "system": False}], "clusterops")
    assert [each.id for each in found] == ["2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_comment_gives_gitlab_no_order(end: str) -> None:
    """A value that a stranger wrote into a request must not merge it with our rights."""
    body = f"/merge{end}- /spec/replicas 3{end}/approve{end}see a/b"
    for call in (GITLAB.post_comment(4, body), GITLAB.edit_comment(4, "1", body)):
        assert call.body == {"body": f" /merge{end}- /spec/replicas 3{end} /approve{end}see a/b"}
    form = GITLAB.open_request(branch="b", base="main", title="t", body=body).body
    assert form["description"].startswith(" /merge")


@pytest.mark.parametrize(("length", "page"), [(30, "2"), (29, None), (0, None)])
def test_gitea_s_newest_statuses_are_followed_by_their_number(length: int, page: str | None) -> None:
    """Its links there are counted wrong."""
    reply = Reply(status=200, body=json.dumps({"statuses": [{}] * length}).encode())
    after = GITEA.next_page(GITEA.statuses(SHA), reply)
    assert (after.query["page"] if after else None) == page


def test_a_context_that_is_too_long_is_folded_and_stays_its_own() -> None:
    folded = [fold_context(f"clusterops/apply: {'r' * 300}{end}") for end in ("a", "b")]
    assert len(set(folded)) == 2
    assert all(len(each) == 255 and "…" in each for each in folded)
    assert fold_context("c" * 255) == "c" * 255


@pytest.mark.parametrize("kind", WIRES)
def test_a_status_is_one_short_line(kind: str) -> None:
    """GitHub takes no character beyond the basic plane there either."""
    status = CommitStatus(context="c", state=State.FAILURE, text=f"refused:\n\x07\U0001f680{'x' * 200}")
    text = WIRES[kind].post_status(SHA, status).body["description"]
    assert text.startswith(f"refused: {'�' if kind == 'github' else chr(0x1F680)}x")
    assert len(text) <= 140
    assert text.isprintable()


def test_texts_that_would_be_refused_are_cut_where_a_reader_sees_it() -> None:
    assert fold_line("a\n\x07b  c", 10) == "a b c"
    assert fold_line("x" * 20, 10) == "xxxxxxxxx…"
    assert plain_plane("to \U0001f680") == "to �"
    cut = cut_body("x" * 70_000, 65_536)
    assert len(cut) == 65_536
    assert "cut here" in cut
    assert cut_body("x" * 65_536, 65_536) == "x" * 65_536
