"""Kubernetes versions as Cluster API reads them, and how far two of them may be apart.

**Source:** semver 2.0 precedence; Cluster API v1.14 util/version/version.go (a missing ``v`` or patch is tolerated),
core/webhooks/admission/cluster.go validateTopologyVersionUpdate and controlplane/kubeadm/webhooks/admission
validateVersion (one minor at a time), core/reconcilers/machineset/machineset_preflight.go (a kubelet's minor is at
most the control plane's, and at most 3 below, as kubernetes.io/releases/version-skew-policy says).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, Final

MINORS_BELOW: Final = 3
"""How many minors a node may be behind its control plane."""

_TEXT: Final = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)(?:\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?)?(?:\+[0-9A-Za-z.-]+)?")


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """Ordered as semver says; ``text`` is as written, and what a build adds (``+rke2r1``) neither raises nor lowers."""

    major: int
    minor: int
    patch: int
    pre_release: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: Any) -> Version | None:
        """None for what is no version: the API server says so better."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        major, minor, patch = (int(part or 0) for part in match.group(1, 2, 3))
        return cls(major, minor, patch, tuple((match.group(4) or "").split(".")) if match.group(4) else (), text)

    def __lt__(self, other: Version) -> bool:
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        """A release comes after its pre-releases, a number before a word."""
        parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.pre_release)
        return self.major, self.minor, self.patch, not self.pre_release, parts

    @property
    def series(self) -> tuple[int, int]:
        return self.major, self.minor

    @property
    def series_text(self) -> str:
        """``v1.34``"""
        return f"v{self.major}.{self.minor}"


def goes_down(before: Version, after: Version) -> bool:
    return after < before


def skips_minor(before: Version, after: Version) -> bool:
    """Whether a minor, or the major, is jumped over."""
    return after.major > before.major or (after.major == before.major and after.minor > before.minor + 1)


def is_above(node: Version, control_plane: Version) -> bool:
    """By minor: a newer patch on the nodes is within the policy."""
    return node.series > control_plane.series


def is_too_far_below(node: Version, control_plane: Version) -> bool:
    if node.major != control_plane.major:
        return node.major < control_plane.major
    return node.minor < control_plane.minor - MINORS_BELOW
