"""Encrypted values through real helm and kustomize: decrypted where they are used, in memory alone."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import HelmRecipe, TemplateRecipe
from clusterops.model.manifest import RenderedSet
from clusterops.model.revision import Snapshot
from clusterops.model.secret import MASK
from clusterops.render import ProcessRenderer, ValuesError, explain
from clusterops.settings import RenderSettings
from clusterops.telemetry import Metrics, build_logger
from tests.sealed import AgeKey, sealed
from tests.unit.render.repository import helm, snapshot_of, target_of

pytestmark = pytest.mark.tools

CANARY = "canary-7f3a91c5"
HOME = "clusters/north/alpha"
VALUES, SECRETS = f"{HOME}/values.yaml", f"{HOME}/secrets.yaml"
KEY, OTHER = AgeKey(), AgeKey()
CHART = {
    "charts/c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "charts/c/values.yaml": "password: none\n",
    "charts/c/templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    'data:\n  text: {{ printf "user=x\\npassword=%s" .Values.password | quote }}\n'
    "  encoded: {{ .Values.password | b64enc }}\n  plain: {{ .Values.plain }}\n",
}
COMPONENT = {
    "regions/north/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    "labels: [{pairs: {region: north}}]\n"
}
FILES: dict[str, str | bytes] = {
    **CHART,
    VALUES: "plain: seen\npassword: below\n",
    SECRETS: sealed({"password": CANARY}, KEY),
}


def recipe(*sealed_files: str) -> HelmRecipe:
    return replace(helm(VALUES, SECRETS), sealed=sealed_files or (SECRETS,))


@pytest.fixture
def make(tools: dict[str, Path], tmp_path: Path) -> Callable[..., ProcessRenderer]:
    def renderer(key_file: Path | None = None, **changes: Any) -> ProcessRenderer:
        settings = RenderSettings(
            helm=tools["helm"],
            kustomize=tools["kustomize"],
            cache_dir=tmp_path / "cache",
            age_key_file=key_file or key_in(tmp_path / "key.txt"),
        )
        return ProcessRenderer(replace(settings, **changes), build_logger(level="critical"), Metrics())

    return renderer


def key_in(path: Path, key: AgeKey = KEY) -> Path:
    path.write_text(key.text)
    return path


def data_of(rendered: RenderedSet) -> Any:
    (manifest,) = rendered.manifests
    return manifest.body["data"]


async def error_of(renderer: ProcessRenderer, snapshot: Snapshot, **changes: Any) -> ClusterOpsError:
    with pytest.raises(ClusterOpsError) as caught:
        await renderer.render(snapshot, target_of(recipe(), **changes))
    return caught.value


def files_with(canary: str, *folders: Path) -> Iterator[Path]:
    """Files below the folders that hold it, plain or in base64; pipes are no files."""
    wanted = (canary.encode(), base64.b64encode(canary.encode()))
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and any(one in path.read_bytes() for one in wanted):
                yield path


@pytest.mark.parametrize("component", ["", "regions/north"])
async def test_an_encrypted_layer_is_used_over_the_one_below_it_and_reaches_no_file(
    make: Callable[..., ProcessRenderer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, component: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    kept: list[bytes] = []
    monkeypatch.setattr("shutil.rmtree", lambda root, **_: kept.append(root))
    rendered = await make().render(snapshot_of({**FILES, **COMPONENT}), target_of(recipe(), component=component))
    data = data_of(rendered)
    assert data["text"] == f"user=x\npassword={CANARY}"
    assert data["plain"] == "seen"
    assert kept, "the folders of the run are still there to be searched"
    assert not list(files_with(CANARY, tmp_path))


async def test_what_was_decrypted_is_known_to_the_set_in_all_its_forms(make: Callable[..., ProcessRenderer]) -> None:
    rendered = await make().render(snapshot_of(FILES), target_of(recipe()))
    (shown,) = rendered.shown
    assert shown["data"] == {"text": MASK, "encoded": MASK, "plain": "seen"}
    assert CANARY not in repr(rendered)


async def test_nothing_of_it_is_cached_on_disk(make: Callable[..., ProcessRenderer], tmp_path: Path) -> None:
    renderer, snapshot, target = make(), snapshot_of(FILES), target_of(recipe())
    await renderer.render(snapshot, target)
    assert (await renderer.render(snapshot, target)).provenance.cached
    assert not list((tmp_path / "cache").rglob("*.json"))


async def test_a_template_takes_its_variables_from_one(make: Callable[..., ProcessRenderer]) -> None:
    path = f"{HOME}/t.yaml"
    files: dict[str, str | bytes] = {
        path: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {p: '${PASS}'}\n",
        SECRETS: sealed({"variables": {"PASS": CANARY}}, KEY),
    }
    recipe = TemplateRecipe(files=(path,), values=(SECRETS,), sealed=(SECRETS,))
    assert data_of(await make().render(snapshot_of(files), target_of(recipe))) == {"p": CANARY}


async def test_a_missing_key_is_the_problem_of_its_target_until_there_is_one(
    make: Callable[..., ProcessRenderer], tmp_path: Path
) -> None:
    renderer, snapshot, target = make(key_in(tmp_path / "k", OTHER)), snapshot_of(FILES), target_of(recipe())
    before = renderer.fingerprint(snapshot, target)
    assert (await error_of(renderer, snapshot)).code == "sops-key-missing"
    plain = target_of(helm(VALUES))
    unchanged = renderer.fingerprint(snapshot, plain)
    assert data_of(await renderer.render(snapshot, plain))["plain"] == "seen"
    key_in(tmp_path / "k.new").replace(tmp_path / "k")
    assert renderer.fingerprint(snapshot, target) != before
    assert renderer.fingerprint(snapshot, plain) == unchanged
    assert data_of(await renderer.render(snapshot, target))["plain"] == "seen"


async def test_a_snapshot_that_is_not_trusted_is_never_decrypted_nor_taken_from_what_was(
    make: Callable[..., ProcessRenderer],
) -> None:
    renderer, snapshot, target = make(), snapshot_of(FILES), target_of(recipe())
    await renderer.render(snapshot, target)
    foreign = replace(snapshot, trusted=False)
    assert renderer.fingerprint(foreign, target) != renderer.fingerprint(snapshot, target)
    error = await error_of(renderer, foreign)
    assert (error.code, error.message) == ("sops-untrusted", "comes from a fork: its secrets are not decrypted")
    assert data_of(await renderer.render(foreign, target_of(helm(VALUES))))["plain"] == "seen"


async def test_helms_complaints_hold_no_secret(make: Callable[..., ProcessRenderer]) -> None:
    template = 'data: {{ fail (printf "no %s, nor %s" .Values.password (.Values.password | b64enc)) }}\n'
    error = await error_of(make(), snapshot_of({**FILES, "charts/c/templates/map.yaml": template}))
    assert error.code == "helm-failed"
    assert error.message.startswith(f"no {MASK}, nor {MASK}")
    assert CANARY not in repr(error)


async def test_what_is_no_manifest_is_told_without_a_secret(make: Callable[..., ProcessRenderer]) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: [{{ .Values.password }}]}}\n"
    error = await error_of(make(), snapshot_of({**FILES, "charts/c/templates/map.yaml": template}))
    assert error.code == "manifest-invalid"
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    "schema",
    [
        '{"properties": {"password": {"type": "integer"}}}',
        '{"properties": {"password": {"enum": ["a"]}}}',
        '{"properties": {"password": {"pattern": "^x"}}}',
        '{"properties": {"password": {"anyOf": [{"type": "integer"}, {"maxLength": 2}]}}}',
        '{"properties": {"password": {"not": {}}}}',
        '{"properties": {"list": {"maxItems": 0}}}',
        '{"properties": {"list": {"items": {"type": "integer"}}}}',
    ],
)
async def test_a_schema_that_does_not_fit_quotes_no_secret(make: Callable[..., ProcessRenderer], schema: str) -> None:
    marked = CHART["charts/c/Chart.yaml"] + "annotations: {clusterops.io/values: v1}\n"
    long = f"{CANARY}-{'y' * 80}"
    files = {
        **FILES,
        "charts/c/Chart.yaml": marked,
        "charts/c/values.schema.json": schema,
        SECRETS: sealed({"password": long, "list": [long]}, KEY),
    }
    error = await error_of(make(), snapshot_of(files))
    assert isinstance(error, ValuesError)
    assert error.path == SECRETS
    assert error.line > 0
    assert "canary" not in f"{error} {error.hint} {error.problems}"


async def test_explain_names_the_file_and_the_line_and_not_the_value(make: Callable[..., ProcessRenderer]) -> None:
    renderer, snapshot, target = make(), snapshot_of(FILES), target_of(recipe())
    answer = await explain(renderer, snapshot, target, "password")
    assert answer.text.startswith(f"{MASK}  {SECRETS}:1  over  below  {VALUES}:2")
    answer = await explain(renderer, snapshot, target, "ConfigMap/a:/data/text")
    assert answer.value == MASK
    assert CANARY not in f"{answer.to_body()}"


async def test_a_killed_run_leaves_nothing_behind_to_read(tools: dict[str, Path], tmp_path: Path) -> None:
    """kill -9 while kustomize waits for the pipe, with helm's output in memory."""
    slow = tmp_path / "kustomize"
    reached = tmp_path / "reached"
    slow.write_text(f"#!/bin/sh\necho $$ > {reached}.new\nmv {reached}.new {reached}\nexec sleep 600\n")
    slow.chmod(0o755)
    script = tmp_path / "run.py"
    (tmp_path / "scratch").mkdir()
    script.write_text(
        f"""
import asyncio, pathlib, tempfile
from tests.doors import test_sops as t
from clusterops.model.secret import SecretText
from clusterops.settings import RenderSettings
tempfile.tempdir = {str(tmp_path / "scratch")!r}
settings = RenderSettings(helm=pathlib.Path({str(tools["helm"])!r}), kustomize=pathlib.Path({str(slow)!r}),
    cache_dir=pathlib.Path({str(tmp_path / "cache")!r}), age_key=SecretText(t.KEY.text))
renderer = t.ProcessRenderer(settings, t.build_logger(level="critical"), t.Metrics())
asyncio.run(renderer.render(t.snapshot_of({{**t.FILES, **t.COMPONENT}}),
    t.target_of(t.recipe(), component="regions/north")))
"""
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": os.getcwd()}
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), env=environment, start_new_session=True)
    try:
        async with asyncio.timeout(120):
            while not reached.exists():
                assert process.returncode is None, "the run ended early"
                await asyncio.sleep(0.02)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if reached.exists():
            os.kill(int(reached.read_text()), signal.SIGKILL)
    assert list((tmp_path / "scratch").iterdir()), "the folder of the killed run is still there to be searched"
    assert not list(files_with(CANARY, tmp_path / "scratch", tmp_path / "cache"))
