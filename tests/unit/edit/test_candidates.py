"""Guesses at the value that makes a field what it is live; each is tried before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from clusterops.edit.candidates import Candidate, candidates
from clusterops.model.document import Pointer

VALUES: dict[str, Any] = {
    "version": "v1.34.1",
    "sizes": {"small": "m1.small", "medium": "m1.medium", "large": "m1.large"},
    "poolDefaults": {"size": "medium", "drainTimeout": "10m"},
    "pools": {"general": {"replicas": 2}, "batch": {"size": "medium"}},
    "network": {"pods": ["10.244.0.0/16"]},
    "port": "6443",
    "count": 3,
}


def guesses(cause: Pointer, git: Any, live: Any) -> list[tuple[str, Any]]:
    return [(".".join(map(str, one.pointer)), one.value) for one in candidates(cause, git, live, VALUES)]


@pytest.mark.parametrize(
    ("cause", "git", "live", "expected"),
    [
        (("pools", "general", "replicas"), 2, 5, [("pools.general.replicas", 5)]),
        (("version",), "ubuntu-v1.34.1-x", "ubuntu-v1.34.2-x", [("version", "v1.34.2")]),
        (("version",), "ubuntu-v1.34.1-x", "debian-v1.34.2-x", []),
        (("port",), 6443, 8443, [("port", "8443")]),
        (("count",), "3", "4", [("count", 4)]),
        (("network", "pods", 0), "10.244.0.0/16", "10.0.0.0/8", [("network.pods", ["10.0.0.0/8"])]),
    ],
)
def test_the_value_that_makes_the_field(cause: Pointer, git: Any, live: Any, expected: list[tuple[str, Any]]) -> None:
    assert guesses(cause, git, live) == expected


def test_a_pools_own_key_comes_before_the_default_of_all_pools() -> None:
    found = guesses(("poolDefaults", "drainTimeout"), 600, 1200)
    assert [each for each in found if each[1] == "20m"] == [
        ("pools.general.drainTimeout", "20m"),
        ("pools.batch.drainTimeout", "20m"),
        ("poolDefaults.drainTimeout", "20m"),
    ]


def test_another_name_comes_before_another_meaning() -> None:
    found = guesses(("sizes", "medium"), "m1.medium", "m1.large")
    assert found == [
        ("pools.general.size", "large"),
        ("pools.batch.size", "large"),
        ("poolDefaults.size", "large"),
        ("sizes.medium", "m1.large"),
    ]


def test_what_cannot_be_guessed_is_not() -> None:
    assert candidates(("count",), {"a": 1}, {"a": 2}, VALUES) == ()
    assert candidates(("gone",), 1, 2, VALUES) == ()
    assert candidates(("count",), 3, 3.5, VALUES) == (Candidate(pointer=("count",), value=3.5),)
