"""Two clusters through create, scale, upgrade, remediation, pause and delete: is settled ever said too early?

usage: python -m tests.shows.show_10_health [--write] [--keep FILE] [--from FILE]    (about 6 minutes; project's root)

One of plain objects and one of a ClusterClass, on the real controllers with the in-memory provider. Every version of
every object is recorded, in both served versions, and our report is made of each state in the order of etcd. After
an edit nothing may be settled before its Machines are what git says; at the end it has to be; a pause is Paused.
``--write`` renews the recordings in tests/golden/health; ``--keep`` and ``--from`` save all events and judge them anew.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
import sys
from collections import Counter
from pathlib import Path

from clusterops.kube import KubeCluster
from clusterops.sandbox import Sandbox
from clusterops.settings import ClusterSettings, NetworkSettings
from clusterops.telemetry import Metrics, build_logger
from tests.shows.health_condensed import condensed, write
from tests.shows.health_fleets import Style, Wish, classed, plain
from tests.shows.health_judged import Judged, judged, seen_by, tell, tell_rules
from tests.shows.health_phases import CLOCK, Phase, Play, namespaced
from tests.shows.health_watch import Event, Recorder
from tests.shows.place import place

STYLES: dict[str, Style] = {"plain": plain, "class": classed}
GOLDEN = Path(__file__).parents[1] / "golden" / "health"
Recording = tuple[list[Phase], list[Event]]


async def record(sandbox: Sandbox) -> dict[str, Recording]:
    logger, metrics = build_logger(level="error"), Metrics()
    settings = ClusterSettings(kubeconfig=sandbox.kubeconfig)
    async with KubeCluster.connect(settings, NetworkSettings(), logger=logger, metrics=metrics, clock=CLOCK) as api:
        found = await asyncio.gather(*(played(api, sandbox, name, style) for name, style in STYLES.items()))
    return dict(zip(STYLES, found, strict=True))


async def played(api: KubeCluster, sandbox: Sandbox, name: str, style: Style) -> Recording:
    wish = Wish(namespace=f"health-{name}")
    await api.apply(namespaced(wish.namespace))
    async with Recorder(sandbox, wish.namespace) as recorder:
        play = Play(style=style, cluster=api, recorder=recorder, wish=wish)
        await play.all()
        return play.phases, recorder.events


def main() -> bool:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--from", type=Path, dest="kept")
    asked = parser.parse_args()
    if asked.kept:
        recordings = pickle.loads(asked.kept.read_bytes())
    else:
        with place("full") as (_, sandbox, _):
            recordings = asyncio.run(record(sandbox))
    if asked.keep:
        asked.keep.write_bytes(pickle.dumps(recordings))
    if asked.write:
        asyncio.run(renew(recordings))
    told = [
        asyncio.run(judged(f"{name}, {version}", phases, events, seen))
        for name, (phases, events) in recordings.items()
        for version, seen in seen_by(events).items()
    ]
    return conclude(told)


async def renew(recordings: dict[str, Recording]) -> None:
    for name, version in (("plain", "v1beta2"), ("plain", "v1beta1"), ("class", "v1beta2")):
        phases, events = recordings[name]
        seen, path = seen_by(events), GOLDEN / f"{name}-{version}.json"
        write(path, await condensed(phases, seen["v1beta2"], seen[version]))
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


def conclude(told: list[Judged]) -> bool:
    for one in told:
        tell(one)
    rules = Counter[str]()
    alone = Counter[str]()
    for one in told:
        rules += one.said_no
        alone += one.alone
    silent = tell_rules(rules, alone)
    wrong = [line for one in told for line in one.wrong]
    for line in wrong:
        print(f"WRONG: {line}")
    print("all as it has to be" if not wrong and not silent else "NOT as it has to be")
    return not wrong and not silent


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
