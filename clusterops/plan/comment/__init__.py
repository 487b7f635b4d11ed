"""The plan of a request as the comment on it. Pure.

Knows: the words of the comment (README, "On the request"), and what Markdown of forges makes of foreign text.
Gives: `comment_parts`, `comment_digest`, `marker`, and `plan_to_markdown` for a plan alone; `answer_marker` and
`code` for answers to commands.
Never: a secret value, foreign text that is read as markup, a part longer than the forge takes, a silent cut.
Read first: body.py, table.py, parts.py.
"""

from clusterops.plan.comment.body import comment_digest, comment_parts
from clusterops.plan.comment.markdown import code
from clusterops.plan.comment.markers import OURS, answer_marker, marker
from clusterops.plan.comment.single import plan_to_markdown

__all__ = ["OURS", "answer_marker", "code", "comment_digest", "comment_parts", "marker", "plan_to_markdown"]
