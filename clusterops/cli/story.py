"""What the demo tells while a commit goes its way: its statuses, its targets and their machines, as they change."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from clusterops.app import open_hands
from clusterops.cli.environment import read_settings
from clusterops.cli.screen import say
from clusterops.cli.tools import in_words
from clusterops.errors import TerminalError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.document import load_document
from clusterops.model.live import LiveObject
from clusterops.ports import Cluster
from clusterops.source.git.repository import GitRepository

PATIENCE_S: Final = 300.0
"""For one commit. A cluster of the in-memory provider takes 40 s on two cores."""
LOOK_S: Final = 0.5
CAPI: Final = "cluster.x-k8s.io"
INDENT: Final = " " * 14


@dataclass(slots=True)
class Told:
    """How the demo went."""

    build_s: float = 0.0
    as_expected: bool = True


@dataclass(slots=True, kw_only=True)
class Story:
    """Follows commits from outside, by what anyone could read: git notes and the management cluster."""

    repository: Path
    kubeconfig: Path
    home: Path
    told: Told
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _cluster: Cluster | None = None
    _git: GitRepository | None = None

    @property
    def server(self) -> str:
        config = load_document(self.kubeconfig.read_bytes(), str(self.kubeconfig)).value
        return str(config["clusters"][0]["cluster"]["server"])

    async def __aenter__(self) -> Self:
        settings = read_settings(
            overrides={"repository.url": str(self.repository), "cluster.kubeconfig": str(self.kubeconfig)},
            environ={"HOME": str(self.home), "CLUSTEROPS_CACHE_DIR": str(self.home / "looking")},
        )
        hands = await self._stack.enter_async_context(open_hands(settings))
        self._cluster = hands.doors.cluster
        self._git = GitRepository(
            settings.repository, settings.network, settings.cache_dir, hands.doors.logger, clock=hands.doors.clock
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def settles(self, step: int, commit: str, subject: str) -> None:
        """Tells until the commit's apply verdict is there; it should be success."""
        begun, machines = time.monotonic(), await self._machines()
        planned = await self._status(commit, "clusterops/plan", begun)
        available = await self._untouched(commit) | {name for name, _ in await self._available()}
        say(f'{step}/6 commit {commit[:7]} "{subject}"'.ljust(47) + f"clusterops/plan {planned.state} · {planned.text}")
        while True:
            await self._tell_clusters(available, begun)
            verdict = await self._find(commit, "clusterops/apply")
            if verdict is not None and verdict.state is not State.PENDING:
                break
            self._patience(begun, f"commit {commit[:7]}")
            await asyncio.sleep(LOOK_S)
        await self._tell_clusters(available, begun)
        await self._tell_machines(machines)
        say(f"{INDENT}clusterops/apply {verdict.state}: {verdict.text}")
        self.told.as_expected &= verdict.state is State.SUCCESS

    async def is_refused(self, step: int, commit: str, subject: str, target: str) -> None:
        """Tells the red verdict and that every machine is as before."""
        before = await self._machines()
        planned = await self._status(commit, "clusterops/plan", time.monotonic())
        after = await self._machines()
        same = sum(after.get(name) == uid for name, uid in before.items() if name.startswith(f"{target}-"))
        of = sum(name.startswith(f"{target}-") for name in before)
        say(
            f'{step}/6 commit {commit[:7]} "{subject}"'.ljust(47)
            + f"clusterops/plan {planned.state} · nothing applied, {same} of {of} machines of {target} as before"
        )
        say(f"{INDENT}{planned.text}")
        self.told.as_expected &= planned.state is State.FAILURE and same == of > 0

    async def _untouched(self, commit: str) -> set[str]:
        """Clusters that another commit is the last of: there is nothing to tell of them."""
        assert self._cluster is not None
        found = await self._cluster.list_objects("clusterops.io", "FleetTarget")
        others = [live for live in found if not str(live.body["status"]["observedRevision"]).endswith(commit[:7])]
        return {f"{live.key.namespace}/{live.key.name}" for live in others}

    async def _tell_clusters(self, available: set[str], begun: float) -> None:
        for name, live in await self._available():
            if name not in available:
                available.add(name)
                status: dict[str, Any] = dict(live.body.get("status") or {})
                workers = (status.get("workers") or {}).get("replicas", 0)
                control_plane = (status.get("controlPlane") or {}).get("replicas", 0)
                say(
                    f"{INDENT}{name:<13} {control_plane} control-plane and {workers} worker machines"
                    f"    Available after {time.monotonic() - begun:.0f} s"
                )

    async def _available(self) -> list[tuple[str, LiveObject]]:
        assert self._cluster is not None
        found = await self._cluster.list_objects(CAPI, "Cluster")
        ready = [live for live in found if _is(live, "Available") and not _is(live, "RollingOut")]
        return [(f"{live.key.namespace}/{live.key.name}", live) for live in ready]

    async def _tell_machines(self, before: dict[str, str]) -> None:
        after = await self._machines()
        added = sorted(after.keys() - before.keys())
        gone = sorted(before.keys() - after.keys())
        if before and (added or gone):
            names = " · ".join(name.partition("/")[2] for name in added) or "none"
            say(f"{INDENT}machines {len(before)} -> {len(after)}: added {names}; removed {len(gone)}")

    async def _machines(self) -> dict[str, str]:
        assert self._cluster is not None
        found = await self._cluster.list_objects(CAPI, "Machine")
        return {f"{live.key.namespace}/{live.key.name}": live.uid for live in found}

    async def _status(self, commit: str, context: str, begun: float) -> CommitStatus:
        """The first verdict of a context that is not pending."""
        while True:
            status = await self._find(commit, context)
            if status is not None and status.state is not State.PENDING:
                return status
            self._patience(begun, context)
            await asyncio.sleep(LOOK_S)

    async def _find(self, commit: str, context: str) -> CommitStatus | None:
        assert self._git is not None
        await self._git.fetch()
        return next((status for status in await self._git.read_statuses(commit) if status.context == context), None)

    def _patience(self, begun: float, what: str) -> None:
        if time.monotonic() - begun > PATIENCE_S:
            raise TerminalError(
                "demo-stuck",
                what,
                f"no verdict after {in_words(PATIENCE_S)}",
                hint=f"the daemon's log says why: {self.kubeconfig.parent / 'logs' / 'clusterops.log'}",
            )


def _is(live: LiveObject, kind: str) -> bool:
    conditions = (live.body.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)
