"""The whole comment, part by part."""

from __future__ import annotations

from clusterops.model.preview import Preview
from clusterops.plan.text import plan_to_markdown


def marker(fleet: str, management: str = "default", *, part: int = 1) -> str:
    """The first line, by which the comment is found again: ``<!-- clusterops:plan platform -->``."""
    name = fleet if management == "default" else f"{fleet} {management}"
    return f"<!-- clusterops:plan {name}{f' part {part}' if part > 1 else ''} -->"


def comment_parts(preview: Preview, *, management: str = "default", limit: int = 65_000) -> tuple[str, ...]:
    """Each with its marker, in order, none longer than ``limit`` characters; empty where no target changes."""
    if not preview.outcomes and not preview.problems:
        return ()
    lines = [marker(preview.fleet.file.name, management), "### ClusterOps plan", ""]
    lines += [f"❌ `{problem.text}`" for problem in preview.problems]
    lines += [plan_to_markdown(outcome.plan) for outcome in preview.outcomes if outcome.plan is not None]
    lines += [f"❌ `{outcome.problem.text}`" for outcome in preview.outcomes if outcome.problem is not None]
    lines.append(f"<sub>Merge of {preview.request.head[:7]} into {preview.base.text}</sub>")
    return ("\n".join(lines)[:limit],)
