"""Desired x live x inventory -> Plan: the one place where actions of a whole target are put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from clusterops.capi.kinds import is_class, is_cluster, is_template, tier_of
from clusterops.capi.rollout.topology import class_key
from clusterops.model.bodies import comparable
from clusterops.model.canonical import digest_of
from clusterops.model.deletion import NO_PERMITS, Permits
from clusterops.model.fleet import Target
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import leaves, merged_tree, owned
from clusterops.model.live import Absent, LiveObject, LiveSet
from clusterops.model.managers import our_tree
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.neighbours import NOBODY, Neighbours, Query
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.problem import Problem, Retry
from clusterops.model.secret import NO_SECRETS
from clusterops.plan import generations, impact, rules, users
from clusterops.plan.adoption import without_removals
from clusterops.plan.annotations import left_alone
from clusterops.plan.decide import Situation, decide, refuse
from clusterops.plan.discretion import discreet
from clusterops.plan.dismantling import deletion_of
from clusterops.plan.fields import diff, ownership_differs
from clusterops.plan.naming import as_author_wrote
from clusterops.plan.prepare import Prepared
from clusterops.plan.prune import held_group, held_with_cluster, prunes
from clusterops.plan.standing import left_standing, put_back
from clusterops.plan.twins import as_applied, item_of
from clusterops.plan.wanted import Wanted


def may_differ(prepared: Prepared, live: LiveSet) -> tuple[Manifest, ...]:
    """The objects that need a server-side dry run: live, not in deletion, and different at first sight.

    In the order of keys, as they would be sent. All others are certainly unchanged, created or not ours to touch. Nor
    a Cluster that moves to a class which is not there yet: the server takes that only once it is.
    """
    sent = [one.asked for one in prepared.wanted.values() if not one.stands and not _runs_ahead(one.asked, live)]
    found = [(manifest, live.found(manifest.key)) for manifest in sent]
    return tuple(manifest for manifest, there in found if there is not None and _may_differ(manifest, there))


def _runs_ahead(manifest: Manifest, live: LiveSet) -> bool:
    then = class_key(manifest.body) if is_cluster(manifest.key) else None
    return then is not None and isinstance(live.objects.get(then), Absent)


def bereft(prepared: Prepared, live: LiveSet) -> tuple[Mapping[str, Any], ...]:
    """Objects to be adopted, without the fields that this removes: whether that changes anything, the server knows."""
    found = [(one, live.found(key)) for key, one in prepared.wanted.items() if one.adopts]
    bodies = [(there, without_removals(one.rehearsed, there, one.adopts)) for one, there in found if there is not None]
    return tuple(body for there, body in bodies if body != there.body)


def replaced(
    prepared: Prepared, live: LiveSet, predictions: Mapping[ObjectKey, LiveObject | Problem]
) -> tuple[Mapping[str, Any], ...]:
    """Objects in which git's list items take the place of others: no apply can be asked for that beforehand.

    ``predictions`` are those of ``may_differ``; what the server answers to these bodies stands in their place.
    """
    rows = [(one, live.found(key), predictions.get(key)) for key, one in prepared.wanted.items() if one.reclaims]
    return tuple(
        as_applied(there, first, one.reclaims)
        for one, there, first in rows
        if there is not None and not isinstance(first, Problem) and _may_differ(one.rehearsed, there)
    )


def neighbourhood(
    prepared: Prepared, live: LiveSet, inventory: Inventory, neighbours: Neighbours = NOBODY
) -> frozenset[Query]:
    """The lists that the plan still has to see beyond the target; empty for a target that is as git wants it.

    Ask again with the answers until it is empty.
    """
    changed = [
        key for key, one in prepared.wanted.items() if not one.stands and _changes(one.manifest, live.found(key))
    ]
    dropped = [key for key in inventory.entries if key not in prepared.wanted]
    with_machines = [key for key in dropped if not (is_class(key) or is_template(key))]
    asked = impact.queries(
        [*changed, *with_machines], prepared.wanted, live, neighbours, prepared.classes.coming
    ) | generations.queries(prepared.wanted, live, inventory)
    asked |= users.queries(prepared.wanted.keys(), live, inventory, neighbours)
    return frozenset(query for query in asked if query not in neighbours)


def _changes(manifest: Manifest, there: LiveObject | None) -> bool:
    return there is None or _may_differ(manifest, there)


def _may_differ(manifest: Manifest, there: LiveObject) -> bool:
    if there.deleting or left_alone(manifest, there) is not None:
        return False
    if manifest.api_version != there.body.get("apiVersion"):
        return True
    return bool(diff(manifest.body, there.body, there.managers)) or ownership_differs(manifest.body, there)


def build_plan(
    *,
    target: Target,
    revision: str,
    prepared: Prepared,
    live: LiveSet,
    inventory: Inventory,
    predictions: Mapping[ObjectKey, LiveObject | Problem],
    remainders: Mapping[ObjectKey, LiveObject | Problem] = MappingProxyType({}),
    neighbours: Neighbours = NOBODY,
    coming: Mapping[ObjectKey, Manifest] = MappingProxyType({}),
    permits: Permits = NO_PERMITS,
) -> Plan:
    """What would be done to ``target``. Pure and total: every doubt becomes a row that holds or refuses.

    ``live`` holds every key of ``prepared``, of ``inventory`` and of ``also_read``; one that is missing counts as
    unreadable. ``predictions`` are the answers of the dry runs of ``may_differ``; without one, the difference at first
    sight counts. ``remainders`` are the answers to ``bereft``; without one, every removal counts. ``neighbours``
    answer ``neighbourhood``; ``coming`` is what targets of the same commit render that are applied before this one.
    A rendered set that no file was read for
    (``manifest.empty_set``) is a target that is gone from git; any other empty one holds everything.
    O(objects * references).
    """
    rendered, wanted = prepared.rendered, prepared.wanted
    situation = Situation(
        target=target.name,
        desired={key: one.manifest for key, one in wanted.items()},
        live=live,
        inventory=inventory,
        predictions=predictions,
        remainders=remainders,
        neighbours=neighbours,
        permits=permits,
    )
    if not wanted and rendered.provenance.inputs:
        return _plan(situation, revision, rendered, (), tuple(_empty_render(situation)))
    found = tuple(_row(one, situation) for one in wanted.values())
    rows = _refused(found, rules.refusals(found, wanted, live, prepared.classes.arriving(coming)))
    held = held_group(situation, rows)
    kept = tuple(_held(row) if row.key in held else row for row in rows)
    changes = (*kept, *prunes(situation, held))
    effects = impact.impacts(changes, wanted, live, neighbours, predictions, coming=prepared.classes.coming)
    told = [replace(change, impact=effects.get(change.key)) for change in changes]
    dropped = tuple(told[len(kept) :])
    plan = _plan(situation, revision, rendered, tuple(told[: len(kept)]), dropped)
    return replace(plan, deletion=deletion_of(dropped, situation))


def _row(wanted: Wanted, situation: Situation) -> Change:
    alone = left_alone(wanted.manifest, situation.read(wanted.manifest.key))
    if alone is not None:
        return Change(key=wanted.manifest.key, action=Action.UNCHANGED, written=wanted.written, reason=alone)
    entry = situation.inventory.entries.get(wanted.manifest.key)
    row = decide(wanted.rehearsed, situation)
    row = left_standing(row, entry) if wanted.stands else row
    row = replace(
        row,
        action=Action.UPDATE if wanted.hands_over and row.action is Action.UNCHANGED else row.action,
        desired=wanted.manifest,
        applied=wanted.applied,
        owed=wanted.owed,
        written=wanted.written,
        takes=wanted.takes,
        left=wanted.left,
        heals=put_back(row.fields, wanted.manifest, entry.applied if entry else None) if row.writes else (),
        hands_over=wanted.hands_over,
        adopts=wanted.adopts,
        reclaims=wanted.reclaims,
    )
    if wanted.refused is not None and row.action in {Action.ADOPT, Action.UPDATE, Action.UNCHANGED}:
        row = _stopped(row, wanted.refused)
    return _without_former(as_author_wrote(row, wanted, situation.live), wanted, situation)


def _without_former(row: Change, wanted: Wanted, situation: Situation) -> Change:
    """A rotation is told against the template that it takes the place of, whose secrets stay hidden."""
    left = wanted.instead_of
    entry = situation.inventory.entries.get(left) if left is not None else None
    if left is None or entry is None:
        return row
    return discreet(row, NO_SECRETS, entry.applied, was=situation.live.found(left))


def _refused(rows: tuple[Change, ...], refusals: Mapping[ObjectKey, Problem]) -> tuple[Change, ...]:
    """A rule's hold is one that time may end; any other refuses."""
    return tuple(_stopped(row, refusals[row.key]) if row.key in refusals else row for row in rows)


