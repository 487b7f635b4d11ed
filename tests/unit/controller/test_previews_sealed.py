"""Requests in a fleet with encrypted values: forks decrypt nothing, plans tell nothing, and a new key is noticed."""

from __future__ import annotations

from pathlib import Path

from clusterops.model.secret import SecretText
from tests.sealed import AgeKey, sealed
from tests.unit.controller.proposed import Proposals, cluster, fleet_of

KEY = AgeKey()
OLD, NEW = "canary-old-77e1", "canary-new-52ab"
BETA = "clusters/north/beta"
RESIZED = {"clusters/north/alpha/objects.yaml": cluster("alpha", workers=5)}


def secret(text: str) -> dict[str, str | None]:
    return {f"{BETA}/secrets.yaml": sealed({"variables": {"PASS": text}}, KEY).decode()}


async def proposals(folder: Path) -> Proposals:
    """alpha is plain, beta a template with an encrypted variable; both are applied."""
    files = fleet_of("north/alpha", "north/beta")
    files[f"{BETA}/objects.yaml"] = cluster("beta", notes="password=${PASS}")
    files[f"{BETA}/values.yaml"] = "variables: {}\n"
    fleet = Proposals(folder, files | {path: text or "" for path, text in secret(OLD).items()})
    fleet.renderer.keys.give(SecretText(KEY.text))
    await fleet.apply()
    return fleet


def told(fleet: Proposals) -> str:
    return f"{fleet.forge.written} {fleet.forge.posted}"


async def test_another_secret_is_planned_and_not_told(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    request = fleet.propose(7, secret(NEW))
    async with fleet.followed() as previews:
        assert fleet.plan(request)[0] == "success", fleet.plan(request)
        preview = previews.open[request.ref].preview
        assert preview is not None
        assert [outcome.target for outcome in preview.outcomes] == ["north/beta"]
        assert "(secret, changed)" in told(fleet)
        assert "canary" not in told(fleet) + repr(preview)


async def test_a_fork_s_request_concerns_what_it_changes_and_decrypts_nothing(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    plain, sealed_too = fleet.propose(7, RESIZED, fork=True), fleet.propose(8, RESIZED | secret(NEW), fork=True)
    async with fleet.followed() as previews:
        assert fleet.plan(plain)[0] == "success", fleet.plan(plain)
        merge = previews.open[plain.ref].merge
        assert merge is not None
        assert merge.names == {"north/alpha"}
        assert fleet.plan(sealed_too)[0] != "success"
        preview = previews.open[sealed_too.ref].preview
        assert preview is not None
        problems = {outcome.target: outcome.problem and outcome.problem.code for outcome in preview.outcomes}
        assert problems == {"north/alpha": None, "north/beta": "sops-untrusted"}
        assert "canary" not in told(fleet)


async def test_a_key_that_comes_makes_the_plan_anew_and_others_stay(tmp_path: Path) -> None:
    fleet = await proposals(tmp_path)
    fleet.renderer.keys.give(SecretText(""))
    waiting, plain = fleet.propose(7, secret(NEW)), fleet.propose(8, RESIZED)
    async with fleet.followed() as previews:
        assert "sops-key-missing" in fleet.plan(waiting)[1] + told(fleet)
        assert fleet.plan(plain)[0] == "success"
        made = previews.open[plain.ref].preview
        fleet.renderer.keys.give(SecretText(KEY.text))
        previews.rekeyed()
        await fleet.settle()
        assert fleet.plan(waiting)[0] == "success", fleet.plan(waiting)
        assert previews.open[plain.ref].preview is made
