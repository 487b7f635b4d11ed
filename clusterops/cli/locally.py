"""The fleet as files on this machine: which snapshot a command looks at, and which targets it means."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from clusterops.errors import RefusedError, TerminalError
from clusterops.model.fleet import Fleet, Target
from clusterops.model.revision import Snapshot
from clusterops.source.fleet.reader import read_fleet
from clusterops.source.worktree import find_fleet_root, resolve_revision, snapshot_worktree


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFleet:
    """``root`` is the folder of fleet.yaml; None for a revision, whose files may differ from those on disk."""

    root: Path | None
    snapshot: Snapshot
    fleet: Fleet

    def refuse_broken(self) -> None:
        """Raises the first problem of the whole fleet, if any."""
        for problem in self.fleet.problems:
            raise problem.error()


def open_fleet(repo: Path, revision: str = "") -> LocalFleet:
    """Raises TerminalError ``fleet-file-missing`` when no folder upwards has a fleet.yaml."""
    root = find_fleet_root(repo)
    snapshot = resolve_revision(root, revision) if revision else snapshot_worktree(root)
    return LocalFleet(root=None if revision else root, snapshot=snapshot, fleet=read_fleet(snapshot))


def choose_targets(known: Mapping[str, Target], names: Sequence[str] | None) -> tuple[Target, ...]:
    """By name, in order; all of them for none. Raises TerminalError ``target-unknown`` or ``target-ambiguous``."""
    chosen = {full_name(name, known) for name in names} if names else known.keys()
    return tuple(known[name] for name in sorted(chosen))


def is_known(name: str, known: Collection[str]) -> bool:
    """Whether ``full_name`` finds it, or more than one."""
    return name in known or any(each.partition("/")[2] == name for each in known)


def full_name(name: str, known: Collection[str]) -> str:
    """``<region>/<cluster>`` for itself or for a bare cluster name that is unique among ``known``."""
    if name in known:
        return name
    matches = sorted(each for each in known if each.partition("/")[2] == name)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise TerminalError(
            "target-ambiguous", name, f"is the name of {', '.join(matches)}", hint="name one of them in full"
        )
    close = get_close_matches(name, [*known, *(each.partition("/")[2] for each in known)], n=1)
    meant = sorted(each for each in known if close and close[0] in {each, each.partition("/")[2]})
    hint = f"did you mean {' or '.join(meant)}?" if meant else f"known: {_listed(known)}"
    raise TerminalError("target-unknown", name, "the fleet has no such target", hint=hint)


def refuse_elsewhere(targets: Collection[Target], management: str) -> None:
    """Raises RefusedError ``managed-elsewhere``: each management cluster has its own daemon, Lease and records."""
    for target in sorted(targets, key=lambda each: each.name):
        raise RefusedError(
            "managed-elsewhere",
            target.name,
            f"belongs to management cluster {target.management}, this is {management}",
            hint=f"point the kubeconfig at that one and say --management {target.management}",
        )


def _listed(known: Collection[str]) -> str:
    shown = ", ".join(sorted(known)[:10])
    return f"{shown}, … ({len(known)} in all)" if len(known) > 10 else shown or "none yet"
