"""Logs and metrics: a bound logger, and a registry that is passed down, never global."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Logger = structlog.stdlib.BoundLogger


def build_logger(
    *, level: str = "info", json: bool = False, stream: TextIO | None = None
) -> structlog.stdlib.BoundLogger:
    """A logger that writes one event a line to ``stream`` (stderr): key=value, or JSON."""
    out = stream or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    return structlog.wrap_logger(  # type: ignore[no-any-return]
        structlog.WriteLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    )


class Metrics:
    """What /metrics shows. One instance per process, made by the wiring."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.renders = Counter("clusterops_renders_total", "Renders by how they ended", ["how"], registry=self.registry)
        self.api_requests = Counter(
            "clusterops_api_requests_total", "Requests to the API server", ["verb", "code"], registry=self.registry
        )
        self.outcomes = Counter(
            "clusterops_outcomes_total",
            "Passes over a target by stage and code",
            ["stage", "code"],
            registry=self.registry,
        )
        self.pass_seconds = Histogram(
            "clusterops_pass_seconds",
            "Seconds of one pass over a target, waiting for health not counted",
            registry=self.registry,
        )
        self.queue_depth = Gauge("clusterops_queue_depth", "Targets waiting for a pass", registry=self.registry)
        self.targets = Gauge("clusterops_targets", "Targets by state", ["state"], registry=self.registry)
        self.drift_objects = Gauge(
            "clusterops_drift_objects",
            "Objects that depart from git, by whose hand",
            ["region", "class"],
            registry=self.registry,
        )
        self.drift_ignored = Gauge(
            "clusterops_drift_ignored", "Drifted fields that a rule takes out", ["region"], registry=self.registry
        )
        self.drift_heals = Counter(
            "clusterops_drift_heals_total", "Drifted objects put back", ["region"], registry=self.registry
        )
        self.seconds_since_in_sync = Gauge(
            "clusterops_seconds_since_in_sync",
            "Since when a target of the region departs from git; 0 when none does",
            ["region"],
            registry=self.registry,
        )
        self.rollout_targets = Gauge(
            "clusterops_rollout_targets",
            "Targets of commits that go through the fleet in steps, by state",
            ["state"],
            registry=self.registry,
        )
        self.rollout_machines_in_flight = Gauge(
            "clusterops_rollout_machines_in_flight",
            "Machines on their way while a commit goes in steps, whoever moves them",
            registry=self.registry,
        )
        self.rollout_halted = Gauge(
            "clusterops_rollout_halted", "Commits that a failure has stopped", registry=self.registry
        )
        self.rollout_decision_seconds = Histogram(
            "clusterops_rollout_decision_seconds",
            "Seconds of deciding which clusters may begin",
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
        )
        self.leader = Gauge("clusterops_leader", "1 while this process holds the Lease", registry=self.registry)
        self.commit_seconds = Histogram(
            "clusterops_commit_seconds",
            "Seconds from seeing a commit to its last apply",
            registry=self.registry,
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
        )
        self.webhook_deliveries = Counter(
            "clusterops_webhook_deliveries_total",
            "Webhook deliveries by forge and what became of them",
            ["kind", "result"],
            registry=self.registry,
        )
        self.previews = Counter("clusterops_previews_total", "Plans made for requests", registry=self.registry)
        self.forge_errors = Counter(
            "clusterops_forge_errors_total",
            "What could not be read from, or written to, a forge, and is tried again",
            ["code"],
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            "clusterops_watch_restarts_total",
            "Watches of the live cache that ended, by kind and why",
            ["kind", "why"],
            registry=self.registry,
        )
        self.cached_objects = Gauge(
            "clusterops_cached_objects", "Objects that the live cache holds", ["kind"], registry=self.registry
        )
