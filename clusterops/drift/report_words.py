"""How drift is told, whatever the form: counts, authors, ages, what healing costs, what a person may do."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from clusterops.capi.kinds import is_control_plane
from clusterops.model.drift import Author, Departed, DriftedField, DriftedObject, DriftReport, Remedy, TargetDrift
from clusterops.model.fleet import is_shared
from clusterops.model.key import ObjectKey
from clusterops.model.plan import MISSING

AUTHORS: Final[Mapping[Author, str]] = {
    Author.PERSON: "person",
    Author.TOOL: "other tool",
    Author.AUTOSCALER: "autoscaler",
    Author.CONTROLLER: "controller",
    Author.UNKNOWN: "unknown",
}
"""In the order in which they are told."""
HAPPENED: Final[Mapping[Departed, str]] = {
    Departed.CHANGED: "changed",
    Departed.OWNERSHIP_LOST: "ownership lost",
    Departed.DELETED: "deleted",
    Departed.REPLACED: "deleted and made anew",
    Departed.FOREIGN: "foreign-owned",
    Departed.EXTRA: "extra: in no inventory",
}
BY_ITSELF: Final = frozenset({Remedy.HEAL, Remedy.HOLD})
"""Nobody needs to decide."""
_POINTER_LIMIT: Final = 40
_VALUE_LIMIT: Final = 200
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def count_text(count: int) -> str:
    """``3 610``"""
    return f"{count:,}".replace(",", " ")


def counted(count: int, word: str) -> str:
    return f"{count_text(count)} {word}{'s' * (count != 1)}"


def fleet_name(report: DriftReport) -> str:
    """``platform@c81e77d``"""
    return f"{report.fleet}@{report.revision.rpartition('@')[2]}"


def size_words(report: DriftReport) -> str:
    """``300 clusters, 3 610 objects``; what clusters share is counted apart."""
    shared = sum(is_shared(target.target) for target in report.targets)
    parts = [counted(len(report.targets) - shared, "cluster"), *([f"{shared} shared"] if shared else [])]
    return ", ".join([*parts, counted(report.objects, "object")])


def state_words(report: DriftReport) -> str:
    """``297 in sync, 3 drifted``; with those of which something could not be compared, where there are any."""
    drifted, unknown = len(drifting(report)), len(doubtful(report))
    parts = [f"{len(report.targets) - drifted - unknown} in sync", f"{drifted} drifted"]
    return ", ".join(parts + [f"{unknown} not compared"] * bool(unknown))


def drifting(report: DriftReport) -> tuple[TargetDrift, ...]:
    return tuple(target for target in report.targets if target.drifted)


def doubtful(report: DriftReport) -> tuple[TargetDrift, ...]:
    """Without drift as far as anybody can tell."""
    return tuple(target for target in report.targets if target.unknown and not target.drifted)


def ignored_by_author(targets: Iterable[TargetDrift]) -> dict[Author, int]:
    """Fields that a rule takes out, and those that are others' by right; authors in their order."""
    found: Counter[Author] = Counter()
    for target in targets:
        found.update({author: count for author, count in target.left.items() if count})
        found.update(each.field.author for each in target.ignored)
    return {author: found[author] for author in AUTHORS if found[author]}


def ignored_words(report: DriftReport) -> str:
    """``autoscaler 14, Cluster API 3``; "" for none."""
    found = ignored_by_author(report.targets)
    names = {**AUTHORS, Author.CONTROLLER: "Cluster API"}
    return ", ".join(f"{names[author]} {count}" for author, count in found.items())


def object_name(key: ObjectKey) -> str:
    """``MachineDeployment ledger-general``: the target says the namespace."""
    return f"{key.kind} {key.name}"


def short_pointer(pointer: str) -> str:
    """Its end where it is long, whole fields: ``…/apiServer/extraArgs/audit-log-maxage``."""
    kept = ""
    for part in reversed(pointer.split("/")[1:]):
        if kept and len(kept) + len(part) + 2 > _POINTER_LIMIT:
            return f"…{kept}"
        kept = f"/{part}{kept}"
    return kept


def value_text(value: Any) -> str:
    """On one line, cut where it is long. A string as it is; one that could be taken for something else quoted."""
    if value is MISSING:
        return str(value)
    text = value if isinstance(value, str) and value.strip() else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"


def age_text(at: datetime, now: datetime) -> str:
    """``2 h``; ``0 s`` where clocks disagree."""
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def told_fields(drifted: DriftedObject) -> tuple[DriftedField, ...]:
    """Without those of a changed object that have git's value: the keys of an item of a list that is another one."""
    fields = drifted.fields
    differing = tuple(each for each in fields if type(each.git) is not type(each.live) or each.git != each.live)
    return differing if differing and drifted.what is Departed.CHANGED else fields


def who_words(field: DriftedField, drifted: DriftedObject, now: datetime) -> str:
    """``kubectl-scale, Update, 2 h ago (person)``; "" where nobody owns the field now.

    A change through the scale subresource has no time on the server: then it is when it was seen.
    """
    if not field.manager:
        return ""
    ago = f"{age_text(field.changed_at, now)} ago" if field.changed_at else _seen(drifted, now)
    of = AUTHORS[field.author] + (f": {field.user}" if field.user else "")
    return ", ".join(part for part in (field.manager, field.operation, ago) if part) + f" ({of})"


def seen_words(drifted: DriftedObject, now: datetime) -> str:
    """``author unknown, seen 6 min ago``: after a delete nobody is named."""
    by = "author unknown" if drifted.author is Author.UNKNOWN else AUTHORS[drifted.author]
    return ", ".join(part for part in (by, _seen(drifted, now)) if part)


def _seen(drifted: DriftedObject, now: datetime) -> str:
    if drifted.seen_at is None:
        return ""
    age = age_text(drifted.seen_at, now)
    return f"seen {age} ago" if age != "0 s" else "first seen now"


def cost_words(drifted: DriftedObject) -> str:
    """What healing does to machines: ``replaces 3 control-plane machines``, ``replaces none``."""
    if drifted.unknown_cost:
        return "cannot be predicted"
    cost, role = drifted.cost, "control-plane " if is_control_plane(drifted.key) else ""
    parts = (("replaces", cost.replaced), ("adds", cost.added), ("removes", cost.removed))
    told = [f"{verb} {counted(count, f'{role}machine')}" for verb, count in parts if count]
    return ", ".join(told) or "replaces none"


def outcome_words(drifted: DriftedObject) -> str:
    """What follows the remedy: ``to heal: removes 1 machine``; what heals by itself has no "to heal"."""
    cost = cost_words(drifted)
    if drifted.remedy is Remedy.HEAL:
        return ", ".join(part for part in (drifted.why, cost) if part)
    if drifted.remedy is Remedy.LEAVE:
        return drifted.why
    return f"to heal: {cost}" + (f"; {drifted.why}" if drifted.why else "")


def adopt_command(target: str, drifted: DriftedObject) -> str:
    """For the first field that git can be given the live value of; "" where there is none."""
    if drifted.what is not Departed.CHANGED or drifted.key.is_secret:
        return ""
    found = next((each for each in told_fields(drifted) if MISSING not in (each.git, each.live)), None)
    asked = (target, f"{drifted.key.kind}/{drifted.key.name}", found.pointer) if found else ()
    return f"clusterops drift adopt {shlex.join(asked)}" if asked else ""


def heal_command(target: str, drifted: DriftedObject) -> str:
    return "" if drifted.remedy in {Remedy.HEAL, Remedy.LEAVE} else f"clusterops drift heal {shlex.quote(target)}"
