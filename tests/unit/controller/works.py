"""Commits of pretended targets, for tests of what is between passes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from clusterops.controller.commits import Commit
from clusterops.controller.work import Work
from clusterops.model.fleet import Fleet, FleetFile, Mode, PlainRecipe, Target
from clusterops.model.report import Outcome, Stage
from clusterops.model.revision import Revision, Snapshot

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def revision(digit: str) -> Revision:
    """Its commit id is forty times the digit."""
    return Revision(repository="fleet", branch="main", commit=digit * 40, committed_at=NOW)


def target(name: str, mode: Mode = Mode.APPLY) -> Target:
    region, _, cluster = name.partition("/")
    return Target(
        name=name,
        fleet="platform",
        region=None,
        cluster=cluster,
        namespace=region,
        mode=mode,
        recipe=PlainRecipe(files=()),
    )


def fleet(*targets: Target) -> Fleet:
    return Fleet(file=FleetFile(name="platform", mode=Mode.APPLY), targets={each.name: each for each in targets})


def work(each: Target, of: Revision, inputs: str = "tree") -> Work:
    snapshot = Snapshot(revision=of, files={}, reader=cast(Any, None))
    return Work(target=each, snapshot=snapshot, commit=of.commit, inputs=inputs, settle_timeout_s=60.0)


def commit(digit: str, *targets: Target | str) -> Commit:
    of = revision(digit)
    found = [target(each) if isinstance(each, str) else each for each in targets]
    return Commit(
        revision=of,
        fleet=fleet(*found),
        works={each.name: work(each, of) for each in found},
        owners=dict,
        seen_at=NOW,
        fleet_size=len(found),
    )


def draft(name: str, **parts: Any) -> Outcome:
    return Outcome(**{"target": name, "revision": "main@1111111", "stage": Stage.PLAN, **parts})
