"""Kubernetes versions: their order, and how far apart two may be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from clusterops.capi.versions import Version, goes_down, is_above, is_too_far_below, skips_minor


def version(text: str) -> Version:
    found = Version.parse(text)
    assert found is not None
    return found


def test_versions_are_ordered_as_semver_says() -> None:
    ordered = ["v1.9.9", "v1.34.0-alpha.2", "v1.34.0-alpha.10", "v1.34.0-beta", "v1.34.0", "v1.34.1", "v2.0.0"]
    assert all(version(low) < version(high) for low, high in pairwise(ordered))


@pytest.mark.parametrize("text", ["", "latest", "v1", "v1.34-rc.1", "v1.34.1.2", "v01.2.3", None, 1.34])
def test_what_is_no_version_is_none(text: object) -> None:
    assert Version.parse(text) is None


def test_a_missing_v_the_build_and_a_patch_of_zero_change_nothing() -> None:
    assert version("v1.34") == version("v1.34.0")
    assert version("1.34.1") == version("v1.34.1") == version("v1.34.1+rke2r2")


@pytest.mark.parametrize(
    ("before", "after", "down", "skips"),
    [
        ("v1.33.4", "v1.34.1", False, False),
        ("v1.33.4", "v1.33.9", False, False),
        ("v1.33.4", "v1.35.0", False, True),
        ("v1.33.4", "v2.0.0", False, True),
        ("v1.34.1", "v1.33.4", True, False),
        ("v1.34.1", "v1.34.0", True, False),
        ("v1.34.0", "v1.34.0-rc.1", True, False),
        ("v1.34.1+a", "v1.34.1+b", False, False),
    ],
)
def test_down_and_skip(before: str, after: str, down: bool, skips: bool) -> None:
    assert goes_down(version(before), version(after)) is down
    assert skips_minor(version(before), version(after)) is skips


@pytest.mark.parametrize(
    ("node", "above", "below"),
    [
        ("v1.35.0", True, False),
        ("v1.34.9", False, False),
        ("v1.34.1", False, False),
        ("v1.31.0", False, False),
        ("v1.30.9", False, True),
        ("v0.34.1", False, True),
    ],
)
def test_a_node_may_be_three_minors_below_its_control_plane_and_never_above(
    node: str, above: bool, below: bool
) -> None:
    plane = version("v1.34.1")
    assert (is_above(version(node), plane), is_too_far_below(version(node), plane)) == (above, below)
