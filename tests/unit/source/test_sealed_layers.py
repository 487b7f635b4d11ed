"""Which files of the fleet repository may be encrypted, and what the layers of a target are then."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clusterops.model.fleet import Fleet, HelmRecipe, PlainRecipe, TemplateRecipe
from clusterops.source.fleet import read_fleet
from tests.sealed import AgeKey, sealed
from tests.unit.render.repository import snapshot_of

KEY = AgeKey()
WEB = "clusters/eu/web"
SEALED = sealed({"password": "canary"}, KEY)
GROUND: dict[str, str | bytes] = {
    "fleet.yaml": "apiVersion: clusterops.io/v1alpha1\nkind: FleetFile\nname: f\nmode: apply\n"
    "clouds: {dev: {chart: {path: charts/c}}}\n",
    "charts/c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "regions/eu/region.yaml": "cloud: dev\ncredentials: {secret: none, cloud: dev}\n",
}


def fleet(files: Mapping[str, str | bytes]) -> Fleet:
    return read_fleet(snapshot_of({**GROUND, **files}))


def codes(files: Mapping[str, str | bytes]) -> list[str]:
    return [problem.code for problem in fleet(files).targets["eu/web"].problems]


def test_every_level_may_have_an_encrypted_layer_above_its_plain_one() -> None:
    files: dict[str, str | bytes] = {
        f"{folder}/{name}": text
        for folder in ("clouds/dev", "regions/eu", WEB)
        for name, text in (("values.yaml", "a: 1\n"), ("secrets.yaml", SEALED))
    }
    target = fleet(files).targets["eu/web"]
    assert target.problems == ()
    assert isinstance(target.recipe, HelmRecipe)
    assert target.recipe.values == tuple(
        f"{folder}/{name}" for folder in ("clouds/dev", "regions/eu", WEB) for name in ("values.yaml", "secrets.yaml")
    )
    assert target.recipe.sealed == tuple(path for path in target.recipe.values if path.endswith("secrets.yaml"))


def test_values_yaml_itself_may_be_encrypted_with_its_block_in_plain_text() -> None:
    text = sealed({"clusterops": {"labels": {"team": "a"}}, "password": "canary"}, KEY)
    target = fleet({f"{WEB}/values.yaml": text}).targets["eu/web"]
    assert target.problems == ()
    assert target.labels == {"team": "a"}
    assert isinstance(target.recipe, HelmRecipe)
    assert target.recipe.sealed == (f"{WEB}/values.yaml",)


def test_a_template_may_take_variables_from_one() -> None:
    files: dict[str, str | bytes] = {
        f"{WEB}/values.yaml": "variables: {A: b}\n",
        f"{WEB}/secrets.yaml": sealed({"variables": {"PASS": "canary"}}, KEY),
        f"{WEB}/t.yaml": "kind: ${KIND}\n",
    }
    recipe = fleet(files).targets["eu/web"].recipe
    assert recipe == TemplateRecipe(
        files=(f"{WEB}/t.yaml",),
        values=(f"{WEB}/values.yaml", f"{WEB}/secrets.yaml"),
        sealed=(f"{WEB}/secrets.yaml",),
    )


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({f"{WEB}/values.yaml": sealed({"clusterops": {"mode": "apply"}}, KEY, plain=())}, "sops-block-encrypted"),
        ({f"{WEB}/values.yaml": "a: 1\n", f"{WEB}/secrets.yaml": "password: x\n"}, "sops-not-encrypted"),
        ({f"{WEB}/values.yaml": "a: 1\n", "regions/eu/secrets.yaml": "password: x\n"}, "sops-not-encrypted"),
        ({f"{WEB}/values.yaml": "a: 1\n", "clouds/dev/secrets.yaml": "password: x\n"}, "sops-not-encrypted"),
        ({f"{WEB}/kustomization.yaml": "{}\n", f"{WEB}/secrets.yaml": SEALED}, "secret-not-decrypted"),
        ({f"{WEB}/kustomization.yaml": "{}\n", f"{WEB}/values.yaml": SEALED}, "secret-not-decrypted"),
        ({f"{WEB}/a.yaml": "kind: ConfigMap\n", f"{WEB}/secrets.yaml": SEALED}, "secret-not-decrypted"),
        (
            {f"{WEB}/values.yaml": "a: 1\n", f"{WEB}/secrets.yaml": b"kind: Secret\n" + SEALED},
            "secret-not-decrypted",
        ),
        ({f"{WEB}/values.yaml": "a: ENC[AES256_GCM,data:x]\n"}, "secret-not-decrypted"),
    ],
)
def test_what_nobody_would_decrypt_is_refused(files: dict[str, str | bytes], code: str) -> None:
    assert code in codes(files)


def test_a_manifest_called_secrets_yaml_stays_one() -> None:
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
    target = fleet({f"{WEB}/secrets.yaml": manifest, "regions/eu/secrets.yaml": manifest}).targets["eu/web"]
    assert target.problems == ()
    assert target.recipe == PlainRecipe(files=(f"{WEB}/secrets.yaml",))
