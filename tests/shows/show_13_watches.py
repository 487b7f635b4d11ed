"""Takes the API server away during a sync, and harms every watch of a daemon: what is held, told and written then.

usage: python -m tests.shows.show_13_watches      (about four minutes; from the project's root)

Fifty clusters of seven objects: the API server is killed in the middle of the first sync, and again in the middle of a
commit that resizes all of them. Then sixty ConfigMaps that git and people change, behind a proxy that cuts watches at
any byte, ends them in the middle of a line, silences them, and says 410 in mid-stream.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clusterops.cli.tools import toolchain_settings
from clusterops.sandbox import Held, Sandbox, Spec, held, tools_for
from clusterops.toolchain import Silent, ensure
from tests.conftest import Background
from tests.cutting_api import cutting_api
from tests.scale.fleet import fleet_files, overlay, overlay_path
from tests.stage import Audit, folder, until
from tests.system.harmed_fleet import cached, harmed_rounds, restarts, written
from tests.system.plain_fleet import FleetStage, staged

CLUSTERS = 50
REGIONS = 5
KINDS = (
    "cluster.x-k8s.io/v1beta2/machinedeployments",
    "cluster.x-k8s.io/v1beta2/clusters",
    "infrastructure.cluster.x-k8s.io/v1beta2/devclusters",
    "infrastructure.cluster.x-k8s.io/v1beta2/devmachinetemplates",
    "controlplane.cluster.x-k8s.io/v1beta2/kubeadmcontrolplanes",
    "bootstrap.cluster.x-k8s.io/v1beta2/kubeadmconfigtemplates",
)
AWAY_S = 4.0


def main() -> bool:
    background = Background()
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(folder("show"))
        stack.callback(background.close)
        tools = background.run(ensure([*tools_for("crds"), "kustomize", "helm"], toolchain_settings(), Silent()))
        with _held(home, tools, background) as holder:
            killed = kill_the_server(home, holder, tools, background)
            harmed = harm_the_watches(home, holder.sandbox, tools, background)
    print("all as it has to be" if killed and harmed else "NOT as it has to be")
    return killed and harmed


def kill_the_server(home: Path, holder: Held, tools: dict[str, Path], background: Background) -> bool:
    print(
        f"\n== The API server is killed in the middle of a sync of {CLUSTERS} clusters, and back {AWAY_S:.0f} s later"
    )
    with staged("scale", home, holder.sandbox, tools) as stage:
        head = stage.repository.create(fleet_files(CLUSTERS, regions=REGIONS))
        audit = stage.audit()
        daemon = stage.started(CLUSTEROPS_DAEMON_LEASE_DURATION_S="900", CLUSTEROPS_DAEMON_RENEW_DEADLINE_S="600")
        until("a third", lambda: sum(_written(audit).values()) > CLUSTERS * 7 / 3)
        _restart(holder, background)
        seconds = _until_applied(stage, head)
        first = _written(audit)
        until("the cache", lambda: cached(daemon) >= CLUSTERS * 7)
        print(f"first sync: applied {seconds:.1f} s after it was back; {_figures(first)}")
        whole = Counter(_generations(stage, *KINDS)) == {1: CLUSTERS * 7} and max(first.values()) == 1

        audit = stage.audit()
        files = {overlay_path(n, regions=REGIONS): overlay(n, replicas=4).encode() for n in range(CLUSTERS)}
        head = stage.repository.commit(files, "all to 4")
        until("a third", lambda: len(_written(audit)) > CLUSTERS / 3)
        _restart(holder, background)
        seconds = _until_applied(stage, head)
        second = _written(audit)
        print(f"resized:    applied {seconds:.1f} s after it was back; {_figures(second)}")
        resized = Counter(_generations(stage, KINDS[0])) == {2: CLUSTERS} and max(second.values()) == 1
        until("the cache", lambda: cached(daemon) == CLUSTERS * 7)
        print(f"the cache holds {cached(daemon):.0f} objects after {restarts(daemon):.0f} ended watches")
        for wrong, words in ((not whole, "first sync"), (not resized, "resize"), (_traces(stage), "a traceback")):
            if wrong:
                print(f"WRONG: {words}")
        return whole and resized and not _traces(stage)


def harm_the_watches(home: Path, sandbox: Sandbox, tools: dict[str, Path], background: Background) -> bool:
    print("\n== Every watch is cut, ended, silenced or expired after some bytes, while git and people write")
    stack = contextlib.AsyncExitStack()
    proxy = background.run(stack.enter_async_context(cutting_api(sandbox)))
    try:
        with staged("harmed", home, sandbox, tools) as stage:
            audit = stage.audit()
            playing, harming, seconds = harmed_rounds(stage, proxy, targets=60, rounds=5)
            counts = written(audit, "configmaps", stage.name)
            print(f"harms done: {dict(harming.done)}; {restarts(stage.daemons[-1]):.0f} watches of the cache ended")
            missing, extra = playing.expected - counts, counts - playing.expected
            print(f"{counts.total()} writes of {len(counts)} objects in {seconds:.0f} s")
            print(f"{playing.expected.total()} were to be made: {extra.total()} too many, {missing.total()} missing")
            print(f"the cache holds {cached(stage.daemons[-1], 'ConfigMap'):.0f} of 60, all as git says")
            return counts == playing.expected and not _traces(stage)
    finally:
        background.run(stack.aclose())


def _restart(holder: Held, background: Background) -> None:
    background.run(holder.stop_process("kube-apiserver", kill=True))
    time.sleep(AWAY_S)
    background.run(holder.start_process("kube-apiserver"))


def _until_applied(stage: FleetStage, head: str) -> float:
    begun = time.monotonic()

    def probe() -> bool:
        stage.daemons[-1].must_run()
        events = stage.daemons[-1].events("commit applied")
        return any(event["commit"] == head[:7] and event["targets"] == CLUSTERS for event in events)

    until("applied", probe, within_s=300)
    return time.monotonic() - begun


def _written(audit: Audit) -> Counter[str]:
    counts: Counter[str] = Counter()
    for kind in KINDS:
        resource = kind.rpartition("/")[2]
        for name, count in written(audit, resource, "r").items():
            counts[f"{resource}/{name}"] += count
    return counts


def _generations(stage: FleetStage, *kinds: str) -> Iterator[int]:
    """How often each object's content was written."""
    return (int(item["metadata"]["generation"]) for kind in kinds for item in stage.api.items(f"/apis/{kind}"))


def _figures(counts: Counter[str]) -> str:
    """A server that is killed takes the last lines of its log along."""
    again = sum(count > 1 for count in counts.values())
    return f"the log has {counts.total()} writes of {len(counts)} objects, {again} of them more than once"


def _traces(stage: FleetStage) -> bool:
    return any("Traceback" in daemon.log.read_text() for daemon in stage.daemons)


@contextlib.contextmanager
def _held(home: Path, tools: dict[str, Path], background: Background) -> Iterator[Held]:
    spec = Spec(
        name="show",
        mode="crds",
        directory=home / "sandbox",
        tools={name: tools[name] for name in tools_for("crds")},
        audit_log=home / "audit.log",
    )
    stack = contextlib.AsyncExitStack()
    try:
        yield background.run(stack.enter_async_context(held(spec)))
    finally:
        background.run(stack.aclose())


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
