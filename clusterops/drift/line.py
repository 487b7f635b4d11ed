"""One drifted object in one line, for Events and logs."""

from __future__ import annotations

import json
from typing import Any, Final

from clusterops.model.drift import Departed, DriftedField, DriftedObject, Remedy
from clusterops.model.plan import MISSING

_SHOWN: Final = 60
_WORDS: Final = {
    Departed.DELETED: "was deleted",
    Departed.REPLACED: "was deleted and made anew",
    Departed.FOREIGN: "belongs to somebody else too",
    Departed.EXTRA: "stands in no inventory",
}


def line_of(one: DriftedObject) -> str:
    """``MachineDeployment fra1/ledger: /spec/replicas git 4, live 5 by kubectl-scale (person); report``"""
    happened = _WORDS.get(one.what) or _fields(one)
    cost = f"; to heal: {one.cost.text}" if one.cost and one.remedy is not Remedy.LEAVE else ""
    return f"{one.key.label}: {happened}; {one.remedy}{f' ({one.why})' if one.why else ''}{cost}"


def _fields(one: DriftedObject) -> str:
    if not one.fields:
        return "was changed"
    first, more = one.fields[0], len(one.fields) - 1
    told = _lost(first) if one.what is Departed.OWNERSHIP_LOST else _changed(first)
    return f"{told}{f' and {more} more field' if more else ''}{'s' * (more > 1)}"


def _changed(field: DriftedField) -> str:
    by = f" by {field.manager} ({field.author})" if field.manager else ""
    return f"{field.pointer} git {_shown(field.git)}, live {_shown(field.live)}{by}"


def _lost(field: DriftedField) -> str:
    return f"{field.pointer} is owned by {field.manager} ({field.author}), its value is git's"


def _shown(value: Any) -> str:
    if value is MISSING:
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
