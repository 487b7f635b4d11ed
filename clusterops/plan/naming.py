"""Names of templates: an immutable one is never edited, it becomes a new object and every reference follows.

A changed reference is itself a rollout, so a name that is in use stays while its content is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from clusterops.capi.references import names, references
from clusterops.capi.template_references import Step, with_templates
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet
from clusterops.model.manifest import Manifest
from clusterops.model.plan import Action, Change, FieldChange
from clusterops.model.problem import Problem
from clusterops.plan.fields import diff
from clusterops.plan.followers import Follower, followed_after, followers, places
from clusterops.plan.lineage import is_generation_of
from clusterops.plan.wanted import Wanted


def named(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> tuple[Wanted, ...]:
    """Every object under the name that it is sent with, references rewritten, in the given order.

    A template stands once per generation that its owners are to be on, and under git's own name where nothing names
    it, or something that does not follow.
    """
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
    return followed_after(manifests, live, inventory)


def as_author_wrote(change: Change, wanted: Wanted, live: LiveSet) -> Change:
    """A rotation told as the edit that it is, not as a rename."""
    if wanted.instead_of is not None:
        return _rotated(change, wanted, live.found(wanted.instead_of))
    return _following(change, wanted, live.found(change.key)) if wanted.follows else change


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
    fields = diff(wanted.written.body, left.body, left.managers) if left is not None else ()
    return replace(change, action=Action.ROTATE, fields=fields)


def _following(change: Change, wanted: Wanted, found: LiveObject | None) -> Change:
    """Without the references that only follow a rotated template: those templates are the reason."""
    if change.action not in {Action.UPDATE, Action.ADOPT} or found is None:
        return change
    before, sent, written = places(found.body), places(wanted.manifest.body), places(wanted.written.body)
    moves = {
        (before[place].template.name, sent[place].template.name)
        for place, one in written.items()
        if one.template in wanted.follows and place in before
    }
    kept = tuple(field for field in change.fields if not _is_reference(field, moves))
    return replace(change, fields=kept, reason=_follows(change.key, wanted.follows))


def _is_reference(field: FieldChange, moves: Collection[tuple[object, object]]) -> bool:
    return field.pointer.endswith("/name") and (field.before, field.after) in moves


def _follows(key: ObjectKey, templates: Sequence[ObjectKey]) -> Problem:
    rotated = ", ".join(one.label for one in templates)
    return Problem(code="follows-rotated-template", subject=key.label, message=f"follows rotated {rotated}")
