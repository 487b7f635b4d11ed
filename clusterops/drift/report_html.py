"""A drift report as one HTML file: no network, no script, readable on paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from clusterops.drift.report_chart import chart, chart_rows, daily, legend, reach
from clusterops.drift.report_page import Html, breakable, element, folded, joined, page, table
from clusterops.drift.report_words import (
    AUTHORS,
    BY_ITSELF,
    HAPPENED,
    adopt_command,
    age_text,
    cost_words,
    count_text,
    counted,
    doubtful,
    drifting,
    heal_command,
    told_fields,
    value_text,
)
from clusterops.model.drift import (
    Author,
    Departed,
    DriftedField,
    DriftedObject,
    DriftReport,
    Ignored,
    Remedy,
    TargetDrift,
)
from clusterops.model.fleet import is_shared, region_of

_SHARED: Final = "shared"


def report_to_html(report: DriftReport, *, rules: Mapping[str, str] | None = None) -> str:
    """``rules`` are all ignore rules by name (``fleet.yaml:25``), in words: those that match nothing are told too."""
    taken = _moment(report.taken_at)
    return page(
        f"Drift of {report.fleet}, {taken}",
        element("h1", f"Fleet {report.fleet}, {report.revision}, {taken}"),
        _sums(report),
        *_section("1 Needs a decision", *_decisions(report)),
        *_section("2 The last 30 days", *_days(report)),
        *_section("3 By region and cluster", *_regions(report)),
        *_section("4 Ignored, and by which rule", *_rules(report, rules or {})),
        *_section("5 What the words mean", _words()),
    )


def _section(title: str, *content: str) -> tuple[Html, ...]:
    return (element("h2", title), *(joined(part) for part in content))


def _sums(report: DriftReport) -> Html:
    drifted, unknown = len(drifting(report)), len(doubtful(report))
    shared = sum(is_shared(target.target) for target in report.targets)
    sums = (
        (len(report.targets) - shared, "clusters"),
        *([(shared, "shared")] if shared else []),
        (report.objects, "objects"),
        (len(report.targets) - drifted - unknown, "in sync"),
        (drifted, "drifted"),
        *([(unknown, "not compared")] if unknown else []),
    )
    return element("ul", *(element("li", element("b", count_text(count)), word) for count, word in sums), class_="sums")


def _decisions(report: DriftReport) -> Iterator[Html]:
    """Whatever is not put back by itself."""
    rows = [
        row
        for target in report.targets
        for drifted in target.drifted
        if drifted.remedy not in BY_ITSELF
        for row in _decision_rows(target.target, drifted, report.taken_at)
    ]
    unknown = [(target.target, problem) for target in report.targets for problem in target.unknown]
    if rows:
        yield table(
            ("cluster", "object", "field", "git", "live", "who", "since", "healing costs", "adopt or heal"), rows
        )
    elif not unknown:
        yield element("p", "Nothing.")
    for target, problem in unknown:
        hint = f" {problem.hint}" if problem.hint else ""
        yield element("p", element("b", target), f" could not be compared: {problem.text}.{hint}")


def _decision_rows(target: str, drifted: DriftedObject, now: datetime) -> Iterator[Html]:
    commands = [command for command in (adopt_command(target, drifted), heal_command(target, drifted)) if command]
    span = max(1, len(told_fields(drifted)))
    first: tuple[Html, ...] = (element("td", breakable(target), rowspan=span), _object_cell(drifted, span))
    told = element("td", *(element("code", breakable(command)) for command in commands), rowspan=span, class_="any")
    last: tuple[Html, ...] = (_cost_cell(drifted, span), told)
    for cells in _field_cells(drifted, now):
        yield element("tr", *first, *cells, *last)
        first, last = (), ()


def _object_cell(drifted: DriftedObject, span: int) -> Html:
    return element("td", breakable(drifted.key.kind), " ", drifted.key.name, rowspan=span)


def _cost_cell(drifted: DriftedObject, span: int) -> Html:
    """Machines stand out."""
    cost = "" if drifted.remedy is Remedy.LEAVE else cost_words(drifted)
    grave = cost and (drifted.cost or drifted.unknown_cost)
    told = element("span", cost, class_="machines") if grave else cost
    return element("td", *_separated((told, breakable(drifted.why))), rowspan=span, class_="any why")


def _separated(parts: Iterable[str]) -> list[str]:
    kept = [part for part in parts if part]
    return [piece for place, part in enumerate(kept) for piece in (["; "] if place else []) + [part]]


def _field_cells(drifted: DriftedObject, now: datetime) -> Iterator[tuple[Html, ...]]:
    """Field, git, live, who, since: a row per field, one for an object without any."""
    what = "" if drifted.what is Departed.CHANGED else HAPPENED[drifted.what]
    if not drifted.fields:
        cells = (element("td", cell) for cell in (what, "", "", _author_words(drifted.author)))
        yield (*cells, _since_cell(drifted.seen_at, now))
    for field in told_fields(drifted):
        place = element("td", element("code", breakable(field.pointer)), f" ({what})" if what else "", class_="any")
        values = (element("td", element("code", value_text(value)), class_="any") for value in (field.git, field.live))
        who = element("td", _who(field) or _author_words(drifted.author))
        yield (place, *values, who, _since_cell(field.changed_at or drifted.seen_at, now))


def _who(field: DriftedField) -> str:
    if not field.manager:
        return ""
    of = AUTHORS[field.author] + (f": {field.user}" if field.user else "")
    return f"{field.manager}{f', {field.operation}' if field.operation else ''} ({of})"


def _author_words(author: Author) -> str:
    return "author unknown" if author is Author.UNKNOWN else AUTHORS[author]


def _since_cell(at: datetime | None, now: datetime) -> Html:
    if at is None:
        return element("td", "")
    return element("td", element("span", _moment(at), class_="whole"), f" ({age_text(at, now)} ago)")


def _moment(at: datetime) -> str:
    """``21 Nov 2026 14:30Z``"""
    return f"{at.astimezone(UTC):%d %b %Y %H:%M}Z"


def _days(report: DriftReport) -> Iterator[Html]:
    days = daily(report)
    if any(days.values()):
        caption = element("figcaption", "Objects that drifted, per day and by who did it.")
        yield element("figure", caption, chart(days), legend(days))
        yield folded("The same in figures", table(("day", *AUTHORS.values()), chart_rows(days)))
    yield element("p", " ".join(reach(report)), class_="soft")


def _regions(report: DriftReport) -> Iterator[Html]:
    named = sorted(report.targets, key=lambda target: (region_of(target.target) or _SHARED, target.target))
    for region, found in groupby(named, key=lambda target: region_of(target.target) or _SHARED):
        yield _region(region, list(found), report.taken_at)


def _region(name: str, targets: Sequence[TargetDrift], now: datetime) -> Html:
    drifted = [target for target in targets if not target.in_sync]
    calm = [target for target in targets if target.in_sync]
    told = f"{name}: {counted(len(targets), 'cluster')}, {len(calm)} in sync, {len(drifted)} not"
    parts = [_cluster(target, now) for target in drifted]
    if calm:
        parts.append(element("p", "In sync: ", ", ".join(map(_calm_words, calm)), class_="soft"))
    return folded(joined(_bar(len(drifted), len(targets)), told), *parts)


def _bar(drifted: int, all_: int) -> Html:
    share = 100 * drifted / all_
    parts = (
        element("rect", x=0, y=0, width=100, height=10, fill="#d5d9e0"),
        element("rect", fill="#1a1c20", x=0, y=0, width=f"{share:.1f}", height=10),
    )
    return element("svg", *parts, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def _cluster(target: TargetDrift, now: datetime) -> Html:
    parts: list[Html] = []
    if target.drifted:
        rows = [row for drifted in target.drifted for row in _object_rows(drifted, now)]
        parts.append(table(("object", "field", "git", "live", "who", "since", "remedy", "healing costs"), rows))
    parts += [element("p", f"Could not be compared: {problem.text}") for problem in target.unknown]
    count = counted(len(target.drifted), "object")
    told = f"{count} of {count_text(target.objects)} drifted" if target.drifted else "not compared"
    return folded(joined(element("b", target.target), f": {told}"), *parts)


def _object_rows(drifted: DriftedObject, now: datetime) -> Iterator[Html]:
    span = max(1, len(told_fields(drifted)))
    first: tuple[Html, ...] = (_object_cell(drifted, span),)
    last: tuple[Html, ...] = (element("td", str(drifted.remedy), rowspan=span), _cost_cell(drifted, span))
    for cells in _field_cells(drifted, now):
        yield element("tr", *first, *cells, *last)
        first, last = (), ()


def _calm_words(target: TargetDrift) -> str:
    return target.target + (f" (since {_moment(target.in_sync_since)})" if target.in_sync_since else "")


def _rules(report: DriftReport, rules: Mapping[str, str]) -> Iterator[Html]:
    found: dict[str, list[tuple[str, Ignored]]] = {}
    for target in report.targets:
        for ignored in target.ignored:
            found.setdefault(ignored.rule, []).append((target.target, ignored))
    left = Counter[Author]()
    for target in report.targets:
        left.update(target.left)
    rows = [_rule_row(name, rules.get(name, ""), matched) for name, matched in sorted(found.items())]
    rows += [_left_row(author, left[author]) for author in AUTHORS if left[author]]
    if rows:
        yield table(("rule", "ignores", "matched", "where"), rows)
    else:
        yield element("p", "Nothing is ignored.")
    idle = [joined(element("code", name), f" {told}") for name, told in rules.items() if name not in found]
    if idle:
        yield element("p", "Rules that match nothing now:")
        yield element("ul", *(element("li", each) for each in idle))


def _rule_row(name: str, told: str, matched: Sequence[tuple[str, Ignored]]) -> Html:
    objects = {(target, ignored.key) for target, ignored in matched}
    clusters = sorted({target for target, _ in matched})
    places = sorted({ignored.field.pointer for _, ignored in matched})
    what = told or ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
    where = ", ".join(clusters[:5]) + (f" and {len(clusters) - 5} more" if len(clusters) > 5 else "")
    counts = f"{counted(len(matched), 'field')} in {counted(len(objects), 'object')}"
    return element("tr", *(element("td", cell) for cell in (element("code", name), what, counts, where)))


def _left_row(author: Author, count: int) -> Html:
    what = f"fields that git sets and that are the {AUTHORS[author]}'s by right"
    cells = ("built-in", what, counted(count, "field"), "")
    return element("tr", *(element("td", cell) for cell in cells))


def _words() -> Html:
    pairs = (part for word, meaning in _MEANINGS for part in (element("dt", word), element("dd", meaning)))
    return element("dl", *pairs)


_MEANINGS: Final = (
    ("drifted", "The management cluster has something else than git said when it was last applied."),
    ("changed", "A field that git sets has another value."),
    ("ownership lost", "Every value is git's, and somebody else owns some of the fields now."),
    ("deleted; deleted and made anew", "The object is gone; or it is back under another uid, made by somebody else."),
    ("foreign-owned", "Another tool applies it, or another cluster's directory or another fleet has claimed it."),
    ("extra", "It belongs to a cluster by its label, and stands neither in git nor in an inventory."),
    ("who", "The field manager that owns the field now, as the API server has it. After a delete nobody is named."),
    ("person", "kubectl."),
    ("other tool", "Flux, Argo CD, Rancher Fleet, Helm and the like."),
    ("autoscaler, controller", "The cluster autoscaler; Cluster API, its providers, and Kubernetes itself."),
    ("since", "The manager's last write to any of its fields, or when it was first seen."),
    ("healing costs", "What putting git back does to machines. Nothing that costs machines is healed unasked."),
    ("heal, hold", "Put back by itself; put back later, in the maintenance window or when the rate limit allows."),
    ("report", "The policy is to tell and not to touch."),
    ("ask", "Healing would cost machines, or may: `clusterops drift heal` shows what, and asks."),
    ("fight", "Put back several times and changed each time: nothing more is done until somebody looks."),
    ("leave", "Nothing heals it: it is the other side's by right, or only a person can decide."),
    ("adopt", "`clusterops drift adopt` writes the live value into the file of the repository that sets it."),
)
