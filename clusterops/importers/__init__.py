"""What other GitOps tools have said of a fleet, in our words.

Knows: the parts of Argo CD's and Flux's objects that have a counterpart here.
Gives: ignore rules, and a line for each thing that could not be carried over.
Never: reads a cluster or a repository.
Read first: ignore_rules.py.
"""

from clusterops.importers.carried import Imported, NotCarried
from clusterops.importers.ignore_rules import rules_from, rules_to_yaml

__all__ = ["Imported", "NotCarried", "rules_from", "rules_to_yaml"]
