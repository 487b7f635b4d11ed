"""Where the management cluster departs from git, who did it, and what is done about it. Pure.

Knows: inventories, live objects, ignore rules, maintenance windows, field managers.
Gives: a TargetDrift with its objects, authors, costs and remedies; its history; its forms for people and programs.
Never: reads, writes, asks for the time.
Read first: compare.py, explain.py, judge.py.
"""

from clusterops.drift.body import drift_body, drift_of
from clusterops.drift.compare import Departing, departed, left, unknown
from clusterops.drift.explain import Explained, explained
from clusterops.drift.extra import extras
from clusterops.drift.history import after, healed
from clusterops.drift.ignore import BUILT_IN, Sifted, idle, matches, sift
from clusterops.drift.judge import annotations_of, judged
from clusterops.drift.line import line_of
from clusterops.drift.remedy import Remedied, remedied

__all__ = [
    "BUILT_IN",
    "Departing",
    "Explained",
    "Remedied",
    "Sifted",
    "after",
    "annotations_of",
    "departed",
    "drift_body",
    "drift_of",
    "explained",
    "extras",
    "healed",
    "idle",
    "judged",
    "left",
    "line_of",
    "matches",
    "remedied",
    "sift",
    "unknown",
]
