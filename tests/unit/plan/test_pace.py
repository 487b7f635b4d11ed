"""The pace of a commit, said before the merge."""

from __future__ import annotations

from typing import Any

from clusterops.model.fleet import Fleet, FleetFile, Mode, Pace, PlainRecipe, RolloutPolicy, Target
from clusterops.model.impact import Impact, ImpactClass, PoolImpact, Role
from clusterops.model.key import ObjectKey
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.rollout import Reach
from clusterops.plan import fleet_summary, pace_text, pace_to_json, planned_pace, steps_words

ROLLS = (Reach.ROLLS, 3)
IN_PLACE = (Reach.IN_PLACE, 0)


def target(name: str, **facts: Any) -> Target:
    region, _, cluster = name.partition("/")
    known: dict[str, Any] = {"mode": Mode.APPLY, "recipe": PlainRecipe(files=()), "namespace": region}
    return Target(name=name, fleet="platform", region=None, cluster=cluster, **{**known, **facts})


def fleet(*targets: Target, **rollout: Any) -> Fleet:
    policy = RolloutPolicy(**{"source": "fleet.yaml:16", **rollout})
    return Fleet(file=FleetFile(name="platform", rollout=policy), targets={one.name: one for one in targets})


def text(made: Fleet, reach: tuple[Reach, int] = ROLLS) -> str:
    found = planned_pace(dict.fromkeys(made.targets, reach), made)
    return pace_text(found) if found is not None else ""


SANDBOX = target("eu-west-1/sandbox", labels={"ring": "canary"})
FORTY = [target(f"eu-west-1/c{number:02}") for number in range(40)]
CANARIES = Pace(canaries={"ring": "canary"})


def test_canaries_soak_limits_and_where_it_stops_are_one_line() -> None:
    assert text(fleet(SANDBOX, *FORTY, pace=CANARIES)) == (
        "Pace (fleet.yaml:16): 1 canary (eu-west-1/sandbox), 30 min soak, then 5 clusters and at most 30 machines "
        "at a time; stops at the first cluster that does not settle."
    )


def test_steps_count_the_canaries_and_each_window_of_the_rest() -> None:
    made = fleet(SANDBOX, *FORTY, pace=CANARIES)
    found = planned_pace(dict.fromkeys(made.targets, ROLLS), made)
    assert found is not None
    assert (found.clusters, found.steps, steps_words(found)) == (41, 9, "in 9 steps")


def test_one_living_cluster_goes_at_once_whatever_is_new_shared_or_only_observed() -> None:
    observed = target("eu-west-1/watched", mode=Mode.OBSERVE)
    made = fleet(SANDBOX, FORTY[0], observed)
    reaches = {SANDBOX.name: ROLLS, FORTY[0].name: (Reach.CREATES, 0), observed.name: ROLLS, "shared/x": IN_PLACE}
    assert planned_pace(reaches, made) is None
    assert steps_words(None) == ""


def test_without_labels_each_region_has_a_canary_and_names_are_cut() -> None:
    regions = [target(f"r{number}/{name}") for number in range(5) for name in ("a", "b")]
    assert "5 canaries (r0/a, r1/a, r2/a and 2 more), 30 min soak, then" in text(fleet(*regions))


def test_what_moves_no_machine_is_not_said_to_soak() -> None:
    assert "soak" not in text(fleet(SANDBOX, *FORTY, pace=CANARIES), IN_PLACE)


def test_rings_are_named_in_their_order() -> None:
    late = target("eu-west-1/late", labels={"ring": "late"})
    found = text(fleet(SANDBOX, late, *FORTY, pace=CANARIES, rings=("*", "late"), source="", halt_after_failures=3))
    assert found.startswith(
        "Pace (default): 1 canary (eu-west-1/sandbox), 30 min soak, then other rings > ring late, 5"
    )
    assert found.endswith("; stops once 3 clusters have not settled.")


def test_regions_with_a_pace_of_their_own_go_side_by_side() -> None:
    others = [target(f"us-east-1/c{number}") for number in range(3)]
    own = Pace(soak_s=90, max_concurrent_clusters=1, max_machines_in_flight=1)
    found = text(fleet(*FORTY, *others, regions={"us-east-1": own}), (Reach.ROLLS, 1))
    assert found == (
        "Pace (fleet.yaml:16, 2 paces side by side): the rest: 1 canary (eu-west-1/c00), 30 min soak, then 5 clusters "
        "and at most 30 machines at a time; region us-east-1: 1 canary (us-east-1/c0), 90 s soak, then 1 cluster and "
        "at most 1 machine at a time; stops at the first cluster that does not settle."
    )


def test_who_alone_moves_too_many_machines_is_named_before_the_merge() -> None:
    made = fleet(*FORTY)
    found = planned_pace({FORTY[0].name: ROLLS, FORTY[1].name: (Reach.ROLLS, 31)}, made)
    assert found is not None
    assert "but not eu-west-1/c01: more than 30 machines move there at a time" in pace_text(found)
    assert pace_to_json(found)["lanes"][0]["tooLarge"] == ["eu-west-1/c01"]


def test_machines_of_all_plans_are_one_sum() -> None:
    made = fleet(SANDBOX, *FORTY, pace=CANARIES)
    found = planned_pace(dict.fromkeys(made.targets, ROLLS), made)
    assert found is not None
    key = ObjectKey(group="cluster.x-k8s.io", kind="MachineDeployment", namespace="eu-west-1", name="a")
    pool = PoolImpact(
        cluster=None, owner=key, role=Role.WORKER, pool="a", kind=ImpactClass.ROLLING, replaced=12, added=1
    )
    change = Change(key=key, action=Action.UPDATE, impact=Impact.of([pool]))
    plans = [Plan(target=name, revision="main@1", waves=((change,),), id="p") for name in made.targets]
    assert fleet_summary(plans, found) == "41 clusters: replaces 492 machines, adds 41 machines, in 9 steps"


def test_a_fleet_that_waits_for_no_health_promises_no_steps() -> None:
    assert text(fleet(SANDBOX, *FORTY, pace=CANARIES, settle_timeout_s=0.0)) == ""
