"""One fleet, one mistake after another: what was deleted after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusterops.model.key import ObjectKey
from tests.fuzz.fleet import fleet_files
from tests.fuzz.memory import ServingCluster
from tests.fuzz.mistakes import Mistake
from tests.fuzz.running import Running, running

Deletes = Callable[[], list[ObjectKey]]
Keys = Callable[[], frozenset[ObjectKey]]


@dataclass(slots=True)
class Row:
    """Of one kind of mistake. ``deleted`` are objects of the fleet as it should be, ``leftovers`` what a mistake made.

    ``after`` are deletes of the former that came only when the mistake was taken back.
    """

    runs: int = 0
    passes: int = 0
    deleted: list[ObjectKey] = field(default_factory=list)
    after: list[ObjectKey] = field(default_factory=list)
    leftovers: int = 0
    codes: Counter[str] = field(default_factory=Counter)


async def play(
    run: Running, made: Iterable[Mistake], deletes: Deletes, live: Keys, *, enough: int = 0
) -> dict[str, Row]:
    """By kind. Each mistake is taken back before the next; ends early once ``enough`` objects were deleted."""
    base, rows = fleet_files(), dict[str, Row]()
    last = await run.push(base, "as it should be")
    assert run.heard.taken.get(last[:7]), "the fleet was not taken"
    meant = live()
    for mistake in made:
        row, seen = rows.setdefault(mistake.kind, Row()), len(deletes())
        commit = await run.push(mistake.files, mistake.kind, parent="" if mistake.orphan else last)
        then = len(deletes())
        row.codes[run.code_of(commit)] += 1
        last = await run.push(base, f"{mistake.kind}: taken back", parent=last if mistake.orphan else commit)
        row.runs += 1
        row.passes += run.passes_of(commit)
        row.deleted += [key for key in deletes()[seen:then] if key in meant]
        row.after += [key for key in deletes()[then:] if key in meant]
        row.leftovers += sum(key not in meant for key in deletes()[seen:])
        if 0 < enough <= lost(rows):
            break
    return rows


def lost(rows: Mapping[str, Row]) -> int:
    """Objects of the fleet that were deleted, at once or when the mistake was taken back."""
    return sum(len(row.deleted) + len(row.after) for row in rows.values())


async def play_in_memory(
    home: Path, tools: Mapping[str, Path], made: Iterable[Mistake], *, enough: int = 0
) -> dict[str, Row]:
    """On a model of an API server; the daemon, the render programs and the cache are the real ones."""
    cluster = ServingCluster()

    def deletes() -> list[ObjectKey]:
        return [key for verb, key in cluster.writes if verb == "delete" and key.group != "clusterops.io"]

    async with running(cluster, home, tools) as run:
        return await play(run, made, deletes, lambda: frozenset(cluster.objects), enough=enough)


def table(rows: Mapping[str, Row], unguarded: Mapping[str, Row]) -> list[str]:
    """A line a kind: runs, deletes, deletes with the guards off, and what the daemon said most often."""
    width = max(map(len, rows))
    lines = [f"{'mistake':<{width}}  runs  passes  deletes  guards off  said"]
    for kind, row in sorted(rows.items()):
        off = lost({kind: unguarded[kind]}) if kind in unguarded else 0
        said = ", ".join(f"{code or '-'} {count}" for code, count in row.codes.most_common(2))
        lines.append(f"{kind:<{width}}  {row.runs:>4}  {row.passes:>6}  {lost({kind: row}):>7}  {off:>10}  {said}")
    runs, passes = (sum(getattr(row, name) for row in rows.values()) for name in ("runs", "passes"))
    return [*lines, f"{'all':<{width}}  {runs:>4}  {passes:>6}  {lost(rows):>7}  {lost(unguarded):>10}"]
