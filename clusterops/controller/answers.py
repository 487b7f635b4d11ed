"""Commands in comments: heard from people whom the repository trusts, and answered once, also after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import Final

from clusterops.controller.commands import (
    Asked,
    Command,
    Word,
    changed_places,
    commands_of,
    explained_text,
    help_text,
    planned_text,
    unknown_text,
)
from clusterops.controller.followed import Followed
from clusterops.controller.preview import Previewer
from clusterops.controller.reconcile import unforeseen
from clusterops.controller.request_statuses import request_statuses
from clusterops.errors import ClusterOpsError, Defect
from clusterops.model.fleet import Fleet
from clusterops.model.preview import Place, Preview
from clusterops.model.request import Comment
from clusterops.plan.comment import answer_marker
from clusterops.ports import Forge
from clusterops.status import Contexts

TRACED: Final = 8
"""Values of one answer whose origin is searched for by rendering."""
TRACE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    forge: Forge
    previewer: Previewer

    async def listen(self, followed: Followed, fleet: Fleet) -> None:
        """Takes up what nobody has answered. From people who may not write here nothing is heard at all."""
        if not followed.unread or not followed.request.number:
            return
        comments = await self.forge.comments(followed.request.number)
        for comment in comments:
            if comment.id in followed.heard:
                continue
            commands = commands_of(comment)
            if commands and not self._is_answered(comment, comments, fleet) and await self.forge.trusts(comment.author):
                followed.asked.append(Asked(comment=comment, commands=commands))
            followed.heard.add(comment.id)
        followed.unread = False

    async def answer(self, followed: Followed, fleet: Fleet) -> None:
        """Whether it was answered is read again: an answer may have arrived although nobody said so."""
        while followed.asked:
            asked, number = followed.asked[0], followed.request.number
            comments = await self.forge.comments(number)
            if not self._is_answered(asked.comment, comments, fleet):
                texts = [await self._text(each, followed, fleet) for each in asked.commands]
                if told := [text for text in texts if text]:
                    lines = [answer_marker(fleet.file.name, self._management, asked.comment.id), *told]
                    await self.forge.write_comment(number, "\n\n".join(lines))
            followed.asked.remove(asked)

    def _is_answered(self, comment: Comment, among: tuple[Comment, ...], fleet: Fleet) -> bool:
        line = answer_marker(fleet.file.name, self._management, comment.id)
        return any(each.mine and each.body.startswith(line) for each in among)

    async def _text(self, command: Command, followed: Followed, fleet: Fleet) -> str:
        """ "" where another daemon of the fleet answers."""
        preview = followed.preview
        if command.word is Word.PLAN and preview is not None:
            return planned_text(preview, request_statuses(preview, Contexts(management=self._management))[0].text)
        if (
            command.word is Word.EXPLAIN
            and preview is not None
            and self._answers_for(command.argument, followed, fleet)
        ):
            return explained_text(preview, command.argument, await self._places(preview, command.argument, followed))
        if not self._speaks_first(fleet):
            return ""
        return {Word.HELP: help_text(), Word.UNKNOWN: unknown_text(command.said)}.get(command.word, "")

    async def _places(self, preview: Preview, target: str, followed: Followed) -> dict[Place, str]:
        """What the changed files say by themselves; for a few of the others, what renders say."""
        wanted = list(changed_places(preview, target))
        found = {place: preview.origins[place] for place in wanted if place in preview.origins}
        left = (place for place in wanted if place not in found)
        try:
            async with asyncio.timeout(TRACE_S):
                for place in islice(left, TRACED):
                    found[place] = await self._trace(place, followed)
        except TimeoutError:
            pass
        return found

    async def _trace(self, place: Place, followed: Followed) -> str:
        target, key, pointer = place
        merge = followed.planned
        if merge is None or target not in merge.fleet.targets:
            return ""
        question = f"{key.kind}/{key.name}:{pointer}"
        try:
            return await self.previewer.trace(merge.snapshot, merge.fleet.targets[target], question)
        except ClusterOpsError:
            return ""
        except Exception as error:
            unforeseen(Defect.of(error), f"{followed.request.name}: {target}", self.previewer.doors.logger)
            return ""

    def _answers_for(self, target: str, followed: Followed, fleet: Fleet) -> bool:
        """Of a target that the request, or the branch, knows: the daemon of its region; else the first."""
        fleets = [followed.planned.fleet, fleet] if followed.planned is not None else [fleet]
        known = next((each.targets[target] for each in fleets if target in each.targets), None)
        return known.management == self._management if known is not None else self._speaks_first(fleet)

    def _speaks_first(self, fleet: Fleet) -> bool:
        return fleet.file.management_clusters[:1] == (self._management,)

    @property
    def _management(self) -> str:
        return self.previewer.management
