"""Where an owner names the templates that its machines and objects are made from, alike in v1beta1 and v1beta2.

**Source:** Cluster API v1.14 api/core/v1beta2, api/core/v1beta1 and api/controlplane/kubeadm (both): the same places
are nested differently (``machineTemplate.infrastructureRef``, ``machineTemplate.spec.infrastructureRef``;
``machineInfrastructure.ref``, ``machineInfrastructure.templateRef``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clusterops.capi.kinds import CORE, is_control_plane, is_template
from clusterops.model.key import ObjectKey, group_of

_OWNERS: Final = frozenset({"Cluster", "ClusterClass", "MachineDeployment", "MachineSet"})
_NESTING: Final = frozenset({"machineTemplate", "ref", "spec", "template", "templateRef"})
_ITEM_NAMES: Final = ("class", "name")

Step = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReference:
    """``place`` is the same in every version of the owner (``workers/machineDeployments/worker/bootstrap``).

    ``path`` leads to the reference in the body that it was found in.
    """

    place: str
    path: tuple[Step, ...]
    template: ObjectKey


def follows_templates(key: ObjectKey) -> bool:
    """Whether another template behind its references is carried out by the owner.

    Never a MachinePool: what it names is a live object, and another name is another node group.
    """
    return is_control_plane(key) or (key.group == CORE and key.kind in _OWNERS)


def template_references(body: Mapping[str, Any]) -> tuple[TemplateReference, ...]:
    """In document order; each place once. O(size of the spec)."""
    namespace = (body.get("metadata") or {}).get("namespace") or None
    found = {one.place: one for one in _walk(body.get("spec") or {}, ("spec",), (), namespace)}
    return tuple(found.values())


def with_templates(body: Mapping[str, Any], names: Mapping[tuple[Step, ...], str]) -> dict[str, Any]:
    """The body with other names of templates, by the path of the reference; shares what does not change."""
    changed: Any = body
    for path, name in names.items():
        changed = _replaced(changed, (*path, "name"), name)
    return dict(changed)


def _replaced(value: Any, path: Sequence[Step], name: str) -> Any:
    if not path:
        return name
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_replaced(item, rest, name) if index == step else item for index, item in enumerate(value)]
    return {field: _replaced(child, rest, name) if field == step else child for field, child in value.items()}


def _walk(
    value: Any, path: tuple[Step, ...], place: tuple[str, ...], namespace: str | None
) -> Iterator[TemplateReference]:
    if isinstance(value, Mapping):
        template = _template(value, namespace)
        if template is not None:
            yield TemplateReference(place="/".join(place), path=path, template=template)
            return
        for field, child in value.items():
            below = place if field in _NESTING else (*place, str(field))
            yield from _walk(child, (*path, field), below, namespace)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index), (*place, _item_name(item, index)), namespace)


def _item_name(item: Any, index: int) -> str:
    """Items are told apart by what Cluster API calls them, so that reordering a list moves no reference."""
    if isinstance(item, Mapping):
        return next((str(item[name]) for name in _ITEM_NAMES if isinstance(item.get(name), str)), str(index))
    return str(index)


def _template(value: Mapping[str, Any], namespace: str | None) -> ObjectKey | None:
    kind, name = value.get("kind"), value.get("name")
    group = value.get("apiGroup") or group_of(str(value.get("apiVersion") or ""))
    if not (isinstance(kind, str) and isinstance(name, str) and kind and name and group):
        return None
    key = ObjectKey(group=str(group), kind=kind, namespace=value.get("namespace") or namespace, name=name)
    return key if is_template(key) else None
