"""The rights that the install asks for are enough to follow what it may read."""

from __future__ import annotations

from clusterops.model.document import load_values
from tests.stage import ROOT


def test_what_may_be_got_may_be_listed_and_watched() -> None:
    text = (ROOT / "kustomize" / "install" / "rbac.yaml").read_bytes()
    roles = [body for body in load_values(text, "rbac.yaml") if body and body["kind"] in {"ClusterRole", "Role"}]
    # An object by its name can be got and neither listed nor watched.
    rules = [set(rule["verbs"]) for role in roles for rule in role["rules"] if "resourceNames" not in rule]
    assert any("get" in verbs for verbs in rules)
    assert all({"list", "watch"} <= verbs for verbs in rules if "get" in verbs)
