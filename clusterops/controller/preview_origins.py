"""The file and line behind each value that a request changes, read from both sides of its merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from clusterops.model.fleet import Fleet
from clusterops.model.plan import Plan
from clusterops.model.preview import Place
from clusterops.model.report import Outcome
from clusterops.model.revision import Snapshot
from clusterops.plan.origins import origins, values_files

_MOST_FILES: Final = 200
"""Changed files that are read; who changes more does not look for single values."""
_ENDINGS: Final = (".yaml", ".yml")


def origins_of(before: Snapshot, after: Snapshot, fleet: Fleet, outcomes: Iterable[Outcome]) -> Mapping[Place, str]:
    """For ``Preview.origins``; empty where nothing is said beyond doubt. Blocking: reads the changed YAML files.

    Raises what ``Snapshot.read_all`` raises.
    """
    plans: list[Plan] = [each.plan for each in outcomes if each.plan is not None and each.plan.writes]
    changed = {path for path in before.files.keys() | after.files.keys() if _id(before, path) != _id(after, path)}
    read = sorted(path for path in changed if path.endswith(_ENDINGS))
    if not plans or len(read) > _MOST_FILES:
        return {}
    targets = [fleet.targets[plan.target] for plan in plans if plan.target in fleet.targets]
    layers = {path for target in targets for path in values_files(target)}
    wanted = sorted({*read, *layers})
    return origins(_read(before, wanted), _read(after, wanted), plans, fleet.targets, changed=changed)


def _id(snapshot: Snapshot, path: str) -> str:
    entry = snapshot.files.get(path)
    return entry.id if entry is not None else ""


def _read(snapshot: Snapshot, paths: Iterable[str]) -> dict[str, bytes]:
    return snapshot.read_all([path for path in paths if path in snapshot.files])
