"""The plan of a request as the comment on it. Pure.

Knows: the words of JOURNEY section 2.
Gives: `comment_parts`.
Never: a secret value, a part longer than the forge takes.
Read first: body.py.
"""

from clusterops.plan.comment.body import comment_parts, marker

__all__ = ["comment_parts", "marker"]
