"""Requests to change the fleet (pull requests, merge requests), what people say on them, and what a forge calls out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """An open request against the watched branch, or a merge group of a merge queue.

    ``ref`` is where its head can be fetched (``refs/pull/412/head``). A merge group has ``number`` 0, and no comments.
    """

    number: int
    head: str
    """Full commit id."""
    ref: str
    base: str
    """The branch that it is to be merged into."""
    branch: str = ""
    """Its own branch."""
    title: str = ""
    author: str = ""
    fork: bool = False
    """From another repository: it renders with no secrets and no network, and nothing is decrypted for it."""
    url: str = ""

    @property
    def name(self) -> str:
        """``request 412``"""
        return f"request {self.number}" if self.number else f"merge group {self.head[:7]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment of a request. ``mine``: written by the account whose token we use, as far as that is known."""

    id: str
    body: str
    author: str = ""
    mine: bool = False
    at: datetime | None = None


class Called(StrEnum):
    """What a webhook is about."""

    PUSH = "push"
    REQUEST = "request"
    COMMENT = "comment"
    QUEUE = "queue"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified webhook, as a hint where to look: nothing in it is believed beyond that.

    ``id`` is the forge's own, "" where it gives none; ``branch`` is set for a push, ``number`` for the others.
    """

    kind: Called
    id: str = ""
    branch: str = ""
    number: int = 0
