"""What was asked of an API server, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

_CLUSTER: Final = re.compile(r"/namespaces/[^/]+/[^/]+/(c\d{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request with its answer's status; times are of one monotonic clock."""

    began_s: float
    ended_s: float
    method: str
    path: str
    content_type: str
    status: int
    body: bytes

    @property
    def cluster(self) -> str:
        """``c0007``, or "" for what concerns no single cluster."""
        found = _CLUSTER.search(self.path)
        return found[1] if found else ""

    @property
    def defines_kinds(self) -> bool:
        return "/customresourcedefinitions" in self.path

    @property
    def is_lease(self) -> bool:
        return "/leases/" in self.path or self.path.endswith("/leases")


def write_sent(log: BinaryIO, sent: Sent) -> None:
    """A line of JSON, then the body: one write, so that a cut log ends between two of them or in the last."""
    head = {**asdict(sent), "body": len(sent.body)}
    log.write(json.dumps(head).encode() + b"\n" + sent.body)


def read_sent(path: Path, *, until_bytes: int) -> Iterator[Sent]:
    """Those that were written in the first ``until_bytes``, in the order of their ends."""
    with path.open("rb") as log:
        while log.tell() < until_bytes and (line := log.readline()):
            head = json.loads(line)
            yield Sent(**{**head, "body": log.read(head["body"])})
