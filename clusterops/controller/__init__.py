"""The engine: which target is worked on now, the sentence that is said about it, and the daemon around both.

Knows: names of targets waiting, commits and what they cover, who holds the Lease.
Gives: outcomes, and the verdict of each commit through ports.Repository.
Never: decides what happens to an object (plan), or moves bytes (the doors).
Read first: reconcile.py (the sentence), commits.py (what a commit covers), daemon.py (who calls it).
"""
