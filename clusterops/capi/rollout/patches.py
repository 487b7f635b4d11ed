"""Inline JSON patches of a ClusterClass, applied to one of its templates.

**Source:** Cluster API v1.14.0 core/reconcilers/topology/cluster/patches/engine.go, inline/json_patch_generator.go and
variables/variables.go.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.rollout.difference import Body, IncomputableError, at
from clusterops.capi.rollout.go_templates import fields_of, rendered
from clusterops.model.key import group_of
from clusterops.model.pointer import tokens_of

OPAQUE: Final = "\0opaque"
"""Stands for what a template would make of its fields; equal ones render alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What a template is for: ``kind`` is ControlPlane, MachineDeployment or MachinePool, ``pool_class`` its class."""

    kind: str
    pool_class: str = ""


def patched(template: Body, holder: Holder, patches: Iterable[Body], variables: Mapping[str, Any]) -> Body:
    """The template's spec after all patches that select it. Raises IncomputableError for external ones."""
    body: dict[str, Any] = {"spec": copy.deepcopy(template.get("spec") or {})}
    for patch in patches:
        if at(patch, "external") is not None:
            raise IncomputableError(f"patch {patch.get('name')} is a runtime extension's")
        chosen = [
            one for one in patch.get("definitions") or () if _selects(one.get("selector") or {}, template, holder)
        ]
        if chosen and _enabled(patch, variables, body):
            for definition in chosen:
                for step in definition.get("jsonPatches") or ():
                    _apply(body, step, _value(step, variables), str(patch.get("name")))
    return body["spec"] if isinstance(body["spec"], Mapping) else {}


def opaque_in(value: Any) -> bool:
    if isinstance(value, Mapping):
        return OPAQUE in value or any(opaque_in(child) for child in value.values())
    return isinstance(value, list) and any(opaque_in(child) for child in value)


def _selects(selector: Body, template: Body, holder: Holder) -> bool:
    same = selector.get("kind") == template.get("kind") and group_of(str(selector.get("apiVersion"))) == group_of(
        str(template.get("apiVersion"))
    )
    match = selector.get("matchResources") or {}
    if not same:
        return False
    if holder.kind == "ControlPlane":
        return bool(match.get("controlPlane"))
    field = "machineDeploymentClass" if holder.kind == "MachineDeployment" else "machinePoolClass"
    return any(_matches(name, holder.pool_class) for name in at(match, field, "names") or ())


def _matches(name: str, pool_class: str) -> bool:
    if name in {"*", pool_class}:
        return True
    if name.startswith("*") and pool_class.endswith(name[1:]):
        return True
    return name.endswith("*") and pool_class.startswith(name[:-1])


def _enabled(patch: Body, variables: Mapping[str, Any], body: dict[str, Any]) -> bool:
    condition = patch.get("enabledIf")
    if not condition:
        return True
    try:
        return rendered(str(condition), variables).strip() == "true"
    except IncomputableError:
        # Whether it is enabled shows nowhere else, so the doubt is left in the object.
        body["spec"][f"{OPAQUE}:{patch.get('name')}"] = _opaque(str(condition), variables)
        return True


def _value(step: Body, variables: Mapping[str, Any]) -> Any:
    if "valueFrom" not in step:
        return copy.deepcopy(step.get("value"))
    source = step["valueFrom"]
    if source.get("variable"):
        return copy.deepcopy(_variable(str(source["variable"]), variables))
    template = str(source.get("template") or "")
    try:
        return _read(rendered(template, variables))
    except IncomputableError:
        return _opaque(template, variables)


def _variable(name: str, variables: Mapping[str, Any]) -> Any:
    value: Any = variables
    for step in name.replace("[", ".[").split("."):
        if step.startswith("[") and isinstance(value, list):
            place = int(step.strip("[]"))
            value = value[place] if place < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        raise IncomputableError(f"variable {name} has no value")
    return value


def _read(text: str) -> Any:
    """The result is YAML; what is JSON, or plain words, is read here, anything else stays a text that compares."""
    stripped = text.strip()
    try:
        return json.loads(stripped)
    except ValueError:
        plain = "\n" not in stripped and ": " not in stripped and not stripped.endswith(":")
        return (
            stripped
            if plain and stripped[:1] not in {"-", "{", "[", "&", "*", "!", "|", ">", "'", "#"}
            else {OPAQUE: stripped}
        )


def _opaque(template: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    return {OPAQUE: [template, [list(each) for each in fields_of(template, variables)]]}


def _apply(body: dict[str, Any], step: Body, value: Any, name: str) -> None:
    path = tokens_of(str(step.get("path", "")))
    there: Any = body
    for token in path[:-1]:
        there = _child(there, token, name)
    operation, last = step.get("op"), path[-1]
    if isinstance(there, list):
        _apply_to_list(there, operation, last, value, name)
    elif isinstance(there, dict):
        if operation == "remove":
            if last not in there:
                raise IncomputableError(f"patch {name} removes what is not there")
            del there[last]
        elif operation == "replace" and last not in there:
            raise IncomputableError(f"patch {name} replaces what is not there")
        else:
            there[last] = value
    else:
        raise IncomputableError(f"patch {name} does not fit its template")


def _apply_to_list(there: list[Any], operation: Any, last: str, value: Any, name: str) -> None:
    place = len(there) if last == "-" else int(last) if last.isdigit() else -1
    if place < 0 or place > len(there) - (operation != "add"):
        raise IncomputableError(f"patch {name} has no item {last}")
    if operation == "add":
        there.insert(place, value)
    elif operation == "remove":
        del there[place]
    else:
        there[place] = value


def _child(there: Any, token: str, name: str) -> Any:
    if isinstance(there, dict) and token in there:
        return there[token]
    if isinstance(there, list) and token.isdigit() and int(token) < len(there):
        return there[int(token)]
    raise IncomputableError(f"patch {name} goes to {token}, which is not there")
