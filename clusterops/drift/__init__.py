"""Where the management cluster departs from git, who did it, and what is done about it. Pure.

Knows: inventories, live objects, ignore rules, maintenance windows, field managers.
Gives: a TargetDrift with its objects, authors, costs and remedies; its history.
Never: reads, writes, asks for the time.
Read first: compare.py, explain.py.
"""
