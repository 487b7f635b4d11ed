"""What clusterops/policy says, by the table of JOURNEY.md section 2."""

from __future__ import annotations

from clusterops.model.commit_status import TEXT_LIMIT, State
from clusterops.model.key import ObjectKey
from clusterops.model.live import LiveObject
from clusterops.model.plan import Action, Change, Plan
from clusterops.model.policy import Budget, Weight
from clusterops.model.problem import Problem, Retry
from clusterops.model.report import Outcome, Stage
from clusterops.status import plan_status, policy_status
from clusterops.status.target_status import Phase, phase_of

CLUSTER = ObjectKey(group="cluster.x-k8s.io", kind="Cluster", namespace="fra1", name="search")
NEEDS_KEY = Problem(
    code="deletion-needs-second-key",
    subject="Cluster fra1/search",
    message="delete refused: no deletions/search.yaml for uid 6a1d0f3e",
    retry=Retry.HUMAN,
)


def weight(spent: int, limit: int, budget: Budget = Budget.MACHINES_REPLACED, region: str = "eu-west-1") -> Weight:
    return Weight(budget=budget, region=region, spent=spent, limit=limit, targets=())


def outcome(target: str, *changes: Change, refusals: tuple[Problem, ...] = ()) -> Outcome:
    plan = Plan(target=target, revision="main@1", waves=(changes,), refusals=refusals)
    return Outcome(target=target, revision="main@1", stage=Stage.PLAN, plan=plan)


def deletion(*, refused: bool) -> Outcome:
    metadata = {"name": "search", "namespace": "fra1", "uid": "u"}
    live = LiveObject.of({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata})
    action, reason = (Action.REFUSE, NEEDS_KEY) if refused else (Action.PRUNE, None)
    change = Change(key=CLUSTER, action=action, live=live, reason=reason)
    return outcome("fra1/search", change, refusals=(NEEDS_KEY,) if refused else ())


def test_within_its_budgets_a_commit_says_how_much_of_them_it_spends() -> None:
    status = policy_status([outcome("eu-west-1/payments")], weights=[weight(12, 122)])
    assert (status.context, status.state) == ("clusterops/policy", State.SUCCESS)
    assert status.text == "12 of 122 machines may be replaced in eu-west-1; no deletion"
    assert policy_status([]).text == "no machine replaced or removed; no deletion"


def test_beyond_a_budget_it_says_so_and_the_plan_stays_green() -> None:
    beyond = weight(140, 122)
    stopped = [Outcome(target="eu-west-1/a", revision="main@1", stage=Stage.PLAN, problem=beyond.problem)]
    status = policy_status(stopped, weights=[beyond])
    assert status.state is State.FAILURE
    assert status.text == "replaces 140 machines in eu-west-1, budget 122 (budget-machines-replaced)"
    assert plan_status(stopped, rendered=1, total_targets=3).state is State.SUCCESS


def test_without_its_second_key_a_deletion_is_the_policys_no_and_the_plan_stays_green() -> None:
    status = policy_status([deletion(refused=True)])
    assert (status.state, status.text) == (State.FAILURE, NEEDS_KEY.text)
    planned = plan_status([deletion(refused=True)], rendered=0, total_targets=3)
    assert (planned.state, planned.text) == (State.SUCCESS, "deletes 1 cluster, refused: fra1/search")


def test_with_its_second_key_the_deletion_is_told() -> None:
    spent = [
        weight(1, 1, Budget.CLUSTERS_DELETED, "fra1"),
        weight(7, 7, Budget.MACHINES_REMOVED, "fra1"),
        weight(7, 9, Budget.MACHINES_REMOVED, ""),
    ]
    status = policy_status([deletion(refused=False)], weights=spent)
    assert status.state is State.SUCCESS
    assert status.text == "7 of 7 machines may be removed in fra1; deletes fra1/search by second key"


def test_a_target_without_a_plan_cannot_be_judged() -> None:
    broken = Outcome(
        target="a/b",
        revision="main@1",
        stage=Stage.RENDER,
        problem=Problem(code="value-format", subject="x", message="y"),
    )
    assert policy_status([broken]).state is State.ERROR


def test_a_text_fits_however_many_regions_spend() -> None:
    many = [weight(number, 100, region=f"a-region-with-a-long-name-{number}") for number in range(1, 20)]
    text = policy_status([outcome("a/b")], weights=many).text
    assert len(text) <= TEXT_LIMIT
    assert text.startswith("19 of 100 machines may be replaced in a-region-with-a-long-name-19")


def test_a_target_on_its_way_out_is_deleting_until_it_is_deleted() -> None:
    going = Outcome(target="fra1/search", revision="main@1", stage=Stage.HEALTH, deletion="waits for workers")
    assert phase_of(going, gone=True) is Phase.DELETING
    assert phase_of(going) is Phase.APPLIED
    done = Outcome(target="fra1/search", revision="main@1", stage=Stage.DONE, deletion="gone")
    assert phase_of(done, gone=True) is Phase.DELETED
