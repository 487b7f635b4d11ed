"""What differs between the object that git wants and the one that is live, leaf by leaf."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clusterops.model.bodies import comparable, same
from clusterops.model.canonical import canonical_json
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import Leaf, Path, leaves, merged_tree, owned
from clusterops.model.live import LiveObject, Manager
from clusterops.model.managers import OURS, is_our_apply, our_tree
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, FieldChange
from clusterops.model.secret import CHANGED_MASK, MASK, is_sensitive, shown
from clusterops.plan.twins import as_git_calls, item_of, twins


def diff(desired: Mapping[str, Any], live: Mapping[str, Any], managers: Sequence[Manager]) -> tuple[FieldChange, ...]:
    """Fields that an apply of ``desired`` would change, in document order, secrets masked.

    Those that git sets to another value, then those that only we own and git no longer sets (``after`` MISSING).
    ``manager`` is who else owns a field. Normalising (``1000m`` = ``1``) is left to the dry run. O(leaves).
    """
    tree = merged_tree(managers)
    found, wanted = leaves(comparable(live), tree), leaves(comparable(desired), tree)
    pairs = twins(wanted, found)
    there = as_git_calls(found, pairs)
    others = as_git_calls(_other_owners(live, managers), pairs)
    changes = [_set(path, leaf, there, others) for path, leaf in wanted.items() if _differs(path, leaf, there)]
    changes += [
        FieldChange(pointer=leaf.pointer, before=leaf.value, after=MISSING)
        for path, leaf in dropped(wanted, live, managers).items()
        if path not in others and not item_of(path, pairs.values())
    ]
    return masked(desired, changes)


def dropped(wanted: Mapping[Path, Leaf], live: Mapping[str, Any], managers: Sequence[Manager]) -> dict[Path, Leaf]:
    """Leaves that we own in the live object and that git no longer sets; a whole item stands for its fields."""
    ours = owned(comparable(live), our_tree(managers))
    prefixes = {path[:length] for path in wanted for length in range(len(path) + 1)}
    gone = {path: leaf for path, leaf in ours.items() if path not in prefixes}
    return {path: leaf for path, leaf in gone.items() if not any(path[:n] in gone for n in range(len(path)))}


def ownership_differs(desired: Mapping[str, Any], live: LiveObject) -> bool:
    """Whether an apply would change which fields we own, though no value differs."""
    entry = next((one for one in live.managers if is_our_apply(one)), None)
    if entry is None or entry.api_version != desired.get("apiVersion"):
        return True
    tree = merged_tree(live.managers)
    wanted = leaves(comparable(desired), tree)
    ours = set(owned(comparable(live.body), entry.fields))
    taken = [path for path in wanted if not any(path[:n] in ours for n in range(len(path) + 1))]
    return bool(_not_implied(taken, wanted) or dropped(wanted, live.body, live.managers))


def between(before: LiveObject, after: LiveObject) -> tuple[tuple[Path, FieldChange], ...]:
    """Every leaf that differs between an object and what the server predicts for it, unmasked, with its path."""
    tree = merged_tree((*before.managers, *after.managers))
    found, new = leaves(comparable(before.body), tree), leaves(comparable(after.body), tree)
    old = as_git_calls(found, twins(new, found))
    changes = [
        (path, FieldChange(pointer=leaf.pointer, before=_value(old.get(path)), after=leaf.value))
        for path, leaf in new.items()
        if _value(old.get(path)) != leaf.value
    ]
    gone = [path for path in old if path not in new]
    return (
        *changes,
        *((path, FieldChange(pointer=old[path].pointer, before=old[path].value, after=MISSING)) for path in gone),
    )


def owned_sets(live: LiveObject) -> frozenset[tuple[str, str, str]]:
    """Our part of managedFields as comparable text: (api version, operation, fields)."""
    ours = [one for one in live.managers if one.name == OURS and not one.subresource]
    return frozenset((one.api_version, one.operation, _tree_text(one.fields)) for one in ours)


def sendable(manifest: Manifest) -> Manifest:
    """What is sent for a manifest: a Secret's stringData as data, so that dropping a key later removes it.

    **Source:** Kubernetes pkg/registry/core/secret/strategy.go: stringData is write-only, wins over data, is never
    stored, and so is never among the fields that a manager owns.
    """
    body = manifest.body
    if not manifest.key.is_secret or not body.get("stringData"):
        return manifest
    plain = {str(key): base64.b64encode(str(text).encode()).decode() for key, text in body["stringData"].items()}
    kept = {field: value for field, value in body.items() if field != "stringData"}
    return Manifest.of({**kept, "data": {**(body.get("data") or {}), **plain}})


def masked(desired: Mapping[str, Any], changes: Iterable[FieldChange]) -> tuple[FieldChange, ...]:
    """Without any value that ``is_sensitive`` hides, also where it is part of a longer one."""
    key = ObjectKey.of(desired)
    return tuple(mask(key, one) for one in changes)


def mask(key: ObjectKey, change: FieldChange) -> FieldChange:
    """One field of an object as it may be shown."""
    if is_sensitive(key, change.pointer):
        before = change.before if change.before is MISSING else MASK
        after = change.after if change.after is MISSING else (MASK if change.before is MISSING else CHANGED_MASK)
    else:
        beside = None if change.before is MISSING else change.before
        before, after = (
            shown(key, change.pointer, change.before),
            shown(key, change.pointer, change.after, beside=beside),
        )
    return replace(change, before=before, after=after)


def _value(leaf: Leaf | None) -> Any:
    return MISSING if leaf is None else leaf.value


def _differs(path: Path, leaf: Leaf, there: Mapping[Path, Leaf]) -> bool:
    known = there.get(path)
    if known is not None:
        return not same(known.value, leaf.value)
    # An empty map asks only that the field is there, whatever others put into it.
    return not (leaf.value == {} and any(other[: len(path)] == path for other in there))


def _set(path: Path, leaf: Leaf, there: Mapping[Path, Leaf], others: Mapping[Path, str]) -> FieldChange:
    before = _value(there.get(path))
    owner = next((others[path[:n]] for n in range(len(path), 0, -1) if path[:n] in others), "")
    return FieldChange(pointer=leaf.pointer, before=before, after=leaf.value, manager=owner)


def _other_owners(live: Mapping[str, Any], managers: Sequence[Manager]) -> dict[Path, str]:
    body = comparable(live)
    found: dict[Path, str] = {}
    for manager in managers:
        if not is_our_apply(manager) and manager.subresource != "status":
            for path in owned(body, manager.fields):
                found.setdefault(path, manager.name)
    return found


def _not_implied(paths: Sequence[Path], wanted: Mapping[Path, Leaf]) -> list[Path]:
    """Empty maps own nothing by themselves once they have children, so they prove nothing."""
    return [path for path in paths if wanted[path].value != {}]


def _tree_text(tree: Mapping[str, Any]) -> str:
    return canonical_json(tree).decode()
