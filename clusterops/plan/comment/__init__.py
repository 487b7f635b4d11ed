"""The plan of a request as the comment on it. Pure.

Knows: the words of JOURNEY section 2.
Gives: `comment_parts`, `comment_digest`, `marker`.
Never: a secret value, a part longer than the forge takes.
Read first: body.py.
"""

from clusterops.plan.comment.body import comment_digest, comment_parts, marker

__all__ = ["comment_digest", "comment_parts", "marker"]
