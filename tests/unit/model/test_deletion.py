"""How far a deletion is, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clusterops.capi.deletion import finalizer_owner, is_known
from clusterops.model.deletion import Deletion, Step, Stuck, gone_text
from clusterops.model.key import ObjectKey

NOW = datetime(2026, 11, 21, 14, 27, 12, tzinfo=UTC)
CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="fra1", name="search")
INFRA = ObjectKey(group="infrastructure.cluster.x-k8s.io", kind="OpenStackCluster", namespace="fra1", name="search")
FINALIZER = "openstackcluster.infrastructure.cluster.x-k8s.io"


def test_machines_are_counted_from_the_most_there_were() -> None:
    workers = Deletion(step=Step.WORKERS, subject=CLUSTER, machines=2, reason="WaitingForWorkersDeletion")
    assert workers.text(NOW, most=4) == "waits for workers, 2 of 4 machines gone (WaitingForWorkersDeletion)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (20, "waits for infrastructure, OpenStackCluster fra1/search"),
        (130, f"waits for infrastructure, OpenStackCluster fra1/search: finalizer {FINALIZER} of {{}}, for 2m"),
        (5400, f"waits for infrastructure, OpenStackCluster fra1/search: finalizer {FINALIZER} of {{}}, for 1h30m"),
    ],
)
def test_a_finalizer_is_told_of_with_its_owner_once_it_takes_long(seconds: int, text: str) -> None:
    owner = finalizer_owner(FINALIZER, INFRA)
    stuck = Stuck(key=INFRA, finalizer=FINALIZER, owner=owner, since=NOW - timedelta(seconds=seconds))
    assert Deletion(step=Step.INFRASTRUCTURE, subject=CLUSTER, stuck=stuck).text(NOW) == text.format(owner)


def test_a_finalizer_of_nobody_that_is_known_is_told_of_at_once() -> None:
    stuck = Stuck(key=INFRA, finalizer="example.org/x", owner="whoever serves example.org", known=False, since=NOW)
    text = Deletion(step=Step.WORKERS, subject=CLUSTER, stuck=stuck).text(NOW)
    assert text.endswith("finalizer example.org/x of whoever serves example.org")


@pytest.mark.parametrize(
    ("finalizer", "owner", "known"),
    [
        (FINALIZER, "the OpenStack infrastructure provider", True),
        ("machine.cluster.x-k8s.io", "Cluster API's core controller", True),
        ("cluster.x-k8s.io/machinedeployment", "Cluster API's core controller", True),
        ("kubeadm.controlplane.cluster.x-k8s.io", "the kubeadm control-plane provider", True),
        ("foregroundDeletion", "Kubernetes' garbage collector, which waits for what the object owns", True),
        ("example.org/forgotten", "whoever serves example.org", False),
        ("mine", "the controller that set mine", False),
    ],
)
def test_whose_finalizer_it_is(finalizer: str, owner: str, known: bool) -> None:
    assert (finalizer_owner(finalizer, INFRA), is_known(finalizer, INFRA)) == (owner, known)


def test_the_end_says_what_was_removed_and_which_key_is_spent() -> None:
    keys = [ObjectKey(group=INFRA.group, kind="OpenStackMachineTemplate", namespace="fra1", name=name) for name in "ab"]
    secret = ObjectKey(group="", kind="Secret", namespace="fra1", name="search-cloud-config")
    assert gone_text([CLUSTER, *keys, secret], ["deletions/search.yaml"]) == (
        "gone. 2 templates deleted, then Secret search-cloud-config. Key spent: remove deletions/search.yaml"
    )
    assert gone_text([CLUSTER], []) == "gone"
