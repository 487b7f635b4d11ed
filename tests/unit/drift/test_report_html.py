"""The HTML report: one file that needs nothing, cannot be broken out of, and says what it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

from clusterops.drift.report_chart import DAYS, daily, reach
from clusterops.drift.report_html import report_to_html
from clusterops.model.drift import Author, DriftReport, TargetDrift
from tests.unit.drift.drift_reports import ago, agreed, every_kind, fleet_of, hostile, nothing

RULES = {"fleet.yaml:25": "/spec/replicas of MachineDeployment", "fleet.yaml:26": "/data/b of ConfigMap"}
VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """Elements, attributes and text as a browser sees them; ``unclosed`` stays empty where all are nested well."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.unclosed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_needs_no_network_and_no_script() -> None:
    html = report_to_html(every_kind(), rules=RULES)
    read = Reader(html)
    assert read.unclosed == []
    assert not read.tags.keys() & {"script", "link", "img", "iframe", "object", "a", "form", "base"}
    assert not [name for name in read.attributes if name.startswith("on") or name in {"src", "href", "style"}]
    assert not [part for part in ("url(", "@import", "http://", "https://") if part in html]


def test_nothing_that_a_cluster_says_becomes_markup() -> None:
    """The same elements and attributes as a report of harmless names has, and the hostile name as text."""
    read = Reader(report_to_html(hostile(), rules={"<b>rule": "<i>what"}))
    harmless = Reader(report_to_html(every_kind(), rules=RULES))
    assert read.unclosed == []
    assert read.tags.keys() <= harmless.tags.keys()
    assert read.attributes <= harmless.attributes
    assert "<script>alert(1)</script>" in read.text
    assert "<b>rule" in read.text


def test_five_sections_and_every_drifted_cluster() -> None:
    read = Reader(report_to_html(every_kind(), rules=RULES))
    titles = ("1 Needs a decision", "2 The last", "3 By region", "4 Ignored", "5 What the words")
    assert [title for title in titles if title not in read.text] == []
    assert all(target.target in read.text for target in every_kind().targets)


def test_what_is_put_back_by_itself_needs_no_decision() -> None:
    text = Reader(report_to_html(agreed())).text
    first, _, rest = text.partition("2 The last 30 days")
    assert ("search-general" in first, "search-general" in rest) == (False, True)


def test_a_rule_that_matches_nothing_is_told() -> None:
    text = Reader(report_to_html(every_kind(), rules=RULES)).text
    assert "Rules that match nothing now:fleet.yaml:26" in text
    assert "2 fields in 1 object" in text


def test_a_day_counts_an_object_once() -> None:
    found = daily(every_kind())
    assert len(found) == DAYS
    assert found[ago(days=9).date()] == {Author.PERSON: 2}
    assert found[ago(days=2).date()] == {Author.PERSON: 1, Author.AUTOSCALER: 1}


def test_it_says_how_far_back_it_can_look() -> None:
    assert reach(nothing()) == ("No drift is on record.",)
    assert reach(every_kind()) == (
        "The oldest record is of 27 Oct.",
        "fra1/billing keeps only the last 20 changes: before 1 Nov some of theirs are not counted.",
    )


def test_records_that_reach_back_far_enough_are_no_caveat() -> None:
    target = every_kind().targets[0]
    older = replace(target, history=(replace(target.history[0], at=ago(days=40)), *target.history))
    assert reach(fleet_of(older)) == ()
    assert sum(sum(counts.values()) for counts in daily(fleet_of(older)).values()) == 3


def test_a_fleet_of_a_thousand_in_sync_stays_small() -> None:
    targets = tuple(TargetDrift(target=f"fra1/c{number:04}", objects=7) for number in range(1000))
    report = DriftReport(fleet="platform", revision="main@c81e77d", taken_at=ago(), targets=targets)
    assert len(report_to_html(report)) < 60_000
