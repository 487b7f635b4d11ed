"""HTML that cannot be broken out of: every text is escaped unless it was built here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final


class Html(str):
    """Built by ``element`` or ``joined``; every other text is escaped on its way in."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str | int) -> Html:
    """``element("td", text, rowspan=2, class_="num")``; a trailing underscore of an attribute is left out."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{joined(*content)}</{name}>")


def joined(*parts: str) -> Html:
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def breakable(text: str) -> Html:
    """May go on in the next line after a slash or a dot, and before a capital inside of a word."""
    parts = re.split(r"(?<=[/.])|(?<=[a-z])(?=[A-Z])", text)
    return Html("<wbr>".join(escape(part) for part in parts))


def table(columns: Iterable[str], rows: Iterable[str]) -> Html:
    """``rows`` are tr elements."""
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    return element("table", element("thead", head), element("tbody", *rows))


def folded(summary: str, *content: str, open_: bool = False) -> Html:
    inner = joined(element("summary", summary), *content)
    return Html(f"<details open>{inner}</details>") if open_ else element("details", inner)


def page(title: str, *content: str) -> Html:
    """One file: no script, no network, and a policy that allows neither."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = joined(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", Html(_STYLE)),
    )
    body = element("body", *content)
    return Html(f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n')


_STYLE: Final = """
:root { color-scheme: light; --ink: #1a1c20; --soft: #5b616b; --line: #d5d9e0; --calm: #f4f6f8;
  --person: #c2410c; --tool: #1d4ed8; --autoscaler: #047857; --controller: #b98900; --unknown: #7c828c; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 84rem; color: var(--ink); background: #fff;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; padding-bottom: .25rem; border-bottom: 2px solid var(--ink); }
p { margin: .4rem 0; max-width: 60rem; }
.soft, figcaption { color: var(--soft); }
.sums { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: .75rem 0; padding: 0; list-style: none; }
.sums b { font-size: 1.4rem; margin-right: .35rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
.whole { white-space: nowrap; }
td.any { overflow-wrap: anywhere; min-width: 6.5em; }
td.why { min-width: 11em; }
code { font: .86em/1.4 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--calm); padding: .05em .25em;
  border-radius: 3px; }
td code + code { display: table; margin-top: .3rem; }
.machines { font-weight: 600; }
details { margin: .35rem 0; }
details details { margin-left: 1.1rem; }
summary { cursor: pointer; padding: .15rem 0; }
.bar { display: inline-block; width: 8rem; height: .6em; margin-right: .6rem; vertical-align: baseline; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0 0 0 1.1rem; max-width: 60rem; }
figure { margin: .5rem 0; }
svg text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #5b616b; }
.person { fill: var(--person); background: var(--person); } .tool { fill: var(--tool); background: var(--tool); }
.autoscaler { fill: var(--autoscaler); background: var(--autoscaler); }
.controller { fill: var(--controller); background: var(--controller); }
.unknown { fill: var(--unknown); background: var(--unknown); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .25rem 0; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2 { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  dt { break-after: avoid; }
  thead { display: table-header-group; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  summary { list-style: none; break-after: avoid; font-weight: 600; }
  summary::-webkit-details-marker { display: none; }
}
"""
