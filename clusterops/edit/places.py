"""Where each value of a YAML text begins and ends, aliases and flow style included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from clusterops.errors import TerminalError
from clusterops.model.document import Pointer, resolve_scalar

_MERGE = "<<"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """``kind`` is scalar, map, list or alias; offsets count characters. An anchor or tag belongs to the value.

    ``last`` is where its last content ends, comments and line ends left out. ``column`` (0-based) is that of a map's
    keys. ``children`` by key or index; a merge key has None.
    """

    kind: str
    start: int
    end: int
    last: int
    column: int
    style: str = ""
    flow: bool = False
    in_flow: bool = False
    children: tuple[tuple[str | int | None, Place], ...] = field(default=(), repr=False)

    def nearest(self, pointer: Pointer) -> tuple[Place, Pointer]:
        """The deepest place on the way, and what is left of the way."""
        if pointer:
            for key, child in self.children:
                if key == pointer[0] and type(key) is type(pointer[0]):
                    return child.nearest(pointer[1:])
        return self, pointer

    def is_null(self, text: str) -> bool:
        plain = self.kind == "scalar" and not self.style
        return plain and (self.start == self.end or resolve_scalar(text[self.start : self.end]) is None)


def places_of(text: str) -> tuple[Place, ...]:
    """The roots of all documents that are not empty. Raises TerminalError ``edit-not-possible`` for a rare syntax."""
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        found = tuple(_roots(events, text))
    except (yaml.YAMLError, RecursionError) as error:
        raise TerminalError(
            "edit-not-possible", "", "is written in a way that cannot be edited in place", hint="edit the file by hand"
        ) from error
    return tuple(root for root in found if not root.is_null(text))


def _roots(events: Iterator[Any], text: str) -> Iterator[Place]:
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _place(next(events), events, in_flow=False)


def _place(event: Any, events: Iterator[Any], *, in_flow: bool) -> Place:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.MappingStartEvent):
        return _map(event, events, in_flow=in_flow)
    if isinstance(event, yaml.SequenceStartEvent):
        return _list(event, events, in_flow=in_flow)
    kind = "alias" if isinstance(event, yaml.AliasEvent) else "scalar"
    style = getattr(event, "style", None) or ""
    column = event.start_mark.column
    return Place(kind=kind, start=start, end=end, last=end, column=column, style=style, in_flow=in_flow)


def _map(event: Any, events: Iterator[Any], *, in_flow: bool) -> Place:
    flow = bool(event.flow_style)
    children: list[tuple[str | int | None, Place]] = []
    columns: list[int] = []
    for key in events:
        if isinstance(key, yaml.MappingEndEvent):
            return _collection("map", event, key, children, column=min(columns, default=0), flow=flow, in_flow=in_flow)
        name = _key(key)
        place = _place(key, events, in_flow=flow)
        columns.append(place.column)
        children.append((name, _place(next(events), events, in_flow=flow or in_flow)))
    raise yaml.YAMLError("a map without end")


def _list(event: Any, events: Iterator[Any], *, in_flow: bool) -> Place:
    flow = bool(event.flow_style)
    children: list[tuple[str | int | None, Place]] = []
    for item in events:
        if isinstance(item, yaml.SequenceEndEvent):
            return _collection("list", event, item, children, column=0, flow=flow, in_flow=in_flow)
        children.append((len(children), _place(item, events, in_flow=flow or in_flow)))
    raise yaml.YAMLError("a list without end")


def _collection(
    kind: str,
    begin: Any,
    finish: Any,
    children: list[tuple[str | int | None, Place]],
    *,
    column: int,
    flow: bool,
    in_flow: bool,
) -> Place:
    start, end = begin.start_mark.index, finish.end_mark.index
    last = end if flow or not children else children[-1][1].last
    return Place(
        kind=kind,
        start=start,
        end=end,
        last=last,
        column=column,
        flow=flow,
        in_flow=in_flow,
        children=tuple(children),
    )


def _key(event: Any) -> str | None:
    """As model.document has it: what Kubernetes makes of a key; None for a merge and for what is no scalar."""
    if not isinstance(event, yaml.ScalarEvent) or (event.implicit[0] and event.value == _MERGE):
        return None
    value = resolve_scalar(event.value) if event.implicit[0] else event.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
