"""What each change of a plan does to machines, predicted from the live Machines and what they were made from."""

from clusterops.plan.impact.lists import queries
from clusterops.plan.impact.predict import impacts

__all__ = ["impacts", "queries"]
