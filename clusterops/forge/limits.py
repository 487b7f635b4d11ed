"""What a forge would refuse for its length or its characters, made to fit so that a reader sees it. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

CONTEXT_LIMIT: Final = 255
"""Characters. **Source:** GitHub's commit statuses; GitLab's `ci_builds.name`, a varchar(255)."""
_CUT: Final = "\n\n… cut here: a comment of this forge ends at {limit} characters\n"


def fold_context(context: str, limit: int = CONTEXT_LIMIT) -> str:
    """Two that are too long and differ stay two."""
    if len(context) <= limit:
        return context
    digest = sha256(context.encode()).hexdigest()[:8]
    return f"{context[: limit - 9]}…{digest}"


def fold_line(text: str, limit: int) -> str:
    """One line without control characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def plain_plane(text: str, stand_in: str = "�") -> str:
    """Without characters beyond the basic plane."""
    return "".join(each if ord(each) <= 0xFFFF else stand_in for each in text)


def cut_body(body: str, limit: int) -> str:
    if len(body) <= limit:
        return body
    note = _CUT.format(limit=limit)
    return body[: limit - len(note)] + note