def _stopped(row: Change, reason: Problem) -> Change:
    return replace(row, action=Action.HOLD if reason.retry is Retry.BACKOFF else Action.REFUSE, reason=reason)


def _held(row: Change) -> Change:
    """A row of a closed group writes nothing; what it would have changed is still shown."""
    if not (row.writes or row.action is Action.LEAVE) or is_cluster(row.key):
        return row
    return replace(row, action=Action.HOLD, reason=held_with_cluster(row.key))


def _empty_render(situation: Situation) -> Iterable[Change]:
    for key in sorted(situation.inventory.entries, key=lambda key: (-tier_of(key), key)):
        message = f"is kept: target {situation.target} renders to nothing, though it still stands in git"
        reason = refuse(
            "empty-render", key, message, "see what the chart or the overlay lost; an empty render prunes nothing"
        )
        yield Change(key=key, action=Action.REFUSE, live=situation.live.found(key), reason=reason)


def _plan(
    situation: Situation,
    revision: str,
    rendered: RenderedSet,
    rows: tuple[Change, ...],
    pruned: tuple[Change, ...],
) -> Plan:
    rows, pruned = (tuple(_discreet(row, situation, rendered) for row in some) for some in (rows, pruned))
    waves = (*_waves(rows, reverse=False), *_waves(pruned, reverse=True))
    changes = [change for wave in waves for change in wave]
    return Plan(
        target=situation.target,
        revision=revision,
        waves=waves,
        refusals=tuple(one.reason for one in changes if one.action is Action.REFUSE and one.reason is not None),
        warnings=tuple(
            one.struck(rendered.secrets.struck) for one in (*rendered.warnings, *_forbidden(situation.predictions))
        ),
        id=_identity(rendered, changes),
    )


