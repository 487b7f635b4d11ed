"""Regions that no daemon will ever plan or apply."""

from __future__ import annotations

from clusterops.source.fleet.reader import read_fleet
from tests.unit.source.snapshots import FLEET, REGION, changed, snapshot_of

NAMED = {"regions/eu/region.yaml": f"{REGION}management: north\n"}


def test_a_region_of_a_management_cluster_that_fleet_yaml_does_not_name_is_told_with_its_line() -> None:
    """Its targets are known all the same, so that nobody takes them for deleted."""
    fleet = read_fleet(snapshot_of(changed(NAMED)))
    (problem,) = fleet.unclaimed
    assert (problem.code, problem.path, problem.line) == ("region-unclaimed", "regions/eu/region.yaml", 3)
    assert "management: [default, north]" in problem.hint
    assert fleet.targets["eu/web"].management == "north"
    assert fleet.problems == ()


def test_a_region_that_fleet_yaml_names_the_cluster_of_is_claimed() -> None:
    fleet = read_fleet(snapshot_of(changed({**NAMED, "fleet.yaml": f"{FLEET}management: [default, north]\n"})))
    assert fleet.file.management_clusters == ("default", "north")
    assert fleet.unclaimed == ()


def test_without_the_default_one_a_region_that_names_none_is_unclaimed() -> None:
    fleet = read_fleet(snapshot_of(changed({"fleet.yaml": f"{FLEET}management: [north]\n"})))
    assert [problem.path for problem in fleet.unclaimed] == ["regions/eu/region.yaml"]
