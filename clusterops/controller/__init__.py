"""The engine: which target is worked on now, the sentence that is said about it, and the daemon around both.

Knows: names of targets waiting, commits and what they cover, open requests, who holds the Lease.
Gives: outcomes, the verdict of each commit through ports.StatusBoard, the plan of each request through ports.Forge.
Never: decides what happens to an object (plan), or moves bytes (the doors).
Read first: reconcile.py (the sentence), commits.py (what a commit covers), daemon.py (who calls it); forges.py and
previews.py for requests.
"""
