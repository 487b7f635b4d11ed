"""The comment on a real merge names the line that each changed value stands in, and shows nothing of what is secret."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fleet_objects import cluster_bodies
from tests.unit.controller.proposed import cluster, proposals

ALPHA = "clusters/north/alpha/objects.yaml"


def with_canaries(mark: str) -> str:
    """A cluster with a Secret, files and passwords for machines, and what kubectl leaves behind."""
    bodies = cluster_bodies("alpha")
    for one in bodies:
        applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": f"CANARY-applied-{mark}"})}
        one["metadata"] = {"name": one["metadata"]["name"], "annotations": applied}
        if one["kind"] == "Secret":
            one["stringData"] = {"token": f"CANARY-secret-{mark}"}
        if one["kind"] == "KubeadmControlPlane":
            files = [{"path": "/etc/a", "content": f"CANARY-file-{mark}"}]
            users = [{"name": "ops", "passwd": f"CANARY-passwd-{mark}"}]
            one["spec"]["kubeadmConfigSpec"] |= {"files": files, "users": users}
        if one["kind"] == "KubeadmConfigTemplate":
            one["spec"]["template"]["spec"]["files"] = [{"path": "/etc/b", "content": f"CANARY-pool-{mark}"}]
    return "---\n".join(f"{json.dumps(one)}\n" for one in bodies)


async def test_a_changed_field_of_a_plain_object_is_told_with_its_line(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    resized = cluster("alpha", workers=4)
    fleet.propose(7, {ALPHA: resized})
    line = 1 + next(n for n, text in enumerate(resized.splitlines()) if '"MachineDeployment"' in text)
    async with fleet.followed():
        (body,) = fleet.forge.bodies(7)
        assert f"+ /spec/replicas  4                 {ALPHA}:{line}\n" in body


async def test_a_rotated_template_is_told_with_the_line_of_the_one_that_git_names(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.propose(7, {ALPHA: fleet.files[ALPHA].replace("unix:///c.sock", "unix:///d.sock")})
    async with fleet.followed():
        (body,) = fleet.forge.bodies(7)
        told = [line for line in body.splitlines() if line.startswith("+ ") and "criSocket" in line]
        assert len(told) == 2
        assert all(f"   {ALPHA}:" in line for line in told)


async def test_canaries_in_secrets_machine_files_and_annotations_are_in_no_comment_and_no_status(
    tmp_path: Path,
) -> None:
    fleet = await proposals(tmp_path)
    await fleet.merge({ALPHA: with_canaries("old")})
    await fleet.apply()
    fleet.propose(7, {ALPHA: with_canaries("new")})
    async with fleet.followed():
        (body,) = fleet.forge.bodies(7)
        assert "(secret, changed)" in body
        told = [body, *(status.text for _, status in fleet.forge.posted)]
        assert not [text for text in told if "CANARY" in text]
