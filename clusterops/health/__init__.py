"""Whether what was applied has become what was meant.

Knows: Cluster API's rules (through capi) and kstatus' for everything else; how to wait without hammering.
Gives: a HealthReport per object, one line on what it waits for, and the report at which waiting ended.
Never: takes an absent or unread condition for a good one; writes.
Read first: assess.py, reading.py, wait.py, kstatus.py.
"""

from clusterops.health.assess import assess, waits_for
from clusterops.health.reading import read_health
from clusterops.health.wait import wait_settled

__all__ = ["assess", "read_health", "wait_settled", "waits_for"]
