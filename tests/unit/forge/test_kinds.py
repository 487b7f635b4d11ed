"""From fleet.yaml and the settings to the adapter."""

from __future__ import annotations

import pytest

from clusterops.errors import TerminalError
from clusterops.forge.kinds import build_wire
from clusterops.model.fleet import ForgeFile, ForgeKind
from clusterops.settings import ForgeSettings


def root(kind: ForgeKind, url: str = "", repository: str = "platform/fleet") -> str:
    return build_wire(ForgeFile(kind=kind, repository=repository), ForgeSettings(url=url)).root


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        (ForgeKind.GITHUB, "", "https://api.github.com"),
        (ForgeKind.GITHUB, "https://github.example.org/", "https://github.example.org/api/v3"),
        (ForgeKind.GITLAB, "", "https://gitlab.com/api/v4"),
        (ForgeKind.GITLAB, "https://example.org/gitlab", "https://example.org/gitlab/api/v4"),
        (ForgeKind.GITEA, "http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v1"),
        (ForgeKind.FORGEJO, "https://codeberg.org", "https://codeberg.org/api/v1"),
    ],
)
def test_each_kind_has_its_api(kind: ForgeKind, url: str, expected: str) -> None:
    assert root(kind, url) == expected


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        (ForgeKind.GITEA, ""),
        (ForgeKind.FORGEJO, ""),
        (ForgeKind.GITHUB, "github.example.org"),
        (ForgeKind.GITHUB, "ssh://git@github.com/platform/fleet"),
        (ForgeKind.GITLAB, "https://"),
        (ForgeKind.GITLAB, "https://gitlab.example.org?x=1"),
        (ForgeKind.GITLAB, "https://gitlab.example.org/api/v4"),
        (ForgeKind.GITHUB, "https://api.github.com"),
        (ForgeKind.GITHUB, "https://github.com/platform/fleet"),
    ],
)
def test_an_address_that_is_none_is_refused_with_the_next_step(kind: ForgeKind, url: str) -> None:
    with pytest.raises(TerminalError) as caught:
        root(kind, url)
    assert (caught.value.code, bool(caught.value.hint)) == ("forge-url", True)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TerminalError) as caught:
        root(ForgeKind.GITEA, "https://user:canary@git.example.org")
    assert "canary" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("kind", "repository"),
    [
        (ForgeKind.GITHUB, "fleet"),
        (ForgeKind.GITHUB, "a/b/c"),
        (ForgeKind.GITEA, "a/.."),
        (ForgeKind.GITLAB, "a//b"),
        (ForgeKind.GITLAB, "fleet"),
    ],
)
def test_a_repository_s_path_has_an_owner_and_a_name(kind: ForgeKind, repository: str) -> None:
    with pytest.raises(TerminalError, match="is not the path of a repository"):
        root(kind, "https://git.example.org", repository)


def test_a_project_of_gitlab_may_lie_deep() -> None:
    wire = build_wire(ForgeFile(kind=ForgeKind.GITLAB, repository="a/b/c/fleet"), ForgeSettings())
    assert wire.open_requests("main").path == "/projects/a%2Fb%2Fc%2Ffleet/merge_requests"
