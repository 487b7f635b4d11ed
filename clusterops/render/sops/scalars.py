"""What a scalar in plain text adds to a file's MAC, which is made of values, not of their spelling.

**Source:** go.yaml.in/yaml/v3 v3.0.4 resolve.go (YAML 1.2 booleans, timestamps, octals of both versions) and
getsops/sops v3.13.3 sops.go ToBytes.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

import yaml

from clusterops.model.document import PLAIN_TAG
from clusterops.render.sops.cipher import float_text

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUES: Final = frozenset({"true", "True", "TRUE"})
_FALSES: Final = frozenset({"false", "False", "FALSE"})
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WHOLE: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|([1-9][0-9]*|0))",
)
_BASES: Final = (16, 2, 8, 8, 10)
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2}))"
    r"| ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(\.[0-9]+)?)?"
)


def content_of(node: yaml.ScalarNode) -> bytes | None:
    """The bytes of a plain scalar; None for a null, which adds nothing."""
    text = str(node.value)
    if node.tag != PLAIN_TAG and not node.tag.startswith("tag:yaml.org,2002:"):
        return text.encode()
    if node.tag.endswith((":str", ":binary")):
        return text.encode()
    if text in _NULLS:
        return None
    if text in _TRUES | _FALSES:
        return b"True" if text in _TRUES else b"False"
    return (_time(text) or _number(text) or text).encode()


def _number(text: str) -> str:
    plain = text.replace("_", "")
    found = _WHOLE.fullmatch(plain)
    if found is not None:
        digits, base = next((one, base) for one, base in zip(found.groups()[1:], _BASES, strict=True) if one)
        whole = int(found[1] + digits, base)
        if -(2**63) <= whole < 2**63:
            return str(whole)
    if text[0] in "+-.0123456789" and _FLOAT.fullmatch(plain):
        return float_text(float(plain))
    return ""


def _time(text: str) -> str:
    """As Go's time.Time says itself, RFC 3339 with as many digits as it has."""
    found = _TIME.fullmatch(text)
    if found is None:
        return ""
    year, month, day, *clock = found.groups()
    hour, minute, second, fraction = ([*clock[:4]] if clock[0] else [*clock[5:]]) if any(clock) else ["0", "0", "0", ""]
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return ""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return ""
    rest = (fraction or "").rstrip("0").rstrip(".")
    zone = clock[4] if clock[4] not in {None, "+00:00", "-00:00"} else "Z"
    return f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{int(minute):02}:{int(second):02}{rest}{zone}"
