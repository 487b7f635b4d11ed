"""A commit goes through the fleet in steps, and every process goes on with them where the last one stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clusterops.capi.degraded import LASTS_S
from clusterops.errors import TransientError
from clusterops.model.fleet import Pace, RolloutPolicy
from clusterops.model.key import ObjectKey
from clusterops.model.windows import Window, parse_spans
from tests.unit.controller.paced import Process, World, begun_fleet, settle, upgraded

B = "main@2222222"


def policy(*, halts: int = 1, settles_s: float = 900.0, soak_s: float = 60.0, clusters: int = 2) -> RolloutPolicy:
    pace = Pace(soak_s=soak_s, max_concurrent_clusters=clusters)
    return RolloutPolicy(pace=pace, halt_after_failures=halts, settle_timeout_s=settles_s)


async def test_the_first_goes_alone_and_the_others_follow_in_a_window_once_it_has_soaked() -> None:
    world = World(policy=policy())
    process = await begun_fleet(5, world)
    world.git.commit(**upgraded(*"abcde"))
    await process.take()
    await process.go_on(5)
    assert world.begun == [f"{B} north/a"]
    assert world.in_phase("Held") == [f"north/{name}" for name in "bcde"]
    (told,) = world.fleet_status["rollouts"]
    assert (told["revision"], told["done"], told["held"][0]["wait"]) == (B, 1, "soak")
    assert measured(process) == {"done": 1.0, "in_flight": 0.0, "held": 4.0, "failed": 0.0}
    await process.go_on(50)
    assert world.begun == [f"{B} north/a"]
    await process.go_on(30)
    assert set(world.phases().values()) == {"Settled"}
    assert world.begun == [f"{B} north/{name}" for name in "abcde"]
    assert world.most == 2
    assert world.events() == ["RolloutStarted", "RolloutSoaking", "RolloutDone"]
    assert "rollouts" not in world.fleet_status
    await process.kill()


def measured(process: Process) -> dict[str, float | None]:
    registry = process.doors.metrics.registry
    states = ("done", "in_flight", "held", "failed")
    return {state: registry.get_sample_value("clusterops_rollout_targets", {"state": state}) for state in states}


async def test_a_commit_of_one_cluster_and_a_fleet_of_new_ones_pay_nothing() -> None:
    """No decision, no list of clusters, no write that tells of a rollout."""
    world = World(policy=policy())
    process = await begun_fleet(4, world)
    world.cluster.lists.clear()
    world.git.commit(a="v1.34.1")
    await process.take()
    await process.go_on(10)
    assert world.in_phase("Settled") == [f"north/{name}" for name in "abcd"]
    assert process.pacing.decisions == 0
    assert not {"Cluster", "MachineHealthCheck"} & set(world.cluster.lists)
    assert "rollouts" not in world.fleet_status
    assert world.events() == []
    await process.kill()


async def test_nothing_is_decided_once_all_is_over() -> None:
    world = World(policy=policy(soak_s=0.0))
    process = await begun_fleet(3, world)
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(20)
    before = process.pacing.decisions
    await process.go_on(30)
    assert set(world.phases().values()) == {"Settled"}
    assert process.pacing.decisions == before
    await process.kill()


async def halted_fleet(world: World) -> Process:
    """b does not settle in time; c and d wait."""
    process = await begun_fleet(4, world)
    world.stuck.add("b")
    world.git.commit(**upgraded(*"abcd"))
    await process.take()
    await process.go_on(60)
    assert world.phases() == {
        "north/a": "Settled",
        "north/b": "Failed",
        "north/c": "Held",
        "north/d": "Held",
    }
    assert world.fleet_status["halted"]["target"] == "north/b"
    assert world.fleet_status["halted"]["code"] == "not-settled"
    return process


async def test_a_cluster_that_does_not_settle_stops_the_rest_until_a_person_says_go_on() -> None:
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    await process.go_on(60)
    assert world.begun == [f"{B} north/a", f"{B} north/b"]
    await process.pacing.resume(B, world.clock.now())
    await process.pacing.resume(B, world.clock.now() - timedelta(seconds=1))
    await process.go_on(40)
    assert world.in_phase("Settled") == ["north/a", "north/c", "north/d"]
    assert "halted" not in world.fleet_status
    assert world.fleet_status["resumedRevision"] == B
    assert [each for each in world.events() if each in {"RolloutHalted", "RolloutResumed"}] == [
        "RolloutHalted",
        "RolloutResumed",
    ]
    await process.kill()


async def test_a_commit_that_mends_the_failed_cluster_lets_the_rest_go_on() -> None:
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    world.stuck.clear()
    world.git.commit(b="v1.34.1/mended")
    await process.take()
    await process.go_on(60)
    assert set(world.phases().values()) == {"Settled"}
    assert [line.partition(" ")[2] for line in world.begun] == ["north/a", "north/b", "north/b", "north/c", "north/d"]
    assert "halted" not in world.fleet_status
    await process.kill()


async def test_a_failed_cluster_that_a_person_asks_for_again_ends_the_halt_once_it_settles() -> None:
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    process.asked("north/b")
    await process.go_on(5)
    assert world.phases()["north/b"] in {"Applying", "Applied"}
    assert world.in_phase("Held") == ["north/c", "north/d"]
    world.stuck.clear()
    await process.go_on(40)
    assert set(world.phases().values()) == {"Settled"}
    assert "halted" not in world.fleet_status
    await process.kill()


async def test_a_restart_neither_forgets_a_halt_nor_tries_the_failed_cluster_again() -> None:
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    failed = world.status("north/b")
    await process.kill()
    later = Process(world)
    await later.start()
    await later.go_on(60)
    assert world.status("north/b") == failed
    assert world.begun == [f"{B} north/a", f"{B} north/b"]
    assert world.fleet_status["halted"]["target"] == "north/b"
    await later.kill()


async def test_the_time_to_settle_counts_from_when_it_began_also_after_a_restart() -> None:
    world = World(policy=policy(soak_s=0.0, settles_s=40.0, clusters=1))
    process = await begun_fleet(3, world)
    world.stuck.add("a")
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(25)
    await process.kill()
    later = Process(world)
    await later.start()
    await later.go_on(10)
    assert world.phases()["north/a"] == "Applied"
    await later.go_on(10)
    assert world.phases()["north/a"] == "Failed"
    await later.kill()


async def test_a_later_commit_takes_over_only_what_it_changes() -> None:
    world = World(policy=policy(soak_s=20.0))
    process = await begun_fleet(4, world)
    world.git.commit(**upgraded(*"abcd"))
    await process.take()
    await process.go_on(5)
    third = world.git.commit(d="v1.34.1/other").text
    await process.take()
    await process.go_on(5)
    assert world.begun == [f"{B} north/a", f"{third} north/d"]
    await process.go_on(40)
    assert set(world.phases().values()) == {"Settled"}
    assert world.status("north/c")["settledRevision"] == B
    assert world.status("north/d")["settledRevision"] == third
    await process.kill()


async def test_a_cluster_that_degrades_while_it_soaks_stops_the_rest() -> None:
    world = World(policy=policy(soak_s=300.0))
    process = await begun_fleet(3, world)
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(10)
    world.degrade("a")
    await process.go_on(int(LASTS_S) - 10)
    assert "halted" not in world.fleet_status
    await process.go_on(30)
    halted = world.fleet_status["halted"]
    assert (halted["target"], halted["code"]) == ("north/a", "cluster-degraded")
    assert "ControlPlaneAvailable is False" in halted["message"]
    await process.go_on(30)
    assert world.in_phase("Held") == ["north/b", "north/c"]
    await process.kill()


async def test_what_was_degraded_before_the_rollout_does_not_stop_it() -> None:
    world = World(policy=policy(soak_s=5.0))
    process = await begun_fleet(2, world)
    world.degrade("a")
    await process.go_on(3)
    world.git.commit(**upgraded("a", "b"))
    await process.take()
    await process.go_on(int(LASTS_S) + 30)
    assert "halted" not in world.fleet_status
    await process.kill()


async def test_more_machines_than_predicted_stop_the_rest() -> None:
    world = World(policy=policy(soak_s=5.0))
    process = await begun_fleet(3, world)
    world.surprising.add("a")
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(20)
    assert world.phases()["north/a"] == "Applying"
    await process.go_on(30)
    assert world.phases()["north/a"] == "Failed"
    assert world.status("north/a")["code"] == "machines-differ"
    assert "predicted 2 machines replaced, found 2 machines replaced, 1 added" in world.status("north/a")["message"]
    assert world.fleet_status["halted"]["code"] == "machines-differ"
    assert world.in_phase("Held") == ["north/b", "north/c"]
    await process.kill()


async def test_machines_of_a_pool_that_an_autoscaler_counts_do_not_count() -> None:
    world = World(policy=policy(soak_s=5.0), autoscaled={"a"})
    process = await begun_fleet(3, world)
    world.surprising.add("a")
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(30)
    assert set(world.phases().values()) == {"Settled"}
    await process.kill()


async def test_a_closed_window_holds_one_cluster_alone_and_lets_it_go_when_it_opens() -> None:
    night = Window(targets="north/a", allow=parse_spans("00:20-01:00"))
    world = World(policy=policy(), windows=())
    process = await begun_fleet(2, world)
    world.windows = (night,)
    world.git.commit(a="v1.34.1")
    await process.take()
    await process.go_on(5)
    assert world.status("north/a")["code"] == "window-closed"
    assert world.status("north/a")["phase"] == "Held"
    held = world.status("north/a")
    await process.go_on(30)
    assert world.status("north/a") == held
    await process.go_on(200)
    assert world.phases()["north/a"] == "Settled"
    await process.kill()


async def test_what_is_shared_goes_in_its_window_and_the_clusters_of_its_commit_after_it() -> None:
    world = World(policy=policy(soak_s=0.0))
    world.git.shared("base", "one")
    process = await begun_fleet(2, world)
    world.windows = (Window(targets="shared/base", allow=parse_spans("00:20-01:00")),)
    world.git.shared("base", "two")
    world.git.commit(a="v1.34.1")
    await process.take()
    await process.go_on(30)
    assert world.in_phase("Held") == ["north/a", "shared/base"]
    await process.go_on(200)
    assert set(world.phases().values()) == {"Settled"}
    assert world.begun == ["main@2222222 north/shared", "main@2222222 north/a"]
    await process.kill()


@pytest.mark.parametrize("lives", [2, 5, 6, 7, 8, 12, 15])
async def test_a_kill_after_any_write_changes_nothing_in_the_order(lives: int) -> None:
    """Between hold and record, grant and begin, begin and first write, settled and recorded."""
    world = World(policy=policy(soak_s=10.0))
    process = await begun_fleet(4, world)
    world.git.commit(**upgraded(*"abcd"))
    world.cluster.lives = lives
    await process.take()
    await process.go_on(45)
    await process.kill()
    world.cluster.lives = None
    later = Process(world)
    await later.start()
    await later.go_on(60)
    await settle(world)
    assert set(world.phases().values()) == {"Settled"}
    first, second, third, last = (line.rpartition("/")[2] for line in world.begun)
    assert (first, {second, third}, last) == ("a", {"b", "c"}, "d")
    assert world.most <= 2
    await later.kill()


async def test_what_is_tried_again_by_itself_fails_once_its_time_is_over() -> None:
    """It holds its place for as long as it may need to settle, and no longer."""
    world = World(policy=policy(soak_s=0.0, settles_s=60.0))
    process = await begun_fleet(3, world)

    def refuse(verb: str, key: ObjectKey) -> None:
        if (verb, key.kind, key.name) == ("apply", "MachineDeployment", "a-general"):
            raise TransientError("api-unavailable", key.label, "503")

    world.cluster.before_write = refuse
    world.git.commit(**upgraded(*"abc"))
    await process.take()
    await process.go_on(40)
    assert world.status("north/a")["retrying"] is True
    assert "halted" not in world.fleet_status
    await process.go_on(40)
    assert world.fleet_status["halted"]["target"] == "north/a"
    assert world.begun == []
    world.cluster.before_write = lambda verb, key: None
    await process.go_on(40)
    assert set(world.phases().values()) == {"Settled"}
    await process.kill()


async def test_a_resumed_rollout_stays_resumed_after_a_restart() -> None:
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    said = world.clock.now()
    await process.pacing.resume(B, said)
    await process.kill()
    later = Process(world)
    await later.start()
    await later.pacing.resume(B, said)
    await later.go_on(40)
    assert world.in_phase("Settled") == ["north/a", "north/c", "north/d"]
    assert "halted" not in world.fleet_status
    await later.kill()


async def test_a_begun_cluster_that_another_commit_holds_keeps_its_machines_in_flight() -> None:
    """Its FleetTarget says for both processes what it moves, and how it failed."""
    world = World(policy=policy(soak_s=5.0, settles_s=30.0, clusters=1))
    process = await halted_fleet(world)
    world.windows = (Window(targets="north/b", deny=parse_spans("00:00-24:00")),)
    world.git.commit(b="v1.34.1/other")
    await process.take()
    await process.go_on(5)
    status = world.status("north/b")
    assert (status["phase"], status["code"], status["begunRevision"]) == ("Held", "window-closed", B)
    assert status["machines"]["atOnce"] == 1
    assert status["failedAt"]
    assert world.fleet_status["halted"]["revision"] == B
    await process.kill()
    later = Process(world)
    await later.start()
    await later.go_on(30)
    assert world.fleet_status["halted"]["revision"] == B
    assert world.in_phase("Held") == ["north/b", "north/c", "north/d"]
    assert later.pacing._roster.moving({})["north/b"].machines == 1
    await later.kill()
