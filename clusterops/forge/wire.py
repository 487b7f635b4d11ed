"""What every adapter gives: requests to the forge as values, and its answers read as ours. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from clusterops.model.commit_status import CommitStatus
from clusterops.model.request import ChangeRequest, Comment


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``path`` is below the API's root and encoded, ``body`` is JSON; ``query`` is not encoded yet."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    repeatable: bool = True
    """Whether it may be sent again when no answer came: setting a thing may, adding one may not."""
    races: bool = False
    """Whether a 409 is a race at the forge that passes by itself; else it is a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """Raises ValueError."""
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deep") from error


class Wire(Protocol):
    """One forge and one repository there. ``read_*`` raise ValueError, KeyError or TypeError over a foreign shape."""

    @property
    def root(self) -> str:
        """Of the API, ``https://git.example.org/api/v1``."""

    @property
    def comment_limit(self) -> int: ...

    def headers(self, token: str) -> Mapping[str, str]:
        """For every request, the token's own included."""

    def next_page(self, call: Call, reply: Reply) -> Call | None: ...

    def stands(self, call: Call, reply: Reply) -> bool:
        """Whether a refusal says only that what the call sets is set already."""

    def whoami(self) -> Call: ...

    def read_whoami(self, body: Any) -> str:
        """The account's name, as comments have it."""

    def open_requests(self, branch: str) -> Call: ...

    def read_requests(self, body: Any) -> list[ChangeRequest]: ...

    def requests_of(self, commit: str) -> Call: ...

    def statuses(self, commit: str) -> Call:
        """The newest of each context where the forge can tell; else all, newest first."""

    def read_statuses(self, body: Any) -> list[CommitStatus]:
        """Of two with one context the newer is first. A state that is not one of ours is left out."""

    def post_status(self, commit: str, status: CommitStatus) -> Call: ...

    def comments(self, number: int) -> Call: ...

    def read_comments(self, body: Any, me: str) -> list[Comment]: ...

    def post_comment(self, number: int, body: str) -> Call: ...

    def edit_comment(self, number: int, id: str, body: str) -> Call: ...

    def delete_comment(self, number: int, id: str) -> Call: ...

    def permission(self, account: str) -> Call: ...

    def read_permission(self, body: Any, account: str) -> bool:
        """Whether that account may write."""

    def open_request(self, *, branch: str, base: str, title: str, body: str) -> Call: ...
