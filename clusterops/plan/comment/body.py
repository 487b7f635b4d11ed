"""The whole comment, part by part."""

from __future__ import annotations

import re
from typing import Final

from clusterops.model.canonical import digest_of
from clusterops.model.preview import Preview
from clusterops.plan.text import plan_to_markdown

_DIGEST: Final = re.compile(r"<!-- digest:([0-9a-f]{32}) -->\s*\Z")


def marker(fleet: str, management: str = "default", *, part: int = 1) -> str:
    """The first line, by which the comment is found again: ``<!-- clusterops:plan platform -->``."""
    name = fleet if management == "default" else f"{fleet} {management}"
    return f"<!-- clusterops:plan {name}{f' part {part}' if part > 1 else ''} -->"


def comment_digest(body: str) -> str:
    """Of a part that was posted: equal as long as the whole comment says the same, times aside. "" where none is."""
    found = _DIGEST.search(body)
    return found.group(1) if found else ""


def comment_parts(
    preview: Preview, *, management: str = "default", limit: int = 65_000, standing: bool = False
) -> tuple[str, ...]:
    """Each with its marker, in order, none longer than ``limit`` characters; empty where no target changes.

    ``standing``: a comment stands there already, so that nothing changes any more is said in it.
    """
    if not preview.outcomes and not preview.problems:
        return ()
    lines = [marker(preview.fleet.file.name, management), "### ClusterOps plan", ""]
    lines += [f"❌ `{problem.text}`" for problem in preview.problems]
    lines += [plan_to_markdown(outcome.plan) for outcome in preview.outcomes if outcome.plan is not None]
    lines += [f"❌ `{outcome.problem.text}`" for outcome in preview.outcomes if outcome.problem is not None]
    digest = f"\n<!-- digest:{digest_of(lines)[:32]} -->"
    lines.append(f"<sub>Merge of {preview.request.head[:7]} into {preview.base.text}</sub>")
    return ("\n".join(lines)[: limit - len(digest)] + digest,)
