"""The plan as a comment on its request: one, edited in place, and found again by whoever comes after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clusterops.model.preview import Preview
from clusterops.model.problem import Retry
from clusterops.model.request import Comment
from clusterops.plan.comment import comment_digest, comment_parts, marker
from clusterops.ports import Forge

_MOST_PARTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyComment:
    forge: Forge
    management: str

    async def write(self, preview: Preview) -> int:
        """Only what is news; where there are several of one part, the oldest stays. Returns how many were written."""
        number = preview.request.number
        standing, spare = self._ours(await self.forge.comments(number), preview.fleet.file.name)
        if not standing and _passes(preview):
            return 0
        limit = self.forge.comment_limit
        parts = await asyncio.to_thread(
            comment_parts, preview, management=self.management, limit=limit, standing=bool(standing)
        )
        written = 0
        for part, body in enumerate(parts, start=1):
            known = standing.pop(part, None)
            if known is None or not _says(known.body, body):
                await self.forge.write_comment(number, body, id=known.id if known else "")
                written += 1
        for left in (*standing.values(), *spare):
            await self.forge.delete_comment(number, left.id)
        return written

    def _ours(self, comments: Iterable[Comment], fleet: str) -> tuple[dict[int, Comment], list[Comment]]:
        """By part, oldest first; and what else carries our marker."""
        markers = {marker(fleet, self.management, part=part): part for part in range(1, _MOST_PARTS + 1)}
        found: dict[int, Comment] = {}
        spare: list[Comment] = []
        for comment in comments:
            part = markers.get(comment.body.partition("\n")[0].strip()) if comment.mine else None
            if part is not None and found.setdefault(part, comment) is not comment:
                spare.append(comment)
        return found, spare


def _says(standing: str, body: str) -> bool:
    """Whether it says the same, times aside."""
    digest = comment_digest(standing)
    return digest == comment_digest(body) if digest else standing == body


def _passes(preview: Preview) -> bool:
    """No verdict was possible, and the next try may have one: that is a status, and no comment."""
    passing = (problem.retry is Retry.BACKOFF for problem in preview.problems)
    return bool(preview.problems) and not preview.outcomes and all(passing)
