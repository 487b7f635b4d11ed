"""The words of our values contract that JSON Schema has no type for."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

import jsonschema

_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
"""**Source:** Cluster API v1.14.0 util/version KubeSemver."""
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|h|m|s))+")
"""**Source:** Go time.ParseDuration, without the signs and the units that make no sense here."""

WANTED: Final = {
    "cidr": "an address range",
    "kubernetes-version": "a Kubernetes version",
    "duration": "a duration",
}
EXAMPLES: Final = {"cidr": "10.244.0.0/16", "kubernetes-version": "v1.34.1", "duration": "10m"}


def format_checker() -> jsonschema.FormatChecker:
    """Only ours: the formats of JSON Schema itself mean other things (its ``duration`` is ISO 8601)."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("cidr")(_is_cidr)
    checker.checks("kubernetes-version")(_is_version)
    checker.checks("duration")(_is_duration)
    return checker


def _is_cidr(value: Any) -> bool:
    if not isinstance(value, str):
        return True
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return "/" in value


def cidr_hint(value: Any) -> str:
    """What is nearest to a range with bits set beyond its length: its network."""
    try:
        return f"the range that holds it is {ipaddress.ip_network(value, strict=False)}"
    except ValueError:
        return ""


def _is_version(value: Any) -> bool:
    return not isinstance(value, str) or bool(_VERSION.fullmatch(value))


def _is_duration(value: Any) -> bool:
    return not isinstance(value, str) or bool(_DURATION.fullmatch(value))
