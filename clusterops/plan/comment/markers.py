"""The first lines of what we write on a request, by which it is found again, after a restart too."""

from __future__ import annotations

from typing import Final

OURS: Final = "<!-- clusterops:"
"""What each of them begins with, whichever daemon of whichever fleet wrote it."""


def marker(fleet: str, management: str = "default", *, part: int = 1) -> str:
    """Of the plan: ``<!-- clusterops:plan platform -->``."""
    return _line("plan", fleet, management, f"part {part}" if part > 1 else "")


def answer_marker(fleet: str, management: str, comment: str) -> str:
    """Of the answer to the commands in a comment: ``<!-- clusterops:answer platform to 17 -->``."""
    return _line("answer", fleet, management, f"to {comment}")


def _line(what: str, fleet: str, management: str, rest: str) -> str:
    words = (what, fleet, management if management != "default" else "", rest)
    return f"{OURS}{' '.join(word for word in words if word)} -->"
