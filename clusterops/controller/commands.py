"""What people ask for in comments: ``clusterops plan``, ``clusterops explain TARGET``, ``clusterops help``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from clusterops.model.preview import Place, Preview
from clusterops.model.request import Comment
from clusterops.plan.comment import OURS, code

MOST: Final = 5
"""Commands of one comment that are taken."""
_LINE: Final = re.compile(r"clusterops(?:[ \t]+(?P<word>\S+)(?:[ \t]+(?P<rest>.*?))?)?[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(```|~~~)")


class Word(StrEnum):
    PLAN = "plan"
    EXPLAIN = "explain"
    HELP = "help"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line of a comment. ``said`` is what stood there instead, of an unknown one."""

    word: Word
    argument: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The commands of one comment: they get one answer."""

    comment: Comment
    commands: tuple[Command, ...]

    @property
    def plans(self) -> bool:
        return any(each.word is Word.PLAN for each in self.commands)


def commands_of(comment: Comment) -> tuple[Command, ...]:
    """Of lines that begin with ``clusterops``, outside of fenced code; none in what we wrote ourselves."""
    if comment.body.lstrip().startswith(OURS):
        return ()
    return tuple(dict.fromkeys(_commands(comment.body.splitlines())))[:MOST]


def _commands(lines: Iterable[str]) -> Iterator[Command]:
    fence = ""
    for line in lines:
        found = _FENCE.match(line)
        if found is not None and fence in {"", found[1]}:
            fence = "" if fence else found[1]
        elif not fence and (asked := _LINE.fullmatch(line)) is not None:
            yield _command(asked["word"] or Word.HELP, asked["rest"] or "")


def _command(word: str, rest: str) -> Command:
    if word == Word.EXPLAIN and rest:
        return Command(word=Word.EXPLAIN, argument=rest)
    if word in {Word.PLAN, Word.HELP} and not rest:
        return Command(word=Word(word))
    return Command(word=Word.UNKNOWN, said=f"{word} {rest}".strip())


def help_text() -> str:
    return (
        "| command | what it does |\n|---|---|\n"
        "| `clusterops plan` | plans this request again, as the branch and the clusters are now |\n"
        "| `clusterops explain TARGET` | says where each value that it changes in the target comes from |\n"
        "| `clusterops help` | this |\n\n"
        "At the beginning of a line, from people who may write to this repository."
    )


def unknown_text(said: str) -> str:
    known = [str(word) for word in Word if word]
    close = get_close_matches(said.partition(" ")[0], known, n=1)
    meant = f" Did you mean `clusterops {close[0]}`?" if close else ""
    missing = " It needs a TARGET, REGION/CLUSTER." if said == Word.EXPLAIN else ""
    return f"{code(f'clusterops {said}')} is no command.{meant}{missing}\n\n{help_text()}"


def planned_text(preview: Preview, verdict: str) -> str:
    """``verdict`` is what ``clusterops/plan`` says now."""
    made = f"{preview.request.head[:7]} merged into {code(preview.base.text)}"
    at = f"{preview.planned_at:%H:%M:%S}Z"
    plan = f", plan `{preview.plan_id[:6]}`" if preview.plan_id else ""
    return f"Planned again: {made}, live state of {at}{plan}: {code(verdict)}"


def explained_text(preview: Preview, target: str, places: Mapping[Place, str]) -> str:
    """Where each changed value of the target comes from; no value is shown, as one may be a secret."""
    outcome = next((each for each in preview.outcomes if each.target == target), None)
    if outcome is None:
        names = ", ".join(code(each.target) for each in preview.outcomes[:20])
        return f"This request does not change {code(target)}. It changes: {names or 'no target'}."
    if outcome.plan is None:
        why = f": {code(outcome.problem.text)}" if outcome.problem is not None else ""
        return f"{code(target)} has no plan{why}."
    rows = [
        f"- {code(f'{place[1].label} {place[2]}')} {_from(places.get(place, ''))}"
        for place in changed_places(preview, target)
    ]
    if not rows:
        return f"Nothing changes in {code(target)}."
    return "\n".join([f"Where the changed values of {code(target)} come from:", "", *rows])


def changed_places(preview: Preview, target: str) -> Iterator[Place]:
    """Fields that are written, in the plan's order."""
    for outcome in preview.outcomes:
        if outcome.target == target and outcome.plan is not None:
            for change in outcome.plan.changes:
                if change.writes:
                    yield from ((target, change.key, field.pointer) for field in change.fields)


def _from(places: str) -> str:
    return f"from {code(places)}" if places else "(not traced to a line)"
