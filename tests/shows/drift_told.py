"""What a FleetTarget says of drift, field by field, as anybody reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from clusterops.model.key import ObjectKey
from tests.shows.drift_watch import Place, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One drifted field, or an object without any (deleted, extra): then ``pointer`` is ""."""

    place: Place
    what: str
    pointer: str = ""
    git: str = ""
    """JSON, as ``live``; "" where there is none."""
    live: str = ""
    manager: str = ""
    author: str = ""
    remedy: str = ""


def told(seen: Seen) -> list[Told]:
    """Of a FleetTarget; nothing of any other object."""
    drift = (seen.body.get("status") or {}).get("drift") or {}
    return [each for one in drift.get("objects") or () for each in _fields(one)]


def _fields(one: dict[str, Any]) -> list[Told]:
    key = ObjectKey.parse(one["object"])
    of = {
        "place": Place(kind=key.kind, namespace=key.namespace or "", name=key.name),
        "what": one["what"],
        "remedy": one.get("remedy", ""),
    }
    fields = [
        Told(
            **of,
            pointer=each["pointer"],
            git=_text(each, "git"),
            live=_text(each, "live"),
            manager=each.get("manager", ""),
            author=each.get("author", ""),
        )
        for each in one.get("fields") or ()
    ]
    return fields or [Told(**of, author=one.get("author", ""))]


def _text(one: dict[str, Any], side: str) -> str:
    return json.dumps(one[side]) if side in one else ""
