"""`clusterops delete`: both keys of a deletion, for a person to commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from clusterops.app import Hands, open_hands
from clusterops.capi.kinds import CORE, is_cluster
from clusterops.cli import landing, options
from clusterops.cli.checking import check
from clusterops.cli.landing import Landed, Where, land, open_desk, say_landed
from clusterops.cli.locally import LocalFleet, full_name, refuse_elsewhere
from clusterops.cli.screen import Output, OutputOption, busy, explained, run
from clusterops.cli.work import settings_of
from clusterops.edit import Draft, draft_deletion
from clusterops.edit.deletions import key_path
from clusterops.errors import RefusedError, TerminalError
from clusterops.model.deletion import DeletionKey
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.plan.phrases import counted
from clusterops.settings import Settings
from clusterops.status import StoredTarget


def register(app: typer.Typer) -> None:
    app.command()(delete)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """The live Cluster of a target."""

    target: str
    cluster: LiveObject

    @property
    def machines(self) -> int:
        status = self.cluster.body.get("status") or {}
        return sum(int((status.get(part) or {}).get("replicas") or 0) for part in ("controlPlane", "workers"))


def delete(
    target: options.OneTarget,
    reason: Annotated[str, typer.Option("--reason", help="Why, with the change's number; it is read in review.")],
    expires: Annotated[
        str, typer.Option("--expires", help="The last day on which the key counts (2026-11-28); default: the latest.")
    ] = "",
    keep_directory: Annotated[
        bool, typer.Option("--keep-directory", help="Write the second key only; the cluster stays in git.")
    ] = False,
    branch: landing.Branch = "",
    message: landing.Message = "",
    push: landing.Push = None,
    dry_run: landing.DryRun = False,
    repo: options.Repo = Path(),
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    management: options.Management = None,
    config: options.Config = None,
    output: Output = OutputOption,
) -> None:
    """Prepare the deletion of a cluster: its second key into deletions/, its directory out of clusters/.

    Nothing is deleted by this: the request has to be approved by both owners. Without --branch both are edits of the
    working tree, for you to commit.
    """
    where = Where(branch=branch, message=message, push=push, dry_run=dry_run)
    with explained(output=output):
        settings = settings_of(config, kubeconfig, context, management)
        desk = open_desk(repo, where, settings)
        local = desk.local
        day = _day(expires, local)
        with busy("looking at the cluster"):
            meant = run(_meant(local, target, settings))
        directory = "" if keep_directory else f"clusters/{meant.target}"
        key = DeletionKey(
            path=key_path(meant.target, local.fleet.deletions),
            target=meant.target,
            uid=meant.cluster.uid,
            reason=reason,
            expires=day,
        )
        draft = Draft(read=desk.read)
        draft_deletion(draft, key, local.snapshot.under(directory) if directory else ())
        edits = draft.edits
        run(check(local, edits.files, [], settings.render))
        landed = land(desk, edits, f"delete {meant.target}: {reason}")
    say_landed(landed, _lines(key, meant, landed, kept=keep_directory), output, _body(key, meant, landed))


def _day(text: str, local: LocalFleet) -> date:
    today = datetime.now(UTC).date()
    last = today + timedelta(days=local.fleet.file.policy.deletion_key_days)
    try:
        day = date.fromisoformat(text) if text else last
    except ValueError as error:
        raise TerminalError(
            "value-format", "--expires", f"{text!r} is not a day", hint=f"for example {last}"
        ) from error
    if not today <= day <= last:
        raise RefusedError(
            "deletion-key-days",
            "--expires",
            f"{day} is not between {today} and {last}",
            hint="a second key counts for `policy.deletionKeyDays` of fleet.yaml at most",
        )
    return day


async def _meant(local: LocalFleet, name: str, settings: Settings) -> _Meant:
    async with open_hands(settings) as hands:
        recorded = {stored.target: stored for stored in (await hands.wishes.recorded()).values()}
        known = {**dict.fromkeys(local.fleet.targets), **dict.fromkeys(recorded)}
        target = full_name(name, known)
        there = local.fleet.targets.get(target)
        if there is not None:
            refuse_elsewhere([there] if there.management != settings.daemon.management else [], there.management)
        return _Meant(target=target, cluster=await _cluster(hands, local, target, recorded.get(target)))


async def _cluster(hands: Hands, local: LocalFleet, target: str, stored: StoredTarget | None) -> LiveObject:
    """The one Cluster that the target owns, or the one that bears its name."""
    there = local.fleet.targets.get(target)
    region, _, name = target.partition("/")
    own = [key for key in stored.inventory.entries if is_cluster(key)] if stored else []
    named = ObjectKey(group=CORE, kind="Cluster", namespace=there.namespace if there else region, name=name)
    if len(own) > 1:
        raise RefusedError(
            "deletion-ambiguous",
            target,
            f"owns {len(own)} Clusters: {', '.join(key.label for key in sorted(own))}",
            hint="drop them from git one by one, each with a file in deletions/ written by hand",
        )
    key = own[0] if own else named
    found = (await hands.doors.cluster.read([key])).found(key)
    if found is None:
        raise TerminalError(
            "cluster-not-found",
            key.label,
            "is not on this management cluster, so there is no uid to delete",
            hint="a cluster that is not there needs no second key: remove its directory and commit",
        )
    return found


def _lines(key: DeletionKey, meant: _Meant, landed: Landed, *, kept: bool) -> list[str]:
    gone = [path for path, content in landed.edits.files.items() if content is None]
    directory = f"clusters/{meant.target}"
    width = max(len(key.path), len(directory) + 1)
    told = [f"{key.path.ljust(width)}  uid {key.uid}, expires {key.expires}"]
    if gone:
        told.append(f"{(directory + '/').ljust(width)}  goes, {counted(len(gone), 'file')}")
    machines = counted(meant.machines, "machine")
    told.append(f"Once merged: deletes {meant.cluster.key.label} with {machines}. Nothing is deleted yet")
    if kept:
        told.append(f"The key opens only once {directory} is gone from git")
    return told


def _body(key: DeletionKey, meant: _Meant, landed: Landed) -> dict[str, Any]:
    return {
        "target": key.target,
        "uid": key.uid,
        "reason": key.reason,
        "expires": key.expires.isoformat(),
        "machines": meant.machines,
        "written": sorted(path for path, content in landed.edits.files.items() if content is not None),
        "removed": sorted(path for path, content in landed.edits.files.items() if content is None),
    }
