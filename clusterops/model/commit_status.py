"""The verdict on a commit, in the words of JOURNEY.md section 2 (contexts, states, texts)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

TEXT_LIMIT: Final = 140
"""Characters of a status text. Source: GitHub's commit status API, the narrowest of the forges."""


class State(StrEnum):
    """``failure`` is a verdict on the change, ``error`` means that no verdict was possible."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """``context`` is a public interface (branch-protection rules name it): ``clusterops/apply``."""

    context: str
    state: State
    text: str
    at: datetime | None = None

    def __post_init__(self) -> None:
        if len(self.text) > TEXT_LIMIT:
            object.__setattr__(self, "text", self.text[: TEXT_LIMIT - 1] + "…")
