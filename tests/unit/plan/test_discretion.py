"""What a plan shows of secrets: nothing."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from clusterops.apply import apply_plan
from clusterops.model.inventory import empty_inventory
from clusterops.model.key import ObjectKey
from clusterops.model.manifest import Manifest
from clusterops.model.plan import MISSING, Action, FieldChange, Plan
from clusterops.model.secret import NO_SECRETS, SecretValues, is_sensitive, shown
from clusterops.model.sketch import said_of
from clusterops.plan import plan_to_json, plan_to_text
from clusterops.plan.discretion import discreet
from clusterops.plan.fields import mask
from clusterops.telemetry import build_logger
from tests.fleet_objects import MemoryStore, body, cluster_bodies, read_and_plan
from tests.machine_objects import machines_of
from tests.model_cluster import ModelCluster
from tests.skipping_clock import SkippingClock

PLANE = ObjectKey(group="controlplane.cluster.x-k8s.io", kind="KubeadmControlPlane", namespace="eu", name="pay")
CONFIG = ObjectKey(group="bootstrap.cluster.x-k8s.io", kind="KubeadmConfigTemplate", namespace="eu", name="pay")
NOTES = ObjectKey(group="", kind="ConfigMap", namespace="eu", name="notes")
FILES = "/spec/kubeadmConfigSpec/files"


def test_contents_of_files_passwords_and_tokens_of_machines_are_sensitive_and_their_places_are_not() -> None:
    told = {
        f"{FILES}/0/content": True,
        f"{FILES}/0/path": False,
        f"{FILES}/0/contentFrom/secret/name": False,
        "/spec/template/spec/users/1/passwd": True,
        "/spec/template/spec/users/1/passwdFrom/secret/name": False,
        "/spec/kubeadmConfigSpec/initConfiguration/bootstrapTokens/0/token": True,
        "/spec/kubeadmConfigSpec/joinConfiguration/discovery/bootstrapToken/token": True,
        "/spec/version": False,
    }
    assert {pointer: is_sensitive(PLANE, pointer) for pointer in told} == told
    assert not is_sensitive(NOTES, f"{FILES}/0/content")


def test_a_list_that_is_told_as_a_whole_hides_only_the_contents_and_says_which_are_new() -> None:
    before = [{"path": "/a", "content": "CANARY-A"}, {"path": "/b", "content": "CANARY-B"}]
    after = [{"path": "/b", "content": "CANARY-B"}, {"path": "/c", "content": "CANARY-C", "owner": "root"}]
    told = mask(PLANE, FieldChange(pointer=FILES, before=before, after=after))
    assert told.before == [{"path": "/a", "content": "(secret)"}, {"path": "/b", "content": "(secret)"}]
    assert told.after == [
        {"path": "/b", "content": "(secret)"},
        {"path": "/c", "content": "(secret, changed)", "owner": "root"},
    ]


def test_what_a_class_patches_into_machines_is_hidden_too() -> None:
    key = ObjectKey(group="cluster.x-k8s.io", kind="ClusterClass", namespace="eu", name="small")
    patch = {"op": "add", "path": "/spec/template/spec/files/-", "value": {"path": "/a", "content": "CANARY"}}
    told = shown(key, "/spec/patches", [{"definitions": [{"jsonPatches": [patch]}]}])
    assert "CANARY" not in json.dumps(told)
    assert '"/a"' in json.dumps(told)


@pytest.mark.parametrize("length", [6, 7, 8, 23])
@pytest.mark.parametrize("offset", range(4))
def test_a_decrypted_value_is_known_in_base64_at_any_offset(length: int, offset: int) -> None:
    secret = "s3cr3t-canary/0123456789?"[:length]
    text = base64.b64encode(f"{'x' * offset}{secret}{'y' * offset}".encode()).decode()
    assert SecretValues([secret]).within({"data": [text]})


def test_a_decrypted_value_is_known_inside_longer_text_in_keys_line_by_line_and_as_json_spells_it() -> None:
    secret = 'first-"line" of it\nsecond line of it'
    secrets = SecretValues([secret, 4711, "ab"])
    for text in (f"x={secret};", "    second line of it\n", json.dumps({"a": secret}), {secret: 1}, 4711, "4711", "ab"):
        assert secrets.within(text), text
    for harmless in ("cab", "line", 471, True, None, {"a": ["first"]}):
        assert not secrets.within(harmless), harmless
    assert secrets.struck("got second line of it, no") == "got (secret), no"
    assert "line" not in repr(secrets)


def test_no_secrets_hide_nothing() -> None:
    assert not NO_SECRETS
    assert NO_SECRETS.shown({"a": "b"}) == {"a": "b"}


def _with_files(bodies: list[dict[str, Any]], *contents: str) -> list[dict[str, Any]]:
    plane = next(one for one in bodies if one["kind"] == "KubeadmControlPlane")
    config = next(one for one in bodies if one["kind"] == "KubeadmConfigTemplate")
    files = [{"path": f"/f{index}", "content": content} for index, content in enumerate(contents)]
    plane["spec"]["kubeadmConfigSpec"]["files"] = files
    config["spec"]["template"]["spec"] |= {"files": files, "users": [{"name": "ops", "passwd": contents[-1]}]}
    return bodies


def _changed() -> Plan:
    async def run() -> Plan:
        cluster, store = ModelCluster(), MemoryStore(empty_inventory("north/alpha"))
        first = await read_and_plan(cluster, _with_files(cluster_bodies(), "CANARY-1", "same"), store.inventory)
        logger = build_logger(level="critical")
        report = await apply_plan(first, cluster, clock=SkippingClock(), logger=logger, store=store)
        store.inventory = store.inventory.narrowed(report, revision="c1")
        for one in machines_of("alpha", workers=2):
            await cluster.create(one)
        return await read_and_plan(cluster, _with_files(cluster_bodies(), "CANARY-2", "CANARY-3"), store.inventory)

    return asyncio.run(run())


def test_a_plan_of_changed_machine_files_shows_that_they_change_and_nothing_of_them() -> None:
    plan = _changed()
    told = plan_to_text(plan) + json.dumps(plan_to_json(plan))
    assert "CANARY" not in told
    assert "(secret, changed)" in told
    assert any(impact.replaced for impact in plan.impacts)


def test_what_was_decrypted_is_hidden_in_fields_causes_and_reasons_wherever_it_ended_up() -> None:
    plan = _changed()
    row = next(one for one in plan.changes if one.key.kind == "KubeadmControlPlane")
    field = FieldChange(pointer="/spec/x", before="old", after="--token=CANARY-9 --v=2")
    told = discreet(replace(row, fields=(field,), heals=(field,)), SecretValues(["CANARY-9"]))
    assert {(one.before, one.after) for one in (*told.fields, *told.heals)} == {("(secret)", "(secret, changed)")}
    fresh = discreet(replace(row, fields=(replace(field, before=MISSING),)), SecretValues(["CANARY-9"]))
    assert fresh.fields[0].after == "(secret)"


def test_a_secret_that_git_gave_up_is_hidden_where_the_inventory_remembers_only_its_place() -> None:
    """The new render knows nothing of the old value, which the live object still has."""

    async def run() -> Plan:
        cluster, store = ModelCluster(), MemoryStore(empty_inventory("north/alpha"))
        old = Manifest.of(_noted("--token=CANARY-old --v=2"))
        first = await read_and_plan(cluster, [old.body], store.inventory)
        rows = [one for wave in first.waves for one in wave]
        sketch = said_of(old, SecretValues(["CANARY-old"]))
        first = replace(first, waves=(tuple(replace(one, applied=sketch) for one in rows),))
        logger = build_logger(level="critical")
        report = await apply_plan(first, cluster, clock=SkippingClock(), logger=logger, store=store)
        store.inventory = store.inventory.narrowed(report, revision="c1")
        return await read_and_plan(cluster, [_noted(None)], store.inventory)

    plan = asyncio.run(run())
    assert [(one.pointer, one.before, one.after) for one in plan.changes[0].fields] == [
        ("/data/arguments", "(secret)", MISSING)
    ]
    assert "CANARY" not in plan_to_text(plan) + json.dumps(plan_to_json(plan))


def test_so_it_is_in_a_template_that_is_rotated_without_it() -> None:
    commands = ["curl -H CANARY-old"]

    async def run() -> Plan:
        cluster, store = ModelCluster(), MemoryStore(empty_inventory("north/alpha"))
        first = await read_and_plan(cluster, _commanding(commands), store.inventory)
        logger = build_logger(level="critical")
        report = await apply_plan(first, cluster, clock=SkippingClock(), logger=logger, store=store)
        store.inventory = store.inventory.narrowed(report, revision="c1")
        entries = dict(store.inventory.entries)
        template = next(key for key in entries if key.kind == "KubeadmConfigTemplate")
        said = next(Manifest.of(one) for one in _commanding(commands) if one["kind"] == template.kind)
        entries[template] = replace(entries[template], applied=said_of(said, SecretValues(["CANARY-old"])))
        return await read_and_plan(cluster, _commanding([]), replace(store.inventory, entries=entries))

    plan = asyncio.run(run())
    (field,) = next(one for one in plan.changes if one.action is Action.ROTATE).fields
    assert (field.pointer, field.before) == ("/spec/template/spec/preKubeadmCommands", "(secret)")


def _commanding(commands: list[str]) -> list[dict[str, Any]]:
    bodies = cluster_bodies()
    for one in bodies:
        if one["kind"] == "KubeadmConfigTemplate" and commands:
            one["spec"]["template"]["spec"]["preKubeadmCommands"] = commands
    return bodies


def _noted(arguments: str | None) -> dict[str, Any]:
    data = {"kept": "x"} | ({"arguments": arguments} if arguments else {})
    return body("v1", "ConfigMap", "alpha-notes", data=data)
