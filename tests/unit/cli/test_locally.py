"""Names of targets as people type them."""

from __future__ import annotations

import pytest

from clusterops.cli.locally import choose_targets, full_name, is_known, refuse_elsewhere
from clusterops.errors import RefusedError, TerminalError
from clusterops.model.fleet import Mode, PlainRecipe, Target

KNOWN = ("eu/web", "eu/api", "us/web", "shared/rbac", "eu/_shared")


def target(name: str, management: str = "default") -> Target:
    return Target(
        name=name,
        fleet="f",
        region=None,
        cluster=name.partition("/")[2],
        namespace="n",
        mode=Mode.APPLY,
        recipe=PlainRecipe(files=()),
        management=management,
    )


@pytest.mark.parametrize(("typed", "meant"), [("eu/web", "eu/web"), ("api", "eu/api"), ("rbac", "shared/rbac")])
def test_a_bare_name_is_enough_where_it_is_the_only_one(typed: str, meant: str) -> None:
    assert full_name(typed, KNOWN) == meant


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("web", "target-ambiguous", "eu/web, us/web"),
        ("eu/wbe", "target-unknown", "did you mean eu/web?"),
        ("apy", "target-unknown", "did you mean eu/api?"),
        ("wep", "target-unknown", "did you mean eu/web or us/web?"),
        ("zzz", "target-unknown", "known: eu/_shared, eu/api, eu/web, shared/rbac, us/web"),
    ],
)
def test_a_name_that_is_not_clear_is_answered_with_those_that_are(typed: str, code: str, said: str) -> None:
    with pytest.raises(TerminalError) as caught:
        full_name(typed, KNOWN)
    assert caught.value.code == code
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_a_large_fleet_is_not_listed_whole() -> None:
    with pytest.raises(TerminalError, match="zzz") as caught:
        full_name("zzz", [f"eu/c{number:03}" for number in range(300)])
    assert caught.value.hint.endswith("… (300 in all)")


@pytest.mark.parametrize(("name", "known"), [("eu/web", True), ("web", True), ("api", True), ("x", False)])
def test_whether_git_knows_a_name_needs_no_cluster(name: str, known: bool) -> None:
    assert is_known(name, KNOWN) is known


def test_targets_come_in_the_order_of_their_names_and_once() -> None:
    known = {name: target(name) for name in KNOWN}
    assert [each.name for each in choose_targets(known, ["us/web", "api", "eu/api"])] == ["eu/api", "us/web"]
    assert [each.name for each in choose_targets(known, [])] == sorted(KNOWN)


def test_a_target_of_another_management_cluster_is_refused_by_name() -> None:
    with pytest.raises(RefusedError) as caught:
        refuse_elsewhere([target("eu/web", "north"), target("eu/api", "north")], "default")
    assert (caught.value.code, caught.value.subject) == ("managed-elsewhere", "eu/api")
    refuse_elsewhere([], "default")
