"""The algebra of shared classes: edits, reverts, moves and collections in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterops.plan.classes import NO_CLASSES
from tests.property.test_plan import Bodies
from tests.unit.plan.test_class_generations import CLASS, Fleet, class_bodies, patched, the_new, with_edited_workers

NAMES = ("alpha", "beta")
Step = tuple[str, Any]
STEPS = st.one_of(
    st.tuples(st.just("edit"), st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from([0, 1, 2]))),
    st.tuples(st.just("apply"), st.none()),
    st.tuples(st.just("move"), st.sampled_from(NAMES)),
)


def content(edit: tuple[str, int]) -> Bodies:
    patch, workers = edit
    bodies = patched(class_bodies(), patch) if patch else class_bodies()
    return with_edited_workers(bodies, workers) if workers else bodies


@settings(max_examples=12, deadline=None)
@given(st.lists(STEPS, max_size=10))
def test_everybody_ends_on_one_class_and_none_goes_that_is_used(steps: list[Step]) -> None:
    found, wanted = Fleet(), content(("", 0))
    found.apply_shared(wanted)
    for name in NAMES:
        found.apply(name, found.classes(wanted))
    for verb, what in steps:
        if verb == "edit":
            wanted = content(what)
        elif verb == "apply":
            found.apply_shared(wanted)
        else:
            found.apply(what, found.classes(wanted))
        assert {found.class_of(name) for name in NAMES} <= found.alive
        assert found.classes(wanted).current[CLASS] == the_new(found.shared.plan(wanted)).key
    found.apply_shared(wanted)
    for name in NAMES:
        found.apply(name, found.classes(wanted))
    for _ in range(3):
        found.apply_shared(wanted)
    assert found.alive == {found.class_of(name) for name in NAMES}
    assert len(found.alive) == 1
    assert not found.shared.plan(wanted).writes
    assert not any(found.plan(name, found.classes(wanted)).writes for name in NAMES)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from([0, 1, 2])), min_size=1, max_size=4))
def test_a_cluster_never_names_a_class_that_is_not_there(edits: list[tuple[str, int]]) -> None:
    """Whatever git says by then, and whether anything of it was applied."""
    found = Fleet()
    found.apply_shared(content(("", 0)))
    found.apply("alpha", NO_CLASSES)
    for number, edit in enumerate(edits):
        found.apply("alpha", found.classes(content(edit)))
        assert found.class_of("alpha") in found.alive
        if number % 2:
            found.apply_shared(content(edit))
