"""Rules of Argo CD and Flux about differences that do not matter, as ``ignore:`` of fleet.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from clusterops.importers.argo_cd import application_rules, application_set_rules, config_rules
from clusterops.importers.carried import Carried, Imported, NotCarried
from clusterops.importers.flux import object_rules, release_rules
from clusterops.model.ignore import ANY, IgnoreRule

_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./~\-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def rules_from(documents: Iterable[Mapping[str, Any]]) -> Imported:
    """From Kubernetes objects as loaded from YAML, Lists among them; objects of other kinds say nothing.

    Rules in the order in which they were found, each once. Never raises: what cannot be read is not carried.
    """
    found = [one for document in documents for each in _flat(document) for one in _rules_of(each)]
    rules = {_essence(one): one for one in reversed(found) if isinstance(one, IgnoreRule)}
    missed = dict.fromkeys(one for one in found if isinstance(one, NotCarried))
    return Imported(rules=tuple(reversed(rules.values())), not_carried=tuple(missed))


def rules_to_yaml(rules: Iterable[IgnoreRule]) -> str:
    """The ``ignore:`` of fleet.yaml, each rule with a comment that says where it comes from."""
    lines = [line for rule in rules for line in (f"  # {_one_line(rule.source)}", f"  - {{{_entry(rule)}}}")]
    return "\n".join(["ignore:", *lines, ""]) if lines else "ignore: []\n"


def _flat(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, Mapping):
        return
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _flat(item)
    else:
        yield document


def _rules_of(document: Mapping[str, Any]) -> Iterator[Carried]:
    group = str(document.get("apiVersion", "")).partition("/")[0]
    readers = {
        ("argoproj.io", "Application"): application_rules,
        ("argoproj.io", "ApplicationSet"): application_set_rules,
        ("v1", "ConfigMap"): config_rules,
        ("helm.toolkit.fluxcd.io", "HelmRelease"): release_rules,
        ("kustomize.toolkit.fluxcd.io", "Kustomization"): release_rules,
    }
    read = readers.get((group, str(document.get("kind", ""))))
    if read is not None:
        yield from read(document)
    yield from object_rules(document)


def _essence(rule: IgnoreRule) -> Any:
    return rule.kind, rule.group, rule.name, rule.namespace, rule.pointers, rule.managers


def _entry(rule: IgnoreRule) -> str:
    named = {"group": rule.group, "name": rule.name, "namespace": rule.namespace}
    parts = [f"kind: {_scalar(rule.kind)}", *(f"{key}: {_scalar(one)}" for key, one in named.items() if one != ANY)]
    lists = {"pointers": rule.pointers, "managers": rule.managers}
    parts += [f"{key}: [{', '.join(map(_scalar, each))}]" for key, each in lists.items() if each]
    return ", ".join(parts)


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text)


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
