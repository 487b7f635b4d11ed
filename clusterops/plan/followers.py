"""Which generation of a template each of its owners is to be on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusterops.capi.kinds import is_template
from clusterops.capi.template_references import TemplateReference, follows_templates, template_references
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject, LiveSet, Unreadable
from clusterops.model.manifest import Manifest
from clusterops.plan.lineage import edit, hashed, is_generation_of, rotates


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


def followers(manifests: Sequence[Manifest], live: LiveSet) -> tuple[Follower, ...]:
    """In the order of the owners. Pure; O(references * generations)."""
    uses = tuple(_uses(manifests, live))
    return tuple(
        Follower(
            owner=use.owner,
            reference=use.reference,
            template=use.template,
            now=use.now,
            then=_generation(use, uses, live),
        )
        for use in uses
    )


def followed_after(manifests: Sequence[Manifest], live: LiveSet) -> frozenset[ObjectKey]:
    """Keys that ``followers`` has to see: what live owners name, and the new name where that has other content."""
    uses = tuple(_uses(manifests, live))
    named = {use.now for use in uses if use.now is not None}
    return frozenset(named | {hashed(use.template) for use in uses if _is_edited(use, live)})


def places(body: Mapping[str, Any]) -> dict[str, TemplateReference]:
    return {one.place: one for one in template_references(body)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    owner: ObjectKey
    reference: TemplateReference
    template: Manifest
    now: ObjectKey | None


def _uses(manifests: Sequence[Manifest], live: LiveSet) -> Iterator[_Use]:
    templates = {one.key: one for one in manifests if is_template(one.key)}
    for owner in manifests if templates else ():
        if not follows_templates(owner.key):
            continue
        found = live.found(owner.key)
        there = places(found.body) if found is not None else {}
        for reference in template_references(owner.body):
            template = templates.get(reference.template)
            if template is not None:
                now = _of_same_kind(reference.template, there.get(reference.place))
                yield _Use(owner=owner.key, reference=reference, template=template, now=now)


def _of_same_kind(template: ObjectKey, there: TemplateReference | None) -> ObjectKey | None:
    if there is None:
        return None
    key = there.template
    same = (key.group, key.kind, key.namespace) == (template.group, template.kind, template.namespace)
    return key if same else None


def _generation(use: _Use, uses: Iterable[_Use], live: LiveSet) -> ObjectKey:
    """The owner's own if the content is the same, else another generation that has it, else a new one."""
    own = use.template.key
    if use.now is not None and _stays(use.now, use.template, live):
        return use.now
    existing = (key for key in _candidates(use, uses, live) if _has_content(key, use.template, live))
    fresh = own if not rotates(use.template) or _is_free(use, live.found(own)) else hashed(use.template)
    return next(existing, fresh)


def _stays(now: ObjectKey, template: Manifest, live: LiveSet) -> bool:
    """Also what cannot be read or is gone under git's own name: neither says that its content is another."""
    there = live.objects.get(now)
    if isinstance(there, LiveObject):
        return not rotates(template) or not edit(template, there)
    return isinstance(there, Unreadable) or now == template.key


def _candidates(use: _Use, uses: Iterable[_Use], live: LiveSet) -> Iterator[ObjectKey]:
    """Git's own name, then generations that other owners are on, then any other that is known."""
    own = use.template.key
    yield own
    same = {one.now for one in uses if one.template.key == own and one.now is not None}
    yield from sorted(same)
    yield from sorted(key for key in live if key not in same and is_generation_of(own, key))


def _has_content(key: ObjectKey, template: Manifest, live: LiveSet) -> bool:
    there = live.found(key)
    return there is not None and not there.deleting and not edit(template, there)


def _is_free(use: _Use, there: LiveObject | None) -> bool:
    """Whether git's own name may be given: nothing has it, nor did an earlier generation of this owner."""
    if use.now is None:
        return there is None or there.deleting
    return there is None and not is_generation_of(use.template.key, use.now)


def _is_edited(use: _Use, live: LiveSet) -> bool:
    """Whether a new name may be needed, as far as everything is read."""
    own = use.template.key
    if not rotates(use.template):
        return False
    if use.now is not None:
        return use.now in live.objects and not _stays(use.now, use.template, live)
    return live.found(own) is not None and not _has_content(own, use.template, live)
