"""Generations of a template or class: the names that its contents get, and whether a live one has git's content."""

from __future__ import annotations

import re
from typing import Final

from clusterops.model.bodies import comparable, same
from clusterops.model.canonical import digest_of
from clusterops.model.inventory import Entry, Inventory
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import leaves
from clusterops.model.live import Absent, LiveObject, LiveSet, Unreadable
from clusterops.model.manifest import Manifest
from clusterops.model.sketch import Sketch
from clusterops.plan.fields import diff

ROTATE_ANNOTATION: Final = "clusterops.io/rotate"

_HASH_LENGTH: Final = 8
_LABEL_LENGTH: Final = 63
_NAME_LENGTH: Final = 253
_HASHED: Final = re.compile(rf"(.+)-[0-9a-f]{{{_HASH_LENGTH}}}")


def rotates(template: Manifest) -> bool:
    """Whether an edit of it becomes a new object; its annotation may say that it is sent as it is."""
    return template.annotations.get(ROTATE_ANNOTATION) != "disabled"


def hashed(template: Manifest) -> ObjectKey:
    """The key that this content gets when it may not have git's own name: ``<name>-<8 hex digits>``.

    The digits stand for name and spec, so that the same content comes back under the same name and a base cut short
    meets no other. No longer than a label's value, unless git's own name is.
    """
    digits = digest_of([template.key.name, template.body.get("spec")])[:_HASH_LENGTH]
    return renamed(template.key, f"{_base(template.key.name)}-{digits}")


def generation_in(live: LiveSet, sent: Manifest, inventory: Inventory) -> ObjectKey:
    """The key for an object of which one generation is current for everybody, from its content and what lives alone.

    One that has the content already, git's own first; else git's own name where nothing has it, else a new one. One
    that is not to rotate stays the newest there is. What cannot be read says nothing, so git's own stays.
    """
    own, there = sent.key, live.objects.get(sent.key)
    if isinstance(there, Unreadable):
        return own
    known = (key for key in sorted(live) if key != own and is_generation_of(own, key))
    same = next((key for key in (own, *known) if offers(key, sent, live, inventory)), None)
    if same is not None:
        return same
    newest = None if rotates(sent) else latest(live, own)
    if newest is not None:
        return newest.key
    return own if isinstance(there, Absent) else hashed(sent)


def latest(live: LiveSet, key: ObjectKey, but: ObjectKey | None = None) -> LiveObject | None:
    """The newest live generation of what git calls ``key``."""
    found = (there for each in live if each != but and is_generation_of(key, each) and (there := live.found(each)))
    return max(found, key=lambda one: (str(one.body["metadata"].get("creationTimestamp")), one.key), default=None)


def asked_for(live: LiveSet, sent: Manifest, inventory: Inventory) -> frozenset[ObjectKey]:
    """Keys that ``generation_in`` has to see beside git's own and those of the inventory."""
    own = sent.key
    if own not in live.objects or not rotates(sent) or offers(own, sent, live, inventory):
        return frozenset()
    return frozenset({hashed(sent)})


def offers(key: ObjectKey, sent: Manifest, live: LiveSet, inventory: Inventory) -> bool:
    """Whether a live object may stand for it: it has the content, and stays."""
    there = live.found(key)
    return there is not None and not there.deleting and has_content(sent, there, inventory.entries.get(key))


def is_generation_of(template: ObjectKey, found: ObjectKey) -> bool:
    """Whether ``found`` has git's own name or one that ``hashed`` may have given."""
    if (template.group, template.kind, template.namespace) != (found.group, found.kind, found.namespace):
        return False
    match = _HASHED.fullmatch(found.name)
    return found.name == template.name or (match is not None and match[1] == _base(template.name))


def are_generations(one: ObjectKey, other: ObjectKey) -> bool:
    """Whether both may be generations of the same object of git."""
    if is_generation_of(one, other) or is_generation_of(other, one):
        return True
    first, second = _HASHED.fullmatch(one.name), _HASHED.fullmatch(other.name)
    return first is not None and second is not None and renamed(one, first[1]) == renamed(other, second[1])


def has_content(template: Manifest, found: LiveObject, entry: Entry | None) -> bool:
    """Whether ``found`` holds below spec what git says of the template: then it is no other generation.

    What the server or a provider adds is no difference, nor are labels and annotations of the template itself, nor
    what somebody did to it by hand since git said the same. Read in another version than git's it cannot be compared
    field by field: unless git is known to have changed, the API server has to say.
    """
    known = entry.applied if entry is not None and entry.uid == found.uid else None
    if known is not None and _says(known, template, found):
        return True
    if template.api_version != found.body.get("apiVersion"):
        return known is None
    return not any(_is_content(change.pointer) for change in diff(template.body, found.body, found.managers))


def _says(known: Sketch, template: Manifest, found: LiveObject) -> bool:
    """Whether git said all this, and nothing below spec that it no longer says; of a secret the live object tells."""
    said = leaves(comparable(template.body), {})
    spec = {path: leaf for path, leaf in said.items() if path[0] == "f:spec"}
    gone = known.leaves.keys() - Sketch.of((path, None) for path in said).leaves.keys()
    live = leaves(comparable(found.body), {}) if known.withheld else {}
    return not gone and all(
        known.says(path, leaf.value) and (known.tells(path) or (path in live and same(live[path].value, leaf.value)))
        for path, leaf in spec.items()
    )


def _is_content(pointer: str) -> bool:
    return pointer == "/spec" or pointer.startswith("/spec/")


def renamed(key: ObjectKey, name: str) -> ObjectKey:
    return ObjectKey(group=key.group, kind=key.kind, namespace=key.namespace, name=name)


def _base(name: str) -> str:
    most = _LABEL_LENGTH if len(name) <= _LABEL_LENGTH else _NAME_LENGTH
    return name[: most - _HASH_LENGTH - 1].rstrip("-.")
