"""Show 22: from a webhook to the plan on the request, one changed cluster in a fleet of 200.

usage: python -m tests.shows.show_22_webhook [--clusters N] [--requests N]     (200, 11; from the project's root)

A real Gitea calls, a real API server answers. Polling is set to an hour, so nothing but webhooks starts work. Seconds
are counted from the moment when the delivery was received until Gitea's API shows the comment; renders by the daemon's
own metric, in which a render that the cache answers is told apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.gitea.fleet import PLAN, GiteaFleet
from tests.gitea.relay import Received, Relay, relaying
from tests.gitea.show import gitea_show
from tests.scale.fleet import fleet_files, overlay, overlay_path
from tests.stage import until
from tests.system.plain_fleet import http

SECRET: Final = "the-webhooks-own"
WITHIN_S: Final = 900.0
EVENTS: Final = ("push", "pull_request", "pull_request_sync", "issue_comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Seconds since the delivery, and renders that ran meanwhile."""

    what: str
    pending_s: float
    comment_s: float
    renders: float
    right: bool


@dataclass(slots=True, kw_only=True)
class Show:
    fleet: GiteaFleet
    clusters: int
    relay: Relay | None = None
    rows: list[Row] = field(default_factory=list)

    def run(self, requests: int) -> bool:
        self._bring_up()
        with relaying(f"{self.fleet.daemon.base_url}/webhooks/gitea") as self.relay:
            self.fleet.repository.hook(self.relay.url, SECRET, *EVENTS)
            for number in range(requests):
                self._measure(number)
        return self._told()

    def _bring_up(self) -> None:
        files = fleet_files(self.clusters)
        files["fleet.yaml"] += self.fleet.forge.encode()
        self.fleet.create(files)
        begun = time.monotonic()
        self.fleet.daemon.start()

        def applied() -> bool:
            self.fleet.daemon.must_run()
            return any(event["targets"] == self.clusters for event in self.fleet.daemon.events("commit applied"))

        until(f"{self.clusters} clusters applied", applied, within_s=WITHIN_S, every_s=0.5)
        print(f"{self.clusters} clusters applied in {time.monotonic() - begun:.1f} s, all polls off")

    def _measure(self, number: int) -> None:
        """A request that resizes one cluster, and another commit on it."""
        cluster, branch = number * self.clusters // 11 % self.clusters, f"resize-{number}"
        path, repository = overlay_path(cluster), self.fleet.repository

        def push(replicas: int) -> str:
            return repository.commit({path: overlay(cluster, replicas=replicas).encode()}, branch=branch)

        head = push(3)
        until(
            "the delivery of a push that is no request yet", lambda: head.encode() in self._last_body(), every_s=0.005
        )
        request = self._timed("request opened", lambda: (repository.propose(branch), head))
        self._timed("commit pushed to it", lambda: (request, push(4)))

    def _timed(self, what: str, act: Callable[[], tuple[int, str]]) -> int:
        assert self.relay is not None
        since, renders = len(self.relay.received), rendered(self.fleet)
        request, head = act()
        came = until("the webhook", lambda: self._came(since), every_s=0.005)
        assert came is not None
        until("a status", lambda: PLAN in self.fleet.repository.statuses(head), within_s=WITHIN_S, every_s=0.02)
        pending_s = time.monotonic() - came.at_s
        until("the comment", lambda: self._says(request, f"Merge of {head[:7]}"), within_s=WITHIN_S, every_s=0.02)
        comment_s = time.monotonic() - came.at_s
        state = self.fleet.until_status(head, PLAN)["state"]
        row = Row(
            what=what,
            pending_s=pending_s,
            comment_s=comment_s,
            renders=rendered(self.fleet) - renders,
            right=state == "success" and len(self.fleet.comments(request)) == 1,
        )
        print(f"  {what:<20} status {pending_s:5.2f} s, comment {comment_s:5.2f} s, {row.renders:.0f} renders")
        self.rows.append(row)
        return request

    def _last_body(self) -> bytes:
        assert self.relay is not None
        return self.relay.received[-1].body if self.relay.received else b""

    def _came(self, since: int) -> Received | None:
        """The first delivery that can start the work: a push to the branch of an open request can, too."""
        assert self.relay is not None
        return next((each for each in self.relay.received[since:] if each.event in {"pull_request", "push"}), None)

    def _says(self, request: int, part: str) -> bool:
        self.fleet.daemon.must_run()
        return any(part in body for body in self.fleet.comments(request))

    def _told(self) -> bool:
        for what in dict.fromkeys(row.what for row in self.rows):
            rows = [row for row in self.rows if row.what == what]
            seconds = [row.comment_s for row in rows]
            print(
                f"{what}: webhook received -> comment posted {statistics.median(seconds):.2f} s"
                f" (median of {len(rows)}; {min(seconds):.2f} to {max(seconds):.2f}),"
                f" renders {sorted({int(row.renders) for row in rows})} of {self.clusters}"
            )
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        right = all(row.right and row.renders == 1 for row in self.rows)
        print(
            "all as it has to be" if right else "NOT as it has to be: one render, one comment, a green plan each time"
        )
        return right


def rendered(fleet: GiteaFleet) -> float:
    """Renders so far that a program did, not the cache."""
    _, text = http(fleet.daemon, "/metrics")
    lines = [line for line in text.splitlines() if line.startswith('clusterops_renders_total{how="process"}')]
    return sum(float(line.split()[-1]) for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--requests", type=int, default=11)
    asked = parser.parse_args()
    quiet = {
        "CLUSTEROPS_FORGE_POLL_S": "3600",
        "CLUSTEROPS_REPOSITORY_POLL_S": "3600",
        "CLUSTEROPS_FORGE_WEBHOOK_SECRET": SECRET,
    }
    with gitea_show("scale", "crds", environment=quiet) as fleet:
        return 0 if Show(fleet=fleet, clusters=asked.clusters).run(asked.requests) else 1


if __name__ == "__main__":
    sys.exit(main())
