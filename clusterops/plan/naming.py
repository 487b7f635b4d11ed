"""Names of templates: an immutable one is never edited, it becomes a new object and every reference follows.

A changed reference is itself a rollout, so a name that is in use stays while its content is the same. A ClusterClass
that other targets use is sent the same way: they follow it one by one (classes.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from clusterops.capi.kinds import is_class
from clusterops.capi.references import names, references
from clusterops.capi.rollout.topology import class_key
from clusterops.capi.template_references import Step, with_templates
from clusterops.model.fleet import is_shared
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, FieldChange
from clusterops.model.problem import Problem
from clusterops.plan.fields import diff
from clusterops.plan.followers import Follower, followed_after, followers, places
from clusterops.plan.lineage import asked_for, generation_in, is_generation_of, latest
from clusterops.plan.wanted import Wanted


def named(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> tuple[Wanted, ...]:
    """Every object under the name that it is sent with, references rewritten, in the given order.

    A template stands once per generation that its owners are to be on, and under git's own name where nothing names
    it, or something that does not follow; a class of a shared target under the name of its one current generation.
    """
    rows = _named(manifests, live, inventory)
    if not is_shared(inventory.owner):
        return rows
    return tuple(_in_its_generation(row, live, inventory) if is_class(row.written.key) else row for row in rows)


def _named(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> tuple[Wanted, ...]:
    found = followers(manifests, live, inventory)
    rows: dict[ObjectKey, Wanted] = {}
    for manifest in manifests:
        own = [one for one in found if one.template.key == manifest.key]
        mine = [one for one in found if one.owner == manifest.key]
        for row in _generations(manifest, own, manifests) if own else [_with_references(manifest, mine, manifests)]:
            # Where two templates of git share one live name, the one that git calls so speaks for it.
            if row.manifest.key not in rows or row.manifest.key == row.written.key:
                rows[row.manifest.key] = row
    return tuple(rows.values())


def named_after(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> frozenset[ObjectKey]:
    """Keys that ``named`` has to see: templates that live owners refer to, and generations that may exist already."""
    asked = followed_after(manifests, live, inventory)
    if not is_shared(inventory.owner) or not any(is_class(one.key) for one in manifests):
        return asked
    classes = (row.manifest for row in _named(manifests, live, inventory) if is_class(row.written.key))
    return asked.union(*(asked_for(live, sent, inventory) for sent in classes))


def as_author_wrote(change: Change, wanted: Wanted, live: LiveSet) -> Change:
    """A rotation told as the edit that it is, not as a rename."""
    found = live.found(change.key)
    if wanted.instead_of is not None:
        left = live.found(wanted.instead_of)
        change, found = _rotated(change, wanted, left), found or left
    return _following(change, wanted, found) if wanted.follows else change


def _generations(template: Manifest, own: Sequence[Follower], manifests: Sequence[Manifest]) -> Iterator[Wanted]:
    for key in sorted({one.then for one in own}):
        left = sorted(one.now for one in own if one.then == key and one.now is not None and _rotates(one, manifests))
        yield Wanted(manifest=_called(template, key.name), written=template, instead_of=next(iter(left), None))
    if all(one.then != template.key for one in own) and _named_by_others(template.key, own, manifests):
        yield Wanted.as_written(template)


def _with_references(owner: Manifest, mine: Sequence[Follower], manifests: Sequence[Manifest]) -> Wanted:
    renamed: Mapping[tuple[Step, ...], str] = {
        one.reference.path: one.then.name for one in mine if one.then != one.template.key
    }
    sent = Manifest.of(with_templates(owner.body, renamed)) if renamed else owner
    follows = {one.template.key for one in mine if _rotates(one, manifests)}
    return Wanted(manifest=sent, written=owner, follows=tuple(sorted(follows)))


def _in_its_generation(row: Wanted, live: LiveSet, inventory: Inventory) -> Wanted:
    key = generation_in(live, row.manifest, inventory)
    left = latest(live, row.written.key, but=key)
    return replace(row, manifest=_called(row.manifest, key.name), instead_of=left.key if left else None)


def _rotates(one: Follower, manifests: Sequence[Manifest]) -> bool:
    """Whether the owner moves because the template was edited, not because it names another template of git."""
    if one.now is None or one.now == one.then:
        return False
    own, others = one.template.key, (each.key for each in manifests)
    return is_generation_of(own, one.now) or not any(is_generation_of(each, one.now) for each in others)


def _called(template: Manifest, name: str) -> Manifest:
    if name == template.key.name:
        return template
    return Manifest.of({**template.body, "metadata": {**template.body["metadata"], "name": name}})


def _named_by_others(key: ObjectKey, own: Sequence[Follower], manifests: Sequence[Manifest]) -> bool:
    owners = {one.owner for one in own}
    rest = (one for one in manifests if one.key not in owners and one.key != key)
    return any(names(reference, key) for one in rest for reference in references(one.body))


def _rotated(change: Change, wanted: Wanted, left: LiveObject | None) -> Change:
    """A generation that is there already is only followed: nothing is written for it."""
    if change.action is not Action.CREATE:
        return change
    fields = diff(wanted.manifest.body, left.body, left.managers) if left is not None else ()
    return replace(change, action=Action.ROTATE, fields=fields)


def _following(change: Change, wanted: Wanted, found: LiveObject | None) -> Change:
    """Without the references that only follow a rotated template or class: those are the reason."""
    if change.action not in {Action.UPDATE, Action.ADOPT, Action.ROTATE} or found is None:
        return change
    moves = {*_moves(wanted, found), *_class_move(wanted, found)}
    kept = tuple(field for field in change.fields if not _is_reference(field, moves))
    return replace(change, fields=kept, reason=_follows(change.key, wanted.follows))


def _moves(wanted: Wanted, found: LiveObject) -> Iterator[tuple[object, object]]:
    before, sent, written = places(found.body), places(wanted.manifest.body), places(wanted.written.body)
    for place, one in written.items():
        if one.template in wanted.follows and place in before:
            yield before[place].template.name, sent[place].template.name


def _class_move(wanted: Wanted, found: LiveObject) -> Iterator[tuple[object, object]]:
    before, sent = class_key(found.body), class_key(wanted.manifest.body)
    if before is not None and sent is not None and any(map(is_class, wanted.follows)):
        yield before.name, sent.name


def _is_reference(field: FieldChange, moves: Collection[tuple[object, object]]) -> bool:
    return field.pointer.endswith(("/name", "/topology/class")) and (field.before, field.after) in moves


def _follows(key: ObjectKey, rotated: Sequence[ObjectKey]) -> Problem:
    told = ", ".join(one.label for one in rotated)
    code = "follows-rotated-class" if any(map(is_class, rotated)) else "follows-rotated-template"
    return Problem(code=code, subject=key.label, message=f"follows rotated {told}")
