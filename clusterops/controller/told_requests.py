"""What people see of a request: two statuses on its head, and one comment."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

from clusterops.controller.board import Board
from clusterops.controller.followed import Followed, says_same
from clusterops.controller.preview import Merge
from clusterops.controller.request_statuses import request_statuses
from clusterops.controller.sticky_comment import StickyComment
from clusterops.errors import ClusterOpsError, TransientError
from clusterops.model.commit_status import State
from clusterops.model.preview import Preview
from clusterops.ports import Forge
from clusterops.status import Contexts, plan_pending


@dataclass(slots=True, kw_only=True)
class Teller:
    forge: Forge
    board: Board
    management: str
    _comment: StickyComment = field(init=False)
    _contexts: Contexts = field(init=False)

    def __post_init__(self) -> None:
        self._comment = StickyComment(forge=self.forge, management=self.management)
        self._contexts = Contexts(management=self.management)

    async def announce(self, followed: Followed, merge: Merge) -> None:
        """Where the plan that stands is known to be wrong, or there is none. One of before a restart may be right."""
        planned = followed.planned
        if followed.announced or (planned is not None and planned.same_work(merge)):
            return
        head, failed = followed.request.head, list[ClusterOpsError]()
        pending = plan_pending(len(merge.due), merge.total, contexts=self._contexts)
        if followed.told is not None or not await self._stands(head, failed):
            await trying(self.board.write_statuses(head, [pending]), failed)
            followed.announced = not failed

    async def tell(self, followed: Followed, preview: Preview, failed: list[ClusterOpsError]) -> None:
        """Where it is news; the statuses first, since they are what a merge waits for. ``failed`` takes what fails."""
        if followed.told is not None and not followed.announced and says_same(followed.told, preview):
            return
        head, count = preview.request.head, len(failed)
        await trying(self.board.write_statuses(head, request_statuses(preview, self._contexts)), failed)
        if preview.request.number:
            await trying(self._comment.write(preview), failed)
        if len(failed) == count:
            followed.told, followed.announced = preview, False

    async def _stands(self, head: str, failed: list[ClusterOpsError]) -> bool:
        """Whether an earlier process gave its verdict on the plan."""
        try:
            standing = (await self.board.standing(head)).get(self._contexts.plan)
        except ClusterOpsError as error:
            failed.append(error)
            return False
        return standing is not None and standing.state is not State.PENDING


async def trying(work: Awaitable[object], failed: list[ClusterOpsError]) -> None:
    """What can be mended by another try is told before what cannot."""
    try:
        await work
    except TransientError as error:
        failed.insert(0, error)
    except ClusterOpsError as error:
        failed.append(error)
