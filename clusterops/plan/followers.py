"""Which generation of a template each of its owners is to be on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusterops.capi.kinds import is_class, is_template
from clusterops.capi.template_references import TemplateReference, follows_templates, template_references
from clusterops.model.fleet import is_shared
from clusterops.model.inventory import Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet, Unreadable
from clusterops.model.manifest import Manifest
from clusterops.plan.lineage import has_content, hashed, is_generation_of, latest, offers, rotates


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """One reference of an owner in git to a template in git.

    ``now`` is what the live owner names in that place, of the same kind; ``then`` what it is to name.
    """

    owner: ObjectKey
    reference: TemplateReference
    template: Manifest
    now: ObjectKey | None
    then: ObjectKey

    @property
    def moves(self) -> bool:
        return self.now is not None and self.now != self.then


def followers(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> tuple[Follower, ...]:
    """In the order of the owners. Pure; O(references * generations)."""
    uses, ground = tuple(_uses(manifests, live, shared=is_shared(inventory.owner))), _Ground(live, inventory)
    return tuple(
        Follower(
            owner=use.owner,
            reference=use.reference,
            template=use.template,
            now=use.now,
            then=_generation(use, uses, ground),
        )
        for use in uses
    )


def followed_after(manifests: Sequence[Manifest], live: LiveSet, inventory: Inventory) -> frozenset[ObjectKey]:
    """Keys that ``followers`` has to see: what live owners name, and the new name where that has other content."""
    uses, ground = tuple(_uses(manifests, live, shared=is_shared(inventory.owner))), _Ground(live, inventory)
    named = {use.now for use in uses if use.now is not None}
    return frozenset(named | {hashed(use.template) for use in uses if _is_edited(use, ground)})


def places(body: Mapping[str, Any]) -> dict[str, TemplateReference]:
    return {one.place: one for one in template_references(body)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    owner: ObjectKey
    reference: TemplateReference
    template: Manifest
    now: ObjectKey | None


def _uses(manifests: Sequence[Manifest], live: LiveSet, *, shared: bool) -> Iterator[_Use]:
    templates = {one.key: one for one in manifests if is_template(one.key)}
    for owner in manifests if templates else ():
        if not follows_templates(owner.key):
            continue
        found = _as_it_is(owner.key, live, shared=shared)
        there = places(found.body) if found is not None else {}
        for reference in template_references(owner.body):
            template = templates.get(reference.template)
            if template is not None:
                now = _of_same_kind(reference.template, there.get(reference.place))
                yield _Use(owner=owner.key, reference=reference, template=template, now=now)


def _as_it_is(owner: ObjectKey, live: LiveSet, *, shared: bool) -> LiveObject | None:
    return latest(live, owner) if shared and is_class(owner) else live.found(owner)


def _of_same_kind(template: ObjectKey, there: TemplateReference | None) -> ObjectKey | None:
    if there is None:
        return None
    key = there.template
    same = (key.group, key.kind, key.namespace) == (template.group, template.kind, template.namespace)
    return key if same else None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is there, and what git said of it when it was applied."""

    live: LiveSet
    inventory: Inventory

    def has_content(self, key: ObjectKey, template: Manifest) -> bool:
        there = self.live.found(key)
        return there is not None and has_content(template, there, self.inventory.entries.get(key))

    def stays(self, now: ObjectKey, template: Manifest) -> bool:
        """Also what cannot be read or is gone under git's own name: neither says that its content is another."""
        there = self.live.objects.get(now)
        if isinstance(there, LiveObject):
            return not rotates(template) or self.has_content(now, template)
        return isinstance(there, Unreadable) or now == template.key

    def offers(self, key: ObjectKey, template: Manifest) -> bool:
        return offers(key, template, self.live, self.inventory)


def _generation(use: _Use, uses: Iterable[_Use], ground: _Ground) -> ObjectKey:
    """The owner's own if the content is the same, else another generation that has it, else a new one."""
    own = use.template.key
    if use.now is not None and ground.stays(use.now, use.template):
        return use.now
    existing = (key for key in _candidates(use, uses, ground.live) if ground.offers(key, use.template))
    free = not rotates(use.template) or _is_free(use, ground.live.found(own))
    return next(existing, own if free else hashed(use.template))


def _candidates(use: _Use, uses: Iterable[_Use], live: LiveSet) -> Iterator[ObjectKey]:
    """Git's own name, then generations that other owners are on, then any other that is known."""
    own = use.template.key
    yield own
    same = {one.now for one in uses if one.template.key == own and one.now is not None}
    yield from sorted(same)
    yield from sorted(key for key in live if key not in same and is_generation_of(own, key))


def _is_free(use: _Use, there: LiveObject | None) -> bool:
    """Whether git's own name may be given: nothing has it, nor did an earlier generation of this owner."""
    if use.now is None:
        return there is None or there.deleting
    return there is None and not is_generation_of(use.template.key, use.now)


def _is_edited(use: _Use, ground: _Ground) -> bool:
    """Whether a new name may be needed, as far as everything is read."""
    own, live = use.template.key, ground.live
    if not rotates(use.template):
        return False
    if use.now is not None:
        return use.now in live.objects and not ground.stays(use.now, use.template)
    return live.found(own) is not None and not ground.offers(own, use.template)
