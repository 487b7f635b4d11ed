"""Where the verdicts on commits stand: on the forge that fleet.yaml names, else in git notes; and never twice.

On a forge, what became of a commit stands on the heads of the requests that were merged with it, too, and on earlier
commits that were taken together with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from clusterops.errors import ClusterOpsError
from clusterops.model.commit_status import CommitStatus, State
from clusterops.model.revision import Revision
from clusterops.ports import Clock, Forge, Repository
from clusterops.status import Contexts

T = TypeVar("T")
PROGRESS_S: Final = 30.0
"""Least time between two posts that only report progress: a forge takes 1,000 for each context (GitHub)."""
_REMEMBERED: Final = 512
"""Commits whose statuses are known without asking."""


@dataclass(slots=True, kw_only=True)
class Board:
    """ports.StatusBoard. What stands on a commit already, from before a restart too, is not posted again."""

    repository: Repository
    forge: Forge | None = None
    clock: Clock | None = None
    management: str = "default"
    _standing: dict[str, dict[str, CommitStatus]] = field(default_factory=dict)
    _posted_s: dict[tuple[str, str], float] = field(default_factory=dict)
    _heads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _carried: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By commit, the earlier ones whose verdict is its own."""

    def use(self, forge: Forge | None) -> None:
        """Another forge knows nothing of what stood on the last one."""
        self.forge = forge
        for known in (self._standing, self._posted_s, self._heads):
            known.clear()

    def carry(self, commit: str, earlier: Sequence[Revision]) -> None:
        """Commits that were taken together with this one: what becomes of it becomes of them."""
        also = [each.commit for each in earlier]
        carried = {*also, *(older for each in also for older in self._carried.pop(each, ()))}
        if carried:
            self._carried[commit] = tuple(sorted({*self._carried.get(commit, ()), *carried} - {commit}))

    async def write_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Posts what differs in state or text; what fails is raised at the end, and left to the next try.

        The verdict of the whole on the commit itself last: where that stands all the rest does, after a restart too.
        """
        forge = self.forge
        if forge is None:
            return await self.repository.write_statuses(commit, statuses)
        failed: list[ClusterOpsError] = []
        applied = [status for status in statuses if status.context.startswith(self._contexts.apply)]
        whole = next((status for status in applied if status.context == self._contexts.apply), None)
        posts = (
            partial(self._pass_on, forge, commit, whole),
            partial(self._mirror, forge, commit, applied),
            partial(self._post, forge, commit, sorted(statuses, key=lambda each: each is whole)),
        )
        for post in posts:
            try:
                await post()
            except ClusterOpsError as error:
                failed.append(error)
        for first in failed[:1]:
            raise first
        return None

    async def settle(self, commit: str) -> None:
        """Passes on what stands on the commit to those that it carries. Raises what reading and writing raise."""
        if self.forge is not None:
            await self._pass_on(self.forge, commit, (await self.standing(commit)).get(self._contexts.apply))

    async def read_statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        return await (self.forge or self.repository).read_statuses(commit)

    async def standing(self, commit: str) -> Mapping[str, CommitStatus]:
        """What stands on a commit, by context, as far as it was written here or before. Raises what reading raises."""
        if self.forge is None:
            return {each.context: each for each in await self.repository.read_statuses(commit)}
        return await self._known(self.forge, commit)

    async def _pass_on(self, forge: Forge, commit: str, whole: CommitStatus | None) -> None:
        if whole is None:
            return
        told = replace(whole, text=f"carried by {commit[:7]}: {whole.text}")
        for earlier in self._carried.get(commit, ()):
            waiting = sorted(await self._waiting(forge, earlier))
            every = [*(replace(told, context=context) for context in waiting), told]
            await self._mirror(forge, earlier, every)
            await self._post(forge, earlier, every)

    async def _waiting(self, forge: Forge, commit: str) -> set[str]:
        """Regions and clusters that an earlier process left pending."""
        standing = await self._known(forge, commit)
        pending = {context for context, status in standing.items() if status.state is State.PENDING}
        return {context for context in pending if context.startswith(f"{self._contexts.apply}: ")}

    async def _mirror(self, forge: Forge, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """On the heads of the requests whose merge made the commit."""
        if statuses:
            ended = any(status.state is not State.PENDING for status in statuses)
            for head in await self._heads_of(forge, commit, again=ended):
                await self._post(forge, head, statuses)

    async def _post(self, forge: Forge, commit: str, statuses: Sequence[CommitStatus]) -> None:
        standing = await self._known(forge, commit)
        for status in statuses:
            if is_news(standing.get(status.context), status) and not self._too_soon(commit, standing, status):
                await forge.write_statuses(commit, [status])
                standing[status.context] = status
                self._note_time(commit, status)

    def _too_soon(self, commit: str, standing: Mapping[str, CommitStatus], status: CommitStatus) -> bool:
        before = standing.get(status.context)
        if self.clock is None or before is None or {before.state, status.state} != {State.PENDING}:
            return False
        posted_s = self._posted_s.get((commit, status.context))
        return posted_s is not None and self.clock.boottime_s() - posted_s < PROGRESS_S

    def _note_time(self, commit: str, status: CommitStatus) -> None:
        if self.clock is not None and status.state is State.PENDING:
            self._posted_s[commit, status.context] = self.clock.boottime_s()
        else:
            self._posted_s.pop((commit, status.context), None)

    async def _known(self, forge: Forge, commit: str) -> dict[str, CommitStatus]:
        if commit not in self._standing:
            found = {each.context: each for each in await forge.read_statuses(commit)}
            _bounded(self._standing).setdefault(commit, found)
        return self._standing[commit]

    async def _heads_of(self, forge: Forge, commit: str, *, again: bool) -> tuple[str, ...]:
        """Asked once, and at the end once more where there was none: a forge may learn of it late."""
        known = self._heads.get(commit)
        if known is None or (again and not known):
            found = (request.head for request in await forge.requests_of(commit))
            known = _bounded(self._heads)[commit] = tuple(dict.fromkeys(head for head in found if head != commit))
        return known

    @property
    def _contexts(self) -> Contexts:
        return Contexts(management=self.management)


def is_news(before: CommitStatus | None, now: CommitStatus) -> bool:
    return before is None or (before.state, before.text) != (now.state, now.text)


def _bounded(known: dict[str, T]) -> dict[str, T]:
    while len(known) >= _REMEMBERED:
        known.pop(next(iter(known)))
    return known
