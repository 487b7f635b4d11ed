"""Lists that come in pages. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from clusterops.forge.wire import Call, Reply

_NEXT: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


def next_link(call: Call, reply: Reply) -> Call | None:
    """The same call with the next page's query: nothing else of a link is believed. **Source:** RFC 8288."""
    found = _NEXT.search(reply.headers.get("link", ""))
    if found is None:
        return None
    query = found[1].partition("#")[0].partition("?")[2].encode(errors="replace").decode()
    return replace(call, query=dict(parse_qsl(query, keep_blank_values=True)))
