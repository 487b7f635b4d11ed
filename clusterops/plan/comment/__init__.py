"""The plan of a request as the comment on it. Pure.

Knows: the words of the comment (README, "On the request"), and what Markdown of forges makes of foreign text.
Gives: `comment_parts`, `comment_digest`, `marker`, `plan_to_markdown` for a plan alone, and `code`
for whoever else quotes something there.
Never: a secret value, foreign text that is read as markup, a part longer than the forge takes, a silent cut.
Read first: body.py, table.py, parts.py.
"""

from clusterops.plan.comment.body import comment_digest, comment_parts, marker
from clusterops.plan.comment.markdown import code
from clusterops.plan.comment.single import plan_to_markdown

__all__ = ["code", "comment_digest", "comment_parts", "marker", "plan_to_markdown"]
