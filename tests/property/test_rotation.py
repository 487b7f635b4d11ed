"""Rotation against a model of an API server that refuses every edit of a template, as webhooks do."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterops.capi.kinds import is_template
from clusterops.errors import TerminalError
from clusterops.model.canonical import canonical_json
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Action
from tests.fleet_objects import cluster_bodies, topology_bodies
from tests.model_cluster import ModelCluster
from tests.property.test_plan import Bodies, World

BOUNDED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Immutable(ModelCluster):
    """No template's spec is ever changed."""

    async def apply(self, body: Any, **how: Any) -> LiveObject:
        key = ObjectKey.of(body)
        before = canonical_json(self.objects[key]["spec"]) if is_template(key) and key in self.objects else None
        if before is not None:
            after = await super().apply(body, **{**how, "dry_run": True})
            if canonical_json(after.body["spec"]) != before:
                raise TerminalError("object-invalid", key.label, "spec.template.spec: field is immutable")
        return await super().apply(body, **how)


@st.composite
def commits(draw: st.DrawFn) -> list[Bodies]:
    """One target through several commits: contents that come, go and come back, under names that may move."""
    topology = draw(st.booleans())
    return [_edited(draw, topology_bodies() if topology else cluster_bodies()) for _ in range(draw(st.integers(2, 4)))]


def _edited(draw: st.DrawFn, bodies: Bodies) -> Bodies:
    found = [copy.deepcopy(one) for one in bodies]
    templates = [one for one in found if one["kind"].endswith("Template")]
    for one in templates:
        size = draw(st.sampled_from([None, 1, 2]))
        if size is not None:
            one["spec"]["template"]["spec"]["size"] = size
        if draw(st.booleans()):
            one["metadata"]["labels"]["team"] = draw(st.sampled_from("ab"))
    ending = draw(st.sampled_from(["", "", "-x", "-y"]))
    names = {(one["kind"], one["metadata"]["name"]) for one in templates}
    for one in found:
        _end_names(one.get("spec", {}), names, ending)
    for one in templates:
        one["metadata"]["name"] += ending
    return found


def _end_names(value: Any, names: set[tuple[str, str]], ending: str) -> None:
    if isinstance(value, dict):
        if (value.get("kind"), value.get("name")) in names:
            value["name"] += ending
        for child in value.values():
            _end_names(child, names, ending)
    elif isinstance(value, list):
        for child in value:
            _end_names(child, names, ending)


@BOUNDED
@given(commits())
def test_no_commit_ever_meets_an_immutable_field(history: list[Bodies]) -> None:
    """And what is applied is what git wants, and planning again changes nothing but what is collected."""
    world = World()
    world.cluster = Immutable()
    for bodies in history:
        plan = world.plan(bodies)
        assert not plan.count(Action.REFUSE), [problem.text for problem in plan.refusals]
        world.apply(plan)
        again = world.plan(bodies)
        assert {change.action for change in again.changes if change.writes} <= {Action.PRUNE}
        world.apply(again)
        assert not world.plan(bodies).writes
        assert _contents(world) == _wanted(bodies)


@BOUNDED
@given(commits())
def test_an_equal_commit_under_other_names_writes_no_owner(history: list[Bodies]) -> None:
    world = World()
    world.cluster = Immutable()
    for bodies in history:
        world.apply(world.plan(bodies))
    last = [copy.deepcopy(one) for one in history[-1]]
    names = {(one["kind"], one["metadata"]["name"]) for one in last if one["kind"].endswith("Template")}
    for one in last:
        _end_names(one.get("spec") or {}, names, "-moved")
    for one in last:
        one["metadata"]["name"] += "-moved" if one["kind"].endswith("Template") else ""
    assert {change.action for change in world.plan(last).changes if change.writes} <= {Action.PRUNE}


def _wanted(bodies: Bodies) -> list[bytes]:
    return sorted(canonical_json([one["kind"], one["spec"]]) for one in bodies if one["kind"].endswith("Template"))


def _contents(world: World) -> list[bytes]:
    """Of all templates that are left, as often as git has templates of that content."""
    return sorted(
        canonical_json([key.kind, raw["spec"]]) for key, raw in world.cluster.objects.items() if is_template(key)
    )
