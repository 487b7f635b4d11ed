"""What is halted on a fleet, and waits for a person's word."""

from __future__ import annotations

from clusterops.controller.history import REWRITTEN
from clusterops.model.rollout import Halt
from clusterops.status import StoredFleet
from clusterops.status.rollout_body import rollouts_of


def rewritten(stored: StoredFleet) -> str:
    """The full id of the head that is not taken, since history was rewritten; "" where none is."""
    halted = stored.status.halted
    return halted.revision if halted is not None and halted.code == REWRITTEN else ""


def halted_rollouts(stored: StoredFleet) -> tuple[Halt, ...]:
    """One of each revision: what is recorded comes first, then what is only told of."""
    found: dict[str, Halt] = {}
    for halt in (stored.status.halted, *(one.halted for one in rollouts_of(stored.status.rollouts))):
        if halt is not None and halt.code != REWRITTEN:
            found.setdefault(halt.revision, halt)
    return tuple(found.values())
