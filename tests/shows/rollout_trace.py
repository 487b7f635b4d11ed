"""Records how real controllers replace the machines of six clusters, for the model of the rollout simulation.

usage: python -m tests.shows.rollout_trace [FILE]     (tests/golden/rollout_trace.jsonl; from the project's root)
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.shows.drift_watch import Place, Watch
from tests.shows.place import place
from tests.shows.rollout_audit import writes
from tests.shows.rollout_fleet import FLEET, ground, images, pace, traced
from tests.shows.rollout_machines import Machines
from tests.stage import ROOT, until
from tests.system.plain_fleet import FleetStage, staged

TRACE: Final = ROOT / "tests" / "golden" / "rollout_trace.jsonl"
WITHIN_S: Final = 900.0
PATIENT: Final = {
    "CLUSTEROPS_DAEMON_LEASE_DURATION_S": "90",
    "CLUSTEROPS_DAEMON_RENEW_DEADLINE_S": "60",
    "CLUSTEROPS_DAEMON_RENEW_EVERY_S": "5",
}
"""An API server that shares two cores with everything else may answer after ten seconds."""


def main(path: Path) -> None:
    with place("full") as (home, sandbox, tools), staged(FLEET, home, sandbox, tools) as stage:
        rows = list(recorded(stage))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} moments of {len({row['cluster'] for row in rows})} clusters")


def recorded(stage: FleetStage) -> Iterator[dict[str, Any]]:
    clusters = [site.target for site in traced()]
    wide = pace(soak="0s", maxConcurrentClusters=len(clusters), maxMachinesInFlight=100, settleTimeout="15m")
    stage.repository.create(ground(traced()) | images("2s") | wide)
    stage.started(**PATIENT)
    stage.until_verdict(stage.repository.head, within_s=WITHIN_S)
    machines, began = Machines(), time.time()
    paths = tuple(Place(kind=kind).path for kind in ("Cluster", "Machine"))
    with Watch(stage.sandbox, paths, on_seen=machines.see, keep=False) as watch:
        stage.until_verdict(stage.repository.commit(images("3s"), "images"), within_s=WITHIN_S)
        until("all at rest", lambda: machines.at_rest(clusters, for_s=8), within_s=WITHIN_S)
        watch.broken()
    assert stage.sandbox.audit_log is not None
    yield from rows(machines, begun(stage.sandbox.audit_log, clusters, began), time.time())


def begun(log: Path, clusters: list[str], since: float) -> dict[str, float]:
    """When each cluster was written to first."""
    return {each.cluster: each.at for each in reversed(writes(log, clusters, since=since))}


def rows(machines: Machines, begun: dict[str, float], until: float) -> Iterator[dict[str, Any]]:
    """In the form of tests/rollout_simulation/machines.py, by cluster and time."""
    for cluster, start in sorted(begun.items()):
        settled = machines.settled_at(cluster, since=start, until=until)
        found = [(start, "", "", "begun")]
        found += [(one.at, one.role, one.pool, one.event) for one in machines.moments if one.cluster == cluster]
        if settled is not None:
            found.append((settled, "", "", "settled"))
        found = [each for each in found if each[0] >= start]
        for at, role, pool, event in sorted(found, key=lambda each: (each[0], each[3] == "settled")):
            yield {"t": round(at - start, 3), "cluster": cluster, "role": role, "pool": pool, "event": event}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TRACE)
