"""The hall: builds doors, controller and web from Settings. No logic lives here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from clusterops.controller.board import Board
from clusterops.controller.by_hand import Asked, apply_by_hand, gone_targets, plan_by_hand
from clusterops.controller.clock import SystemClock, Ticks
from clusterops.controller.daemon import Daemon
from clusterops.controller.drift_by_hand import drift_by_hand
from clusterops.controller.drift_reports import form_of
from clusterops.controller.forges import Forges
from clusterops.controller.key_watch import KeyWatch
from clusterops.controller.lease import FleetLease, Gate
from clusterops.controller.preview import Previewer
from clusterops.controller.records import Records
from clusterops.controller.verdicts import Verdicts
from clusterops.controller.wishes import Wishes
from clusterops.controller.work import Doors
from clusterops.forge import Tokens, WebhookSecrets, open_forge
from clusterops.kube import CachedCluster, KubeCluster
from clusterops.model.drift import DriftReport
from clusterops.model.fleet import Fleet, Target
from clusterops.model.report import Outcome
from clusterops.ports import Cluster, Renderer
from clusterops.render import ProcessRenderer, trace
from clusterops.settings import RenderSettings, Settings
from clusterops.source.fleet.reader import FleetReader
from clusterops.source.git.repository import GitRepository
from clusterops.telemetry import Logger, Metrics, build_logger
from clusterops.web import Deliveries, Webhooks, serve

HEALTH_TICK_S = 0.5
"""Targets that wait for health look at the cluster together, this often at most."""
QUIET: Final = "critical"
"""By hand, all that a log would say stands in the outcome, and people read that."""


@asynccontextmanager
async def build_renderer(
    settings: RenderSettings, *, logger: Logger | None = None, metrics: Metrics | None = None
) -> AsyncIterator[ProcessRenderer]:
    """``settings`` names both programs."""
    renderer = ProcessRenderer(settings, logger or build_logger(level=QUIET), metrics or Metrics())
    try:
        yield renderer
    finally:
        await renderer.close()


@asynccontextmanager
async def open_cluster(
    settings: Settings, *, logger: Logger, metrics: Metrics
) -> AsyncIterator[tuple[KubeCluster, Gate]]:
    clock = SystemClock()
    gate = Gate(clock=clock, namespace=settings.daemon.namespace)
    async with _connect(settings, logger=logger, metrics=metrics, gate=gate) as cluster:
        yield cluster, gate


def _connect(settings: Settings, *, logger: Logger, metrics: Metrics, gate: Gate | None) -> KubeCluster:
    return KubeCluster.connect(
        settings.cluster, settings.network, logger=logger, metrics=metrics, clock=SystemClock(), gate=gate
    )


def build_doors(settings: Settings, cluster: Cluster, renderer: Renderer, *, logger: Logger, metrics: Metrics) -> Doors:
    clock = SystemClock()
    return Doors(
        renderer=renderer,
        cluster=cluster,
        records=Records(
            cluster=cluster, clock=clock, namespace=settings.daemon.namespace, identity=settings.daemon.identity
        ),
        clock=clock,
        ticks=Ticks(clock, HEALTH_TICK_S),
        logger=logger,
        metrics=metrics,
        slots=asyncio.Semaphore(settings.daemon.workers),
    )


async def run_daemon(settings: Settings, logger: Logger, stop: asyncio.Event) -> None:
    """Runs until ``stop``; ``settings.render`` names both programs. Raises what ends a daemon."""
    if settings.drift.report_file is not None:
        form_of(settings.drift.report_file)
    metrics = Metrics()
    async with (
        build_renderer(settings.render, logger=logger, metrics=metrics) as renderer,
        open_cluster(settings, logger=logger, metrics=metrics) as (plain, gate),
        CachedCluster(plain, logger=logger, metrics=metrics, clock=SystemClock()) as cluster,
    ):
        clock = SystemClock()
        repository = GitRepository(
            settings.repository, settings.network, settings.cache_dir / "mirrors", logger, clock=clock
        )
        board = Board(repository=repository, clock=clock, management=settings.daemon.management)
        doors = build_doors(settings, cluster, renderer, logger=logger, metrics=metrics)
        daemon = Daemon(
            repository=repository,
            doors=doors,
            reader=FleetReader(),
            verdicts=Verdicts(
                board=board, clock=clock, logger=logger, management=settings.daemon.management, metrics=metrics
            ),
            board=board,
            gate=gate,
            settings=settings.daemon,
            drift=settings.drift,
            cache=cluster,
            key_watch=KeyWatch(
                keys=renderer.keys,
                cluster=cluster,
                clock=clock,
                logger=logger,
                namespace=settings.daemon.namespace,
            ),
        )
        tokens = Tokens(settings=settings.forge, clock=clock, cluster=cluster, namespace=settings.daemon.namespace)
        daemon.forges = Forges(
            open=lambda file: open_forge(
                file, settings.forge, settings.network, clock=clock, logger=logger, tokens=tokens
            ),
            board=board,
            previewer=Previewer(
                repository=repository,
                reader=FleetReader(),
                doors=doors,
                management=settings.daemon.management,
                memories=lambda: daemon.memories,
                trace=partial(trace, renderer),
            ),
            base=lambda: daemon.base,
            branch=settings.repository.branch,
            poll_s=settings.forge.poll_s,
            look_now=daemon.look_now,
            watched=lambda: daemon.drifting is not None,
        )
        listen = settings.daemon.listen_host, settings.daemon.listen_port
        webhooks = Webhooks(
            listener=daemon.forges,
            secrets=WebhookSecrets(settings=settings.forge, clock=clock, logger=logger).valid,
            deliveries=Deliveries(pass_on=daemon.forges.called, clock=clock),
            clock=clock,
            metrics=metrics,
        )
        async with serve(daemon, metrics.registry, *listen, intake=webhooks) as port:
            logger.info("started", repository=repository.url, port=port, identity=settings.daemon.identity)
            await daemon.run(stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """The sentence by hand, on one management cluster."""

    settings: Settings
    doors: Doors
    gate: Gate
    wishes: Wishes

    async def gone(self, fleet: Fleet) -> dict[str, Target]:
        """Targets that are recorded here and no longer in git, by name."""
        return await gone_targets(fleet, self.doors)

    async def plan(self, asked: Asked) -> dict[str, Outcome]:
        return await plan_by_hand(asked, self.doors)

    async def drift(self, asked: Asked) -> DriftReport:
        """Of the asked targets, in sync or not; reads only."""
        return await drift_by_hand(asked, self.doors)

    async def apply(self, asked: Asked) -> dict[str, Outcome]:
        """Under the Lease of the fleet."""
        lease = FleetLease(
            fleet=asked.fleet.file.name,
            cluster=self.doors.cluster,
            gate=self.gate,
            clock=self.doors.clock,
            settings=self.settings.daemon,
        )
        return await apply_by_hand(asked, self.doors, lease, self.settings.daemon)


@asynccontextmanager
async def open_hands(settings: Settings) -> AsyncIterator[Hands]:
    """Connects lazily: what cannot be reached is an error of the first request."""
    logger, metrics = build_logger(level=QUIET), Metrics()
    async with (
        build_renderer(settings.render, logger=logger, metrics=metrics) as renderer,
        open_cluster(settings, logger=logger, metrics=metrics) as (cluster, gate),
        _connect(settings, logger=logger, metrics=metrics, gate=None) as unfenced,
    ):
        doors = build_doors(settings, cluster, renderer, logger=logger, metrics=metrics)
        yield Hands(
            settings=settings,
            doors=doors,
            gate=gate,
            # A wish is meant for whoever holds the Lease, so it must not need the Lease.
            wishes=Wishes(cluster=unfenced, clock=doors.clock, namespace=settings.daemon.namespace),
        )
