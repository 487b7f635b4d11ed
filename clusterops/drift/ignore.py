"""Drift that is not to be told: by the fleet's rules, by an object's annotation, and by right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clusterops.capi.managers import CLUSTER_API_MANAGERS
from clusterops.drift.authors import author_among
from clusterops.model.drift import Departed, DriftedObject, Ignored
from clusterops.model.ignore import IgnoreRule
from clusterops.model.key import ObjectKey

IGNORE_ANNOTATION: Final = "clusterops.io/ignore-drift"
"""Pointers by comma, on the object in git or on the live one."""

BUILT_IN: Final = (
    IgnoreRule(
        source="built-in: autoscaler",
        pointers=(
            "/spec/replicas",
            "/spec/topology/workers/machineDeployments/*/replicas",
            "/spec/topology/workers/machinePools/*/replicas",
        ),
        managers=("*autoscaler*",),
    ),
    IgnoreRule(source="built-in: Cluster API", group="*cluster.x-k8s.io", managers=CLUSTER_API_MANAGERS),
)
"""What the autoscaler and Cluster API's controllers write by right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """Every field of the objects that were given is in exactly one of both, in the order given."""

    kept: tuple[DriftedObject, ...] = ()
    ignored: tuple[Ignored, ...] = ()


def sift(
    objects: Iterable[DriftedObject],
    rules: Iterable[IgnoreRule] = (),
    *,
    annotations: Mapping[ObjectKey, Iterable[Mapping[str, str]]] | None = None,
) -> Sifted:
    """``rules`` come before the built-in ones, and ``annotations`` (of git's and of the live object) before all.

    Rules take out fields that have another value or owner: never an object that is gone, extra or somebody else's.
    O(fields * rules).
    """
    kept: list[DriftedObject] = []
    ignored: list[Ignored] = []
    every = (*rules, *BUILT_IN)
    for one in objects:
        own = [rule for each in (annotations or {}).get(one.key, ()) for rule in annotated(each)]
        out = _taken_out(one, [*own, *(rule for rule in every if rule.concerns(one.key))])
        ignored += out
        remainder = _without(one, out)
        kept += [remainder] if remainder is not None else []
    return Sifted(kept=tuple(kept), ignored=tuple(ignored))


def annotated(annotations: Mapping[str, str]) -> tuple[IgnoreRule, ...]:
    """The rule that an object carries; what is no pointer in it says nothing."""
    parts = (part.strip() for part in annotations.get(IGNORE_ANNOTATION, "").split(","))
    pointers = tuple(part for part in parts if part.startswith("/"))
    return (IgnoreRule(source=f"annotation {IGNORE_ANNOTATION}", pointers=pointers),) if pointers else ()


def matches(ignored: Iterable[Ignored]) -> dict[str, int]:
    """How many fields each rule took out, by its source."""
    return dict(Counter(one.rule for one in ignored))


def idle(rules: Iterable[IgnoreRule], ignored: Iterable[Ignored]) -> tuple[IgnoreRule, ...]:
    """Rules that took out nothing."""
    used = matches(ignored)
    return tuple(rule for rule in rules if rule.source not in used)


def _taken_out(one: DriftedObject, rules: Sequence[IgnoreRule]) -> list[Ignored]:
    if one.what not in {Departed.CHANGED, Departed.OWNERSHIP_LOST}:
        return []
    judged = (
        (field, next((rule for rule in rules if rule.covers(field.pointer, field.manager)), None))
        for field in one.fields
    )
    return [Ignored(key=one.key, field=field, rule=rule.source) for field, rule in judged if rule is not None]


def _without(one: DriftedObject, out: Sequence[Ignored]) -> DriftedObject | None:
    if not out:
        return one
    gone = {each.field.pointer for each in out}
    fields = tuple(field for field in one.fields if field.pointer not in gone)
    return replace(one, fields=fields, author=author_among(fields)) if fields else None
