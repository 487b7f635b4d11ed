"""Where a target, a fleet and a commit stand, told to the cluster and to git.

*Knows:* our own kinds, the texts of commit statuses, how an outcome becomes conditions and Events.
*Gives:* `read_target` and `write_target` (the whole FleetTarget, inventory included: an object has one owner),
    `read_fleet` and `write_fleet`, `ensure_crds`, `Contexts` with `plan_status` and `apply_statuses`, `record_event`.
*Never:* a decision. It writes nothing but our own kinds and Events, and keeps what people wrote there.
*Read first:* fleet_target.py, target_status.py, commit_texts.py, apply_texts.py.
"""

from clusterops.status.apply_texts import apply_statuses
from clusterops.status.commit_texts import plan_pending, plan_status, policy_status
from clusterops.status.conditions import Condition
from clusterops.status.crds import crd_bodies, ensure_crds
from clusterops.status.drift_texts import drift_status
from clusterops.status.events import event_body, record_event
from clusterops.status.fleet import FleetStatus, StoredFleet, TargetCounts, fleet_key, read_fleet, write_fleet
from clusterops.status.fleet_target import (
    StoredTarget,
    ensure_namespace,
    fleet_target_key,
    list_targets,
    read_target,
    update_target,
    write_target,
)
from clusterops.status.target_status import ObjectCounts, Phase, TargetStatus, status_after, status_begun
from clusterops.status.verdict_texts import Contexts

__all__ = [
    "Condition",
    "Contexts",
    "FleetStatus",
    "ObjectCounts",
    "Phase",
    "StoredFleet",
    "StoredTarget",
    "TargetCounts",
    "TargetStatus",
    "apply_statuses",
    "crd_bodies",
    "drift_status",
    "ensure_crds",
    "ensure_namespace",
    "event_body",
    "fleet_key",
    "fleet_target_key",
    "list_targets",
    "plan_pending",
    "plan_status",
    "policy_status",
    "read_fleet",
    "read_target",
    "record_event",
    "status_after",
    "status_begun",
    "update_target",
    "write_fleet",
    "write_target",
]
