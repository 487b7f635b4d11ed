"""What would be done to one target, decided before anything is written. Everything here is pure.

Knows: how desired, live and owned differ; what may be pruned; in which order objects go.
Gives: a Plan, the manifests that need a server-side dry run, and the plan as text, JSON and Markdown.
Never: I/O, clocks, secret values in a field change; a prune when anything could not be read.
Read first: build.py, prepare.py, fields.py, prune.py.
"""

from clusterops.plan.build import bereft, build_plan, may_differ, neighbourhood, replaced
from clusterops.plan.comment.single import plan_to_markdown
from clusterops.plan.fields import diff
from clusterops.plan.healing import healed_with_machines, price_of
from clusterops.plan.pace import PlannedPace, fleet_summary, pace_text, pace_to_json, planned_pace, steps_words
from clusterops.plan.prepare import Prepared, also_read, prepare, versions_to_read
from clusterops.plan.text import plan_to_json, plan_to_text, summarise

__all__ = [
    "PlannedPace",
    "Prepared",
    "also_read",
    "bereft",
    "build_plan",
    "diff",
    "fleet_summary",
    "healed_with_machines",
    "may_differ",
    "neighbourhood",
    "pace_text",
    "pace_to_json",
    "plan_to_json",
    "plan_to_markdown",
    "plan_to_text",
    "planned_pace",
    "prepare",
    "price_of",
    "replaced",
    "steps_words",
    "summarise",
    "versions_to_read",
]
