"""What a real Gitea makes of the comment: our markup, and nothing of what foreign text would like to be."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import replace

from clusterops.model.preview import Preview
from clusterops.model.problem import Problem
from clusterops.plan.comment import comment_parts
from tests.comment_previews import CORE, field, key, outcome, pool, preview, updated, upgrade, upgrade_origins
from tests.gitea.server import AUTHOR, GiteaServer
from tests.stage import until

EVIL = (
    f"@{AUTHOR} #1 !1 a|b `@{AUTHOR}` ``` </details></sub><script>alert(1)</script><img src=x onerror=alert(1)> "
    f"[x](http://evil.example) ![y](http://evil.example/y.png) www.evil.example http://evil.example <!-- -->\n\n"
    f"# heading\n* @{AUTHOR}\n| a |\n~~~\n\u202ereversed"
)


def hostile() -> Preview:
    problem = Problem(code="value-type", subject=EVIL, message=EVIL, hint=f"do `{EVIL}` or {EVIL}", path=EVIL, line=1)
    rolled = replace(pool("eu/pay", EVIL, replaced=1, now=1, then=2, added=1), owner=key(CORE, "X", "eu/pay", EVIL))
    told = outcome(EVIL, updated(rolled, field(f"/spec/{EVIL}", EVIL, EVIL * 2)), warnings=(problem,), problem=problem)
    assert told.plan is not None
    return preview(replace(told, plan=replace(told.plan, refusals=(problem,))), rivals={EVIL: (2,)})


TABLE = ("table", "thead", "tbody", "tr", "th", "td")
OURS = frozenset((*TABLE, "h3", "strong", "code", "p", "br", "span", "details", "summary", "div", "pre", "sub"))


def shown(gitea: GiteaServer, repository: str, issue: int) -> list[str]:
    """The comments of an issue as a browser gets them."""
    with urllib.request.urlopen(f"{gitea.url}/{repository}/issues/{issue}", timeout=60) as answer:
        page = answer.read().decode()
    found = re.findall(r'<div[^>]*class="render-content markup"[^>]*>(.*?)</div>\s*<div', page, re.DOTALL)
    return [html for html in found if "ClusterOps plan" in html]


def test_a_real_gitea_shows_the_table_and_folds_and_acts_upon_no_foreign_text(gitea: GiteaServer) -> None:
    repository = gitea.api("POST", "/user/repos", {"name": "comments", "auto_init": True})["full_name"]
    first, second = (gitea.api("POST", f"/repos/{repository}/issues", {"title": each})["number"] for each in "ab")
    parts = (*comment_parts(hostile()), *comment_parts(preview(upgrade(), origins=upgrade_origins())))
    for issue, body in ((first, parts[0]), (first, parts[1]), (second, f"@{AUTHOR}, this one is meant")):
        gitea.api("POST", f"/repos/{repository}/issues/{issue}/comments", {"body": body})

    kept = gitea.api("GET", f"/repos/{repository}/issues/{first}/comments")
    assert tuple(one["body"] for one in kept) == parts
    for html in shown(gitea, repository, first):
        assert set(re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", html)) <= OURS, html
        assert (html.count("<h3"), html.count("<tr"), html.count("<details")) == (1, 2, 1)
    assert len(shown(gitea, repository, first)) == 2

    def notified() -> list[str]:
        told = gitea.api("GET", "/notifications?all=true", account=AUTHOR)
        return [one["subject"]["title"] for one in told if one["repository"]["full_name"] == repository]

    until("the mention that is meant", lambda: "b" in notified())
    assert notified() == ["b"]
