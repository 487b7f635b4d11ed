"""What other GitOps tools have said of a fleet, in our words.

Knows: the parts of Argo CD's and Flux's objects that have a counterpart here.
Gives: ignore rules, and a line for each thing that could not be carried over.
Never: reads a cluster or a repository.
Read first: ignore_rules.py.
"""
