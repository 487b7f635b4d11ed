"""What rules take out of drift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clusterops.drift.ignore import idle, matches, sift
from clusterops.model.drift import Author, Departed, DriftedField, DriftedObject
from clusterops.model.ignore import IgnoreRule, is_at_or_below
from clusterops.model.key import ObjectKey

KEY = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="north", name="general")


def drifted(*fields: tuple[str, str], key: ObjectKey = KEY, what: Departed = Departed.CHANGED) -> DriftedObject:
    told = tuple(DriftedField(pointer=pointer, git=1, live=2, manager=manager) for pointer, manager in fields)
    return DriftedObject(key=key, what=what, fields=told)


def rule(*pointers: str, managers: tuple[str, ...] = (), **named: str) -> IgnoreRule:
    return IgnoreRule(source="fleet.yaml:25", pointers=pointers, managers=managers, **named)


def kept(one: DriftedObject, *rules: IgnoreRule, **given: object) -> list[str]:
    found = sift([one], rules, **given)  # type: ignore[arg-type]
    return [field.pointer for each in found.kept for field in each.fields]


def test_a_pointer_covers_itself_and_what_is_below_and_never_what_is_above() -> None:
    assert is_at_or_below("/spec/taints", "/spec/taints")
    assert is_at_or_below("/spec/taints/0/value", "/spec/taints")
    assert not is_at_or_below("/spec/taints", "/spec/taints/0")
    assert not is_at_or_below("/spec/taintsome", "/spec/taints")


def test_a_star_is_any_one_token() -> None:
    assert is_at_or_below("/spec/a/7/b/c", "/spec/a/*/b")
    assert not is_at_or_below("/spec/a/b", "/spec/a/*/b")
    assert not is_at_or_below("/spec/ax", "/spec/a*")


def test_escaped_tokens_are_one_token() -> None:
    label = "/metadata/labels/example.org~1ring"
    assert is_at_or_below(label, label)
    assert not is_at_or_below(label, "/metadata/labels/example.org")


def test_a_rule_takes_out_its_fields_and_leaves_the_others() -> None:
    one = drifted(("/spec/replicas", "kubectl-scale"), ("/spec/paused", "kubectl-edit"))
    found = sift([one], [rule("/spec/replicas")])
    assert [field.pointer for field in found.kept[0].fields] == ["/spec/paused"]
    assert [(each.field.pointer, each.rule) for each in found.ignored] == [("/spec/replicas", "fleet.yaml:25")]
    assert matches(found.ignored) == {"fleet.yaml:25": 1}


def test_an_object_of_which_all_fields_are_ignored_is_no_drift() -> None:
    assert sift([drifted(("/spec/replicas", "x"))], [rule("/spec")]).kept == ()


def test_managers_kinds_groups_names_and_namespaces_narrow_a_rule() -> None:
    one = drifted(("/spec/replicas", "keda-operator"))
    for narrow in (
        rule(managers=("kubectl*",)),
        rule("/spec", kind="MachinePool"),
        rule("/spec", group="apps"),
        rule("/spec", name="gen"),
        rule("/spec", namespace="south"),
    ):
        assert kept(one, narrow) == ["/spec/replicas"]
    assert kept(one, rule(managers=("keda*",), kind="Machine*", name="gen*", namespace="north")) == []


def test_annotations_ignore_pointers_of_their_object_alone() -> None:
    one = drifted(("/spec/replicas", "kubectl"), ("/spec/paused", "kubectl"))
    annotations = {KEY: [{}, {"clusterops.io/ignore-drift": "/spec/replicas, nonsense,"}]}
    assert kept(one, annotations=annotations) == ["/spec/paused"]
    assert kept(one, annotations={}) == ["/spec/replicas", "/spec/paused"]


def test_autoscalers_counts_and_cluster_apis_own_fields_are_ignored_by_right() -> None:
    counts = (
        ("/spec/replicas", "cluster-autoscaler"),
        ("/spec/topology/workers/machineDeployments/0/replicas", "cluster-autoscaler"),
    )
    assert kept(drifted(*counts, ("/spec/paused", "cluster-autoscaler"))) == ["/spec/paused"]
    assert kept(drifted(("/spec/x", "manager"), ("/spec/y", "capi-kubeadmcontrolplane"))) == []
    notes = ObjectKey(group="", kind="ConfigMap", namespace="north", name="notes")
    assert kept(drifted(("/data/x", "manager"), key=notes)) == ["/data/x"]


def test_what_is_gone_or_somebody_elses_is_never_ignored() -> None:
    for what in (Departed.DELETED, Departed.FOREIGN, Departed.REPLACED, Departed.EXTRA):
        one = drifted(("/spec/replicas", "x"), what=what)
        assert sift([one], [rule("/spec")]).kept == (one,)


def test_rules_that_matched_nothing_are_known() -> None:
    used, unused = rule("/spec/replicas"), IgnoreRule(source="fleet.yaml:26", kind="Secret", pointers=("/data",))
    found = sift([drifted(("/spec/replicas", "x"))], [used, unused])
    assert idle([used, unused], found.ignored) == (unused,)


def test_the_author_is_of_what_is_left() -> None:
    fields = (
        DriftedField(pointer="/spec/a", git=1, live=2, manager="x", author=Author.TOOL),
        DriftedField(pointer="/spec/b", git=1, live=2, manager="y", author=Author.PERSON),
    )
    one = DriftedObject(key=KEY, what=Departed.CHANGED, fields=fields, author=Author.TOOL)
    assert sift([one], [rule("/spec/a")]).kept[0].author is Author.PERSON


TOKENS = st.sampled_from(["spec", "a", "b", "0", "*", "x~1y"])
POINTERS = st.lists(TOKENS, min_size=1, max_size=4).map(lambda tokens: "/" + "/".join(tokens))
MANAGERS = st.sampled_from(["", "kubectl-edit", "manager", "cluster-autoscaler", "kube*", "*"])
RULES = st.builds(
    IgnoreRule,
    source=st.sampled_from(["a", "b"]),
    kind=st.sampled_from(["*", "MachineDeployment", "Secret"]),
    pointers=st.lists(POINTERS, max_size=2).map(tuple),
    managers=st.lists(MANAGERS, max_size=2).map(tuple),
)


@given(st.lists(st.tuples(POINTERS, MANAGERS), min_size=1, unique_by=lambda field: field[0]), st.lists(RULES), RULES)
def test_a_rule_never_widens_what_is_drift(
    fields: list[tuple[str, str]], rules: list[IgnoreRule], more: IgnoreRule
) -> None:
    """With one rule more, what is kept is a part of what was kept, and every field is still kept or ignored."""
    one = drifted(*fields)
    before, after = kept(one, *rules), kept(one, *rules, more)
    assert set(after) <= set(before) <= {pointer for pointer, _ in fields}
    ignored = [each.field.pointer for each in sift([one], [*rules, more]).ignored]
    assert sorted([*after, *ignored]) == sorted(pointer for pointer, _ in fields)
