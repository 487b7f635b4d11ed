"""A local management cluster on loopback, made of plain processes.

*Knows:* the arguments of every process, their order, their certificates, and how Cluster API runs without Pods.
*Gives:* `up` and `down` for a sandbox that stays, `held` for one that ends with its holder, `status`, `found`.
*Never:* listens on anything but loopback, signals a process that it did not start, needs Docker or root, builds a
program (paths are given).
*Read first:* spec.py, then supervisor.py.
"""

from clusterops.sandbox.lifecycle import Held, Sandbox, Status, down, found, held, opened, status, up
from clusterops.sandbox.spec import MODES, Companion, Layout, Mode, Spec, tools_for

__all__ = [
    "MODES",
    "Companion",
    "Held",
    "Layout",
    "Mode",
    "Sandbox",
    "Spec",
    "Status",
    "down",
    "found",
    "held",
    "opened",
    "status",
    "tools_for",
    "up",
]
