"""The generations of one template: the names that its contents get, and whether a live one has git's content."""

from __future__ import annotations

import re
from typing import Final

from clusterops.model.canonical import digest_of
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.manifest import Manifest
from clusterops.model.plan import FieldChange
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


def is_generation_of(template: ObjectKey, found: ObjectKey) -> bool:
    """Whether ``found`` has git's own name or one that ``hashed`` may have given."""
    if (template.group, template.kind, template.namespace) != (found.group, found.kind, found.namespace):
        return False
    match = _HASHED.fullmatch(found.name)
    return found.name == template.name or (match is not None and match[1] == _base(template.name))


def edit(template: Manifest, found: LiveObject) -> tuple[FieldChange, ...]:
    """What makes git's content another generation than ``found``: fields below spec that git sets or that we set.

    What the server or a provider adds is no difference, nor are labels and annotations of the template itself.
    """
    changes = diff(template.body, found.body, found.managers)
    return tuple(change for change in changes if change.pointer == "/spec" or change.pointer.startswith("/spec/"))


def renamed(key: ObjectKey, name: str) -> ObjectKey:
    return ObjectKey(group=key.group, kind=key.kind, namespace=key.namespace, name=name)


def _base(name: str) -> str:
    most = _LABEL_LENGTH if len(name) <= _LABEL_LENGTH else _NAME_LENGTH
    return name[: most - _HASH_LENGTH - 1].rstrip("-.")
