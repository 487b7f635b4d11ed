"""A row for each cluster: what happens, to how many machines, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clusterops.model.impact import Impact, PoolImpact, Role
from clusterops.model.plan import Plan
from clusterops.model.report import Outcome
from clusterops.plan.comment.happens import goes, happenings
from clusterops.plan.comment.markdown import prose, row, word
from clusterops.plan.machines import machine_words, order_words, role_words, whole

SHOWN: Final = 20
"""Clusters in the table; the rest is one folded list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``machines`` and ``order`` are sentences; ``weight`` counts machines, by which the table is cut."""

    cluster: str
    happens: str
    machines: str = ""
    order: str = ""
    weight: int = 0
    part: bool = False
    """One of the clusters that a target reaches which is none itself, or more than one."""

    @property
    def line(self) -> str:
        """In one line of a list."""
        return ": ".join(filter(None, (self.cluster, ", ".join(filter(None, (self.happens, self.machines))))))


def rows_of(outcomes: Iterable[Outcome], at: datetime | None = None) -> tuple[Row, ...]:
    """In the given order; a target that changes nothing has none."""
    return tuple(each for outcome in outcomes for each in _rows(outcome, at))


def rows_of_plan(plan: Plan, at: datetime | None = None) -> tuple[Row, ...]:
    """A row for the target, and where it reaches several clusters one for each of these."""
    impact, going = whole(plan), deleted_pools(plan)
    pools = (*impact.pools, *(pool for pool in going if pool not in impact.pools))
    own = Row(
        cluster=plan.target,
        happens="; ".join(happenings(plan, at=at)) or "nothing",
        machines=machines_of(pools),
        order=order_words(impact),
        weight=_weight(pools),
    )
    by_cluster = _by_cluster(impact.pools)
    return (own, *_reached(by_cluster)) if len(by_cluster) > 1 else (own,)


def deleted_pools(plan: Plan) -> tuple[PoolImpact, ...]:
    """Of Clusters that go, or would if their second key opened."""
    return tuple(pool for change in plan.changes if goes(change) and change.impact for pool in change.impact.pools)


def machines_of(pools: Iterable[PoolImpact]) -> str:
    """``removes 3 control-plane and 4 workers``, and as ``machine_words`` where any is replaced; "" for none."""
    told = [pool for pool in pools if pool.added or pool.removed or pool.replaced]
    if not told:
        return ""
    if any(pool.replaced for pool in told):
        return machine_words(told)
    parts = [
        f"{verb} {_roles([(pool.role, count(pool)) for pool in told])}"
        for verb, count in (("adds", _added), ("removes", _removed))
        if any(count(pool) for pool in told)
    ]
    return ", ".join(parts)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows that stand in the table, at most ``SHOWN``: the heaviest, in their order. Columns that are empty go."""
    if not rows:
        return
    shown = shown_rows(rows)
    columns = [("cluster", [_name(each) for each in shown]), ("what happens", [_cell(each.happens) for each in shown])]
    columns.append(("machines", [_cell(each.machines) or "none" for each in shown]))
    if any(each.order for each in shown):
        columns.append(("order", [_cell(each.order) for each in shown]))
    yield row(title for title, _ in columns)
    yield f"|{'---|' * len(columns)}"
    for cells in zip(*(cells for _, cells in columns), strict=True):
        yield row(cells)


def shown_rows(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The heaviest, in the order of their weight where the table is cut."""
    if len(rows) <= SHOWN:
        return tuple(rows)
    return tuple(sorted(rows, key=lambda each: -each.weight)[:SHOWN])


def rest_of(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Those that the table has no room for, by name."""
    shown = set(shown_rows(rows))
    return tuple(sorted((each for each in rows if each not in shown), key=lambda each: each.cluster))


def _rows(outcome: Outcome, at: datetime | None) -> tuple[Row, ...]:
    if outcome.plan is None:
        return (Row(cluster=outcome.target, happens="cannot be planned", machines="not known"),)
    return rows_of_plan(outcome.plan, at) if tells(outcome) else ()


def tells(outcome: Outcome) -> bool:
    """Whether there is anything to say: something is written, refused, stopped, or left to whom it belongs to."""
    plan = outcome.plan
    if outcome.problem is not None or plan is None:
        return outcome.problem is not None
    return bool(plan.writes or plan.refusals or plan.stuck) or any(change.left for change in plan.changes)


def _reached(by_cluster: dict[str, list[PoolImpact]]) -> Iterator[Row]:
    for name, pools in sorted(by_cluster.items(), key=lambda pair: (-_weight(pair[1]), pair[0])):
        one = Impact.of(pools)
        rules = ", ".join(dict.fromkeys(cause.rule for pool in one.pools for cause in pool.causes))
        yield Row(
            cluster=name,
            happens=rules,
            machines=machines_of(one.pools),
            order=order_words(one),
            weight=_weight(pools),
            part=True,
        )


def _by_cluster(pools: Iterable[PoolImpact]) -> dict[str, list[PoolImpact]]:
    found: dict[str, list[PoolImpact]] = {}
    for pool in pools:
        if pool.cluster is not None and (pool.added or pool.removed or pool.replaced):
            found.setdefault(f"{pool.cluster.namespace}/{pool.cluster.name}", []).append(pool)
    return found


def _name(each: Row) -> str:
    named = word(each.cluster, table=True)
    return named if each.part else f"**{named}**"


def _cell(text: str) -> str:
    return prose(text.replace("->", "→"), table=True)


def _roles(counts: Iterable[tuple[Role, int]]) -> str:
    told = tuple(counts)
    planes = sum(count for role, count in told if role is Role.CONTROL_PLANE)
    workers = sum(count for role, count in told if role is Role.WORKER)
    words = role_words(planes, workers)
    return words.replace(" worker machines", " workers").replace(" worker machine", " worker")


def _added(pool: PoolImpact) -> int:
    return pool.added


def _removed(pool: PoolImpact) -> int:
    return pool.removed


def _weight(pools: Iterable[PoolImpact]) -> int:
    return sum(pool.replaced + pool.added + pool.removed for pool in pools)
