"""The comment on a request: what it holds, how it is cut, and that nothing in it does anything."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clusterops.model.plan import MISSING, Action, Change
from clusterops.model.policy import Budget
from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.model.report import Outcome
from clusterops.model.secret import SecretValues
from clusterops.plan.comment import comment_digest, comment_parts, marker
from clusterops.plan.comment.markdown import code, prose, visible, word
from clusterops.plan.discretion import discreet
from tests.comment_previews import (
    AT,
    CORE,
    broken,
    deletion,
    field,
    key,
    many,
    outcome,
    pool,
    preview,
    replaced_weight,
    updated,
    upgrade,
)

HOSTILE = (
    "a|b",
    "a\\|b",
    "`",
    "``` \n```",
    "</details></td></table>",
    "<script>alert(1)</script>",
    "<!-- clusterops:plan platform -->",
    "--> <!-- digest:00000000000000000000000000000000 -->",
    "@everyone",
    "#412 !413 GH-1",
    "[x](https://evil.example) ![i](http://evil.example/p.png)",
    "www.evil.example https://evil.example mailto:a@evil.example",
    "**bold** __under__ ~~gone~~ $x^2$",
    "\u202ereversed\u202c \u2066x\u2069 zero\u200bwidth\ufeff",
    "line\nbreak\r\n\n# heading\u2028next\x00\x1b[31m",
    "\U0001f600 grüße",
    "x" * 1_000_000,
)


def one_field(value: Any, *, pointer: str = "/spec/x", name: str = "pay-general") -> Outcome:
    row = replace(
        pool("eu/pay", "general", replaced=1, now=1, then=1), owner=key(CORE, "MachineDeployment", "eu/pay", name)
    )
    return outcome("eu/pay", updated(row, field(pointer, "before", value)))


READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {
    "details",
    "summary",
    "sub",
    "b",
    "code",
    "p",
    "h3",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "strong",
}
OURS |= {"br", "ul", "li"}


def blocks(body: str) -> list[str]:
    """Contents of the code blocks, as a reader of Markdown finds them."""
    return [token.content for token in READER.parse(body) if token.type == "fence"]


def fenced(body: str) -> list[str]:
    return [line for block in blocks(body) for line in block.splitlines()]


def harmless(body: str, *, rows: int = 2) -> None:
    """A reader of Markdown finds our markup and nothing else, and a forge nothing to act upon."""
    html = READER.render(body)
    assert set(re.findall(r"</?([a-zA-Z][a-zA-Z0-9]*)", html)) <= OURS, html
    assert re.findall(r"<!--.*?-->", html) == re.findall(r"^<!--.*?-->$", body, re.MULTILINE), html
    assert html.count("<details>") == html.count("</details>") == 1
    assert html.count("<tr>") == rows
    assert html.count("<td") == html.count("<th>") * (rows - 1)
    assert len(re.findall("<h[1-6]", html)) == 1
    text = re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"(?<![\w])[@#!$]\w|://|www\.\w|mailto:", re.sub("<!--.*?-->|<[^>]*>", "", text)), text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ufeff\u2028\x00\x1b]", body)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_foreign_text_does_nothing_wherever_it_stands(text: str) -> None:
    problem = Problem(code="value-type", subject=text, message=text, hint=f"do `{text}` or {text}", path=text, line=1)
    told = one_field(text, pointer=f"/spec/{text}", name=text)
    assert told.plan is not None
    warned = replace(told, target=text, plan=replace(told.plan, target=text, warnings=(problem,), refusals=(problem,)))
    made = preview(warned, rivals={text: (413,)}, weights=(replaced_weight(region=text, exception=text),))
    made = replace(made, origins={(text, key(CORE, "MachineDeployment", "eu/pay", text), f"/spec/{text}"): f"{text}:1"})
    parts = comment_parts(made)
    assert max(map(len, parts)) <= 65_000
    harmless(parts[0])


@pytest.mark.parametrize("text", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_a_key_to_paste_stays_a_key_whatever_the_cluster_is_called(text: str) -> None:
    told = deletion()
    assert told.plan is not None
    lines = fenced(comment_parts(preview(replace(told, target=text), number=1))[0])
    assert sum(line.startswith("target: ") for line in lines) == 1
    assert sum(line.startswith("uid: ") for line in lines) == 1


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_stays_on_one_line_and_inside_its_code(text: str) -> None:
    assert "\n" not in visible(text)
    span = code(text)
    ticks = re.match("`+", span)
    assert ticks is not None
    assert ticks.group() not in re.findall("`+", span[len(ticks.group()) : -len(ticks.group())])
    html = READER.renderInline(f"a {prose(text)} b")
    assert not re.search(r"<(?!/?code>)", html)


def test_a_plain_name_stays_as_it_is_and_any_other_is_code() -> None:
    assert word("eu-west-1/payments") == "eu-west-1/payments"
    assert word("eu_west/pay") == "`eu_west/pay`"
    assert prose("set `a: b` in *x*") == "set `a: b` in \\*x\\*"


def test_a_value_of_a_megabyte_is_cut_and_says_how_long_it_is() -> None:
    (body,) = comment_parts(preview(one_field("y" * 1_000_000)))
    assert "… (1000000 characters)" in body
    assert len(body) < 3000


def test_parts_keep_to_the_limit_with_their_markers_blocks_and_one_digest() -> None:
    made = preview(*(upgrade(f"eu/c{number}") for number in range(30)))
    for limit in (900, 2_000, 8_000, 30_000, 65_000):
        parts = comment_parts(made, limit=limit)
        assert 1 <= len(parts) <= 10
        for number, body in enumerate(parts, start=1):
            assert len(body) <= limit
            assert body.startswith(marker("platform", part=number) + "\n")
            assert READER.render(body).rstrip().endswith(f"<!-- digest:{comment_digest(body)} -->"), "left open"
            assert body.count("<details>") == body.count("</details>")
        assert len({comment_digest(body) for body in parts}) == 1


def test_what_finds_no_room_in_ten_parts_is_counted() -> None:
    wide = updated(
        pool("eu/pay", "general", replaced=1, now=1, then=1),
        *(field(f"/spec/f{number}", "a" * 100, "b" * 100) for number in range(4000)),
    )
    small = updated(pool("eu/pay", "batch", replaced=1, now=1, then=1), field("/spec/version", "v1", "v2"))
    text = "\n".join(comment_parts(preview(outcome("eu/pay", wide, small)), limit=4_000))
    assert re.search(r"… \d+ more lines of this object", text)
    assert "/spec/version  v2" in text
    crowd = preview(*(upgrade(f"eu/c{number:03}") for number in range(300)))
    assert re.search(
        r"more lines of this object|more objects|have no room here", "\n".join(comment_parts(crowd, limit=9_000))
    )


def test_the_digest_leaves_out_times_and_the_commit_of_the_branch_and_nothing_else() -> None:
    made = preview(upgrade(), deletion(permitted=True))
    later = replace(made, planned_at=AT + timedelta(days=2, hours=3), base=replace(made.base, commit="f" * 40))
    first, second = comment_parts(made)[0], comment_parts(later)[0]
    assert first != second
    assert comment_digest(first) == comment_digest(second) != ""
    pushed = comment_parts(replace(made, request=replace(made.request, head="e" * 40)))[0]
    assert comment_digest(pushed) != comment_digest(first)
    rivals = comment_parts(replace(made, rivals={"eu-west-1/payments": (9,)}))[0]
    assert comment_digest(rivals) != comment_digest(first)
    assert comment_digest(f"{first}\r\n") == comment_digest(first)
    assert comment_digest(f"{first}\nand more") == comment_digest("") == ""


def test_a_named_management_cluster_has_a_comment_of_its_own() -> None:
    assert comment_parts(preview(upgrade()), management="eu")[0].startswith("<!-- clusterops:plan platform eu -->\n")


def test_what_changes_nothing_has_no_comment_unless_one_stands() -> None:
    same = outcome("eu/pay", Change(key=key(CORE, "Cluster", "eu/pay", "pay"), action=Action.UNCHANGED))
    assert comment_parts(preview(same)) == ()
    assert (
        "Nothing changes any more: 1 target rendered, 0 objects differ."
        in comment_parts(preview(same), standing=True)[0]
    )
    untouched = comment_parts(preview(rendered=0), standing=True)[0]
    assert "inputs of 0 of 300 targets differ" in untouched


def test_the_table_holds_the_twenty_with_most_machines_and_the_rest_is_folded() -> None:
    outcomes = [upgrade(f"eu/c{number:02}", general=3 + number) for number in range(25)]
    text = "\n".join(comment_parts(preview(*outcomes)))
    table = re.findall(r"^\| \*\*(.*?)\*\*", text, re.MULTILINE)
    assert table == [f"eu/c{number:02}" for number in range(24, 4, -1)]
    assert "<summary>5 more clusters</summary>" in text
    assert re.findall(r"^- (eu/c\d+):", text, re.MULTILINE) == [f"eu/c{number:02}" for number in range(5)]


def test_many_refusals_are_folded_and_counted() -> None:
    wrong = [
        broken(f"eu/c{n:02}", Problem(code="x-y", subject=f"eu/c{n:02}", message="m", hint="h")) for n in range(30)
    ]
    text = "\n".join(comment_parts(preview(*wrong)))
    assert "❌ 10 more refusals, folded below." in text
    assert text.count("(x-y)") == 30


def test_a_pace_leads_where_there_are_steps_and_budgets_stand_beside_it() -> None:
    lines = comment_parts(many())[0].splitlines()
    assert lines[1].endswith("492 machines replaced in 41 clusters, in 9 steps")
    assert lines[3].startswith("Pace (fleet.yaml:16): 1 canary (eu-west-1/sandbox), 30 min soak, then 5 clusters")
    assert lines[4].startswith(
        "Budget: 492 of 500 machines in eu-west-1 replaced, by exception CHG-2310 (fleet.yaml:13)"
    )


def test_a_budget_that_is_exceeded_is_no_fit() -> None:
    weights = (replaced_weight(140, 122), replaced_weight(0, 1, budget=Budget.POOLS_DELETED))
    text = comment_parts(preview(upgrade(), weights=weights))[0]
    assert "Fits" not in text
    assert "❌ `replaces 140 machines in eu-west-1, budget 122 (budget-machines-replaced)`" in text
    assert "— refused, beyond a budget" in text


def test_a_patch_release_goes_up_only_too_and_a_downgrade_can_be_reverted() -> None:
    def told(before: str, after: str) -> str:
        plane = pool("eu/pay", "control-plane", replaced=3, now=3, then=3)
        return comment_parts(preview(outcome("eu/pay", updated(plane, field("/spec/version", before, after)))))[0]

    assert "A control plane does not go back to v1.34.0;" in told("v1.34.0", "v1.34.1")
    assert "Cannot be reverted" not in told("v1.34.1", "v1.34.0")


def test_what_was_decrypted_is_in_no_part_of_a_comment() -> None:
    secrets = SecretValues(["CANARY-sops"])
    row = updated(
        pool("eu/pay", "general", replaced=1, now=1, then=1),
        field("/spec/a", "CANARY-sops", MISSING),
        field("/spec/CANARY-sops", MISSING, {"x": ["--t=CANARY-sops"]}),
        reason=Problem(code="x-y", subject="s", message="got CANARY-sops", hint="not CANARY-sops"),
    )
    text = "\n".join(comment_parts(preview(outcome("eu/pay", discreet(row, secrets)))))
    assert "CANARY" not in text
    assert "(secret)" in text


def test_a_preview_that_only_fails_says_so_without_a_table() -> None:
    made: Preview = preview(problems=(Problem(code="merge-conflict", subject="request 1", message="m"),), rendered=0)
    (body,) = comment_parts(made)
    assert "### ClusterOps plan: none, the request cannot be merged" in body
    assert "|---" not in body
