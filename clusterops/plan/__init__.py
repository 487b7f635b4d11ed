"""What would be done to one target, decided before anything is written. Everything here is pure.

Knows: how desired, live and owned differ; what may be pruned; in which order objects go.
Gives: a Plan, the manifests that need a server-side dry run, and the plan as text, JSON and Markdown.
Never: I/O, clocks, secret values in a field change; a prune when anything could not be read.
Read first: build.py, fields.py, prune.py.
"""

from clusterops.plan.build import build_plan, may_differ
from clusterops.plan.fields import diff
from clusterops.plan.text import plan_to_json, plan_to_markdown, plan_to_text, summarise

__all__ = ["build_plan", "diff", "may_differ", "plan_to_json", "plan_to_markdown", "plan_to_text", "summarise"]
