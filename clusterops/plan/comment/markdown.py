"""Text of git, of clusters and of forges inside Markdown that is ours: it can look like itself and do nothing.

What is escaped here is inert in GitHub's, GitLab's and Gitea's Markdown, in tables as well: no markup, no HTML, no
link, no mention, no reference, nothing that turns the direction of a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape as html_escape
from typing import Final

_LONGEST: Final = 600
"""Characters of one piece of prose; hints with a file to paste are the longest."""
_HARMLESS: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 /.,+=()-]*[A-Za-z0-9)])?")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]*(?:@[0-9a-f]{7})?")
_NOTHING: Final = "\u200b"
"""Between the sign that makes a reference and what it would refer to."""
_ESCAPES: Final = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "\\`*_[]~"},
        "<": "&lt;",
        ">": "&gt;",
        "&": "&amp;",
        "|": "&#124;",
        "@": f"@{_NOTHING}",
        "#": f"#{_NOTHING}",
        "!": f"!{_NOTHING}",
        "$": f"${_NOTHING}",
    }
)
_LINKS: Final = re.compile(r"(?i)(www(?=\.)|:(?=//)|mailto(?=:)|xmpp(?=:))")


def visible(text: str) -> str:
    """One line: what would break it, turn it round or hide is spelled out (``\\n``, ``\\u202e``)."""
    if text.isprintable():
        return text
    return "".join(_spelled(sign) if _is_hidden(sign) else sign for sign in text)


def cut(text: str, limit: int) -> str:
    """At most about ``limit`` characters; of what is cut, it says how much there is."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def prose(text: str, *, table: bool = False) -> str:
    """A sentence that may quote anything; what stands between backticks becomes code."""
    parts = visible(cut(text, _LONGEST)).split("`")
    told = [_escaped(parts[0])]
    for index, part in enumerate(parts[1:], start=1):
        if index % 2 and index < len(parts) - 1:
            told.append(code(part, table=table))
        else:
            told.append(("\\`" if index % 2 else "") + _escaped(part))
    return "".join(told)


def code(text: str, *, table: bool = False) -> str:
    """An inline code span. In a table a pipe stays inside its cell."""
    plain = visible(cut(text, _LONGEST))
    if table:
        plain = plain.replace("\\|", "\\¦").replace("|", "\\|")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    room = " " if not plain.strip(" ") or plain[0] in "` " or plain[-1] in "` " else ""
    return f"{ticks}{room}{plain}{room}{ticks}"


def word(text: str, *, table: bool = False) -> str:
    """A name: as it is where that is harmless, else as code."""
    return text if len(text) <= _LONGEST and _HARMLESS.fullmatch(text) else code(text, table=table)


def revision(text: str) -> str:
    """``main@4f1c2a9`` and its parts: an ``@`` inside a word mentions nobody."""
    return text if _REVISION.fullmatch(text) else code(text)


def row(cells: Iterable[str]) -> str:
    """Of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def html(text: str) -> str:
    """Inside a tag, where Markdown is not read."""
    plain = html_escape(visible(cut(text, _LONGEST)))
    return plain if _HARMLESS.fullmatch(text) else f"<code>{plain}</code>"


def fence_for(lines: Iterable[str]) -> str:
    """Backticks that no line can close."""
    ticked = (line for line in lines if "```" in line)
    longest = max((len(run) for line in ticked for run in re.findall("`{3,}", line)), default=2)
    return "`" * (longest + 1)


def _escaped(text: str) -> str:
    return _LINKS.sub(rf"\1{_NOTHING}", text.translate(_ESCAPES))


def _is_hidden(sign: str) -> bool:
    return unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode()