def _discreet(row: Change, situation: Situation, rendered: RenderedSet) -> Change:
    entry = situation.inventory.entries.get(row.key)
    return discreet(row, rendered.secrets, entry.applied if entry is not None else None)


def _waves(rows: Iterable[Change], *, reverse: bool) -> tuple[tuple[Change, ...], ...]:
    """By tier, each wave ordered by key; what is pruned goes the other way round."""
    tiers: dict[int, list[Change]] = {}
    for row in rows:
        tiers.setdefault(tier_of(row.key), []).append(row)
    return tuple(tuple(sorted(tiers[tier], key=lambda row: row.key)) for tier in sorted(tiers, reverse=reverse))


def _forbidden(predictions: Mapping[ObjectKey, LiveObject | Problem]) -> tuple[Problem, ...]:
    problems = [(key, one) for key, one in sorted(predictions.items()) if isinstance(one, Problem)]
    return tuple(
        Problem(
            code="dry-run-forbidden",
            subject=key.label,
            message="a server-side dry run is forbidden, so fields are compared as they are written",
            hint=one.text,
        )
        for key, one in problems
        if one.code == "api-forbidden"
    )


def _identity(rendered: RenderedSet, changes: Iterable[Change]) -> str:
    return digest_of([rendered.digest, [_compared(change) for change in changes]])


def _compared(change: Change) -> list[Any]:
    """Action, uid, and the live value of every field that we send or own, with the managers of these fields."""
    if change.live is None:
        return [str(change.key), str(change.action), "", [], []]
    body, managers = comparable(change.live.body), change.live.managers
    tree = merged_tree(managers)
    scope = set(owned(body, our_tree(managers)))
    scope |= set(leaves(comparable(change.desired.body), tree)) if change.desired else set()
    taken = {one.path for one in change.reclaims}
    scope |= {path for path in leaves(body, tree) if item_of(path, taken)}
    values = [["/".join(path), leaf.value] for path, leaf in leaves(body, tree).items() if path in scope]
    owners = sorted({one.name for one in managers if scope & set(owned(body, one.fields))})
    return [str(change.key), str(change.action), change.live.uid, values, owners]
