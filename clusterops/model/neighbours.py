"""Live objects around a target that git does not hold: Machines, MachineSets, what they were cloned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clusterops.model.live import LiveObject
from clusterops.model.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One list request: all objects of a kind, in a namespace or everywhere, with the given labels (``a=b,c=d``).

    Ordered by these, everywhere first.
    """

    group: str
    kind: str
    namespace: str | None = None
    labels: str = ""

    def __lt__(self, other: Query) -> bool:
        mine = (self.group, self.kind, self.namespace or "", self.labels)
        return mine < (other.group, other.kind, other.namespace or "", other.labels)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The answers by query; a Problem where the list was refused, which is never taken for "none there"."""

    answers: Mapping[Query, tuple[LiveObject, ...] | Problem]

    def __getitem__(self, query: Query) -> tuple[LiveObject, ...] | Problem:
        return self.answers[query]

    def __contains__(self, query: object) -> bool:
        return query in self.answers

    def of_kind(self, kind: str) -> Iterator[LiveObject]:
        """Every object of a kind that any query found, once, ordered by key."""
        found = {
            one.key: one
            for query, got in self.answers.items()
            if query.kind == kind and not isinstance(got, Problem)
            for one in got
        }
        yield from (found[key] for key in sorted(found))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(got for _, got in sorted(self.answers.items()) if isinstance(got, Problem))


NOBODY = Neighbours({})
