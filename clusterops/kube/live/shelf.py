"""The packed objects of one kind, found by key, by namespace and by label. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from clusterops.kube.live.packing import Packed
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject

Selector = tuple[tuple[str, str | None], ...]
"""Labels that an object must have, with their value; None: with any."""
_BEYOND: Final = "!()<>~ \t\n"
"""What selectors have that ask for more than that."""


def parse_selector(text: str) -> Selector | None:
    """``a=b,c==d,e``; None for selectors that only a server understands (``!a``, ``a in (b, c)``)."""
    if any(mark in text for mark in _BEYOND):
        return None
    parts = [part.partition("=") for part in text.split(",") if part]
    return tuple((name, value.removeprefix("=") if equals else None) for name, equals, value in parts)


class Shelf:
    """Knows nothing of time: what is put replaces what was there."""

    __slots__ = ("_by_label", "_group", "_kind", "_places", "_size")

    def __init__(self, group: str, kind: str) -> None:
        self._group = group
        self._kind = kind
        self._places: dict[str | None, dict[str, Packed]] = {}
        self._by_label: dict[str, dict[tuple[str | None, str], set[str]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: ObjectKey) -> bool:
        return key.name in self._places.get(key.namespace, {})

    def get(self, key: ObjectKey) -> Packed | None:
        return self._places.get(key.namespace, {}).get(key.name)

    def put(self, key: ObjectKey, packed: Packed) -> None:
        before = self._places.setdefault(key.namespace, {}).get(key.name)
        if before is None:
            self._size += 1
        elif self._by_label and before.labels != packed.labels:
            self._unlist(key, before)
        self._places[key.namespace][key.name] = packed
        self._list(key, packed)

    def pop(self, key: ObjectKey) -> Packed | None:
        place = self._places.get(key.namespace, {})
        packed = place.pop(key.name, None)
        if packed is not None:
            self._size -= 1
            self._unlist(key, packed)
            if not place:
                del self._places[key.namespace]
        return packed

    def __iter__(self) -> Iterator[ObjectKey]:
        for namespace, place in tuple(self._places.items()):
            for name in tuple(place):
                yield self._key(namespace, name)

    def select(self, namespace: str | None, selector: Selector) -> Iterator[LiveObject]:
        """Of one namespace (None: of all) with these labels, in no order.

        O(objects that have the first label) where it asks for a value, O(objects of the namespace) otherwise.
        """
        for place in [namespace] if namespace is not None else list(self._places):
            for name, packed in self._candidates(place, selector):
                if _matches(packed.labels, selector):
                    yield packed.unpack(self._key(place, name))

    def _candidates(self, place: str | None, selector: Selector) -> Iterable[tuple[str, Packed]]:
        objects = self._places.get(place, {})
        asked = next(((label, value) for label, value in selector if value is not None), None)
        if asked is None:
            return tuple(objects.items())
        label, value = asked
        return [(name, objects[name]) for name in self._index(label).get((place, value), ())]

    def _index(self, label: str) -> Mapping[tuple[str | None, str], set[str]]:
        """Made when a label is first asked for, and kept from then on."""
        if label not in self._by_label:
            index = self._by_label[label] = {}
            for namespace, place in self._places.items():
                for name, packed in place.items():
                    value = _value(packed.labels, label)
                    if value is not None:
                        index.setdefault((namespace, value), set()).add(name)
        return self._by_label[label]

    def _list(self, key: ObjectKey, packed: Packed) -> None:
        for label, index in self._by_label.items():
            value = _value(packed.labels, label)
            if value is not None:
                index.setdefault((key.namespace, value), set()).add(key.name)

    def _unlist(self, key: ObjectKey, packed: Packed) -> None:
        for label, index in self._by_label.items():
            value = _value(packed.labels, label)
            names = index.get((key.namespace, value), set()) if value is not None else set()
            names.discard(key.name)
            if value is not None and not names:
                index.pop((key.namespace, value), None)

    def _key(self, namespace: str | None, name: str) -> ObjectKey:
        return ObjectKey(group=self._group, kind=self._kind, namespace=namespace, name=name)


def matches(labels: Mapping[str, str], selector: Selector) -> bool:
    return all(name in labels and value in {None, labels[name]} for name, value in selector)


def _matches(labels: tuple[str, ...], selector: Selector) -> bool:
    return matches(dict(zip(labels[::2], labels[1::2], strict=True)), selector)


def _value(labels: tuple[str, ...], label: str) -> str | None:
    for at in range(0, len(labels), 2):
        if labels[at] == label:
            return labels[at + 1]
    return None
