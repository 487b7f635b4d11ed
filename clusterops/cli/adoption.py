"""Taking a live value into git: find what sets the field, edit that one value, render, and write only what fits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from clusterops.cli.locally import LocalFleet
from clusterops.drift.report_words import value_text
from clusterops.edit import Written, set_value
from clusterops.edit.candidates import candidates
from clusterops.errors import ClusterOpsError, RefusedError, TerminalError
from clusterops.model.bodies import comparable, value_at
from clusterops.model.document import Pointer, load_document, load_documents
from clusterops.model.fleet import HelmRecipe, Target, TemplateRecipe
from clusterops.model.key import ObjectKey
from clusterops.model.leaves import Path, leaves
from clusterops.model.live import Absent, LiveObject, Unreadable
from clusterops.model.manifest import Manifest, RenderedSet
from clusterops.model.plan import MISSING
from clusterops.model.pointer import tokens_of
from clusterops.ports import Cluster
from clusterops.render import Explanation, ProcessRenderer, explain, with_file
from clusterops.render.values.layers import path_text
from clusterops.source.fleet.reader import read_fleet

MOST_TRIALS: Final = 16
"""Renders after those of explain; the likeliest guesses come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """``setting`` is the values path, or the field's pointer in a plain file; ``written`` None where git agrees."""

    target: str
    field: str
    """``MachineDeployment/ledger-general:/spec/replicas``"""
    git: Any
    live: Any
    path: str = ""
    setting: str = ""
    written: Written | None = None

    @property
    def text(self) -> str:
        git, live = value_text(self.git), value_text(self.live)
        if self.written is None:
            return f"{self.target} {self.field}: git says {git} already, as it lives"
        edit = f"{self.setting}: {value_text(self.written.before)} -> {value_text(self.written.after)}"
        told = f"{self.target} {self.field} renders as it lives then: {live}, not {git}"
        return f"{self.path}:{self.written.line}   {edit}\n{told}"

    def to_body(self) -> dict[str, Any]:
        """The JSON form; ``before`` is absent where the file did not set it."""
        body = {"target": self.target, "field": self.field, "git": self.git, "live": self.live, "edit": None}
        if self.written is not None:
            before = {} if self.written.before is MISSING else {"before": self.written.before}
            place = {"path": self.path, "line": self.written.line, "setting": self.setting}
            body["edit"] = {**place, **before, "after": self.written.after}
        return body


@dataclass(slots=True, kw_only=True)
class Adoption:
    """One field of one object of a target in the working tree."""

    renderer: ProcessRenderer
    cluster: Cluster
    local: LocalFleet
    target: Target
    object: str
    pointer: str
    _others: list[str] = field(default_factory=list)
    """What the nearest guess would change as well."""

    async def find(self) -> Adopted:
        """The edit that fits, not written. Raises TerminalError ``adopt-not-possible``, and what is not there."""
        rendered = await self.renderer.render(self.local.snapshot, self.target)
        manifest = await self._manifest(rendered)
        if manifest.key.is_secret:
            raise RefusedError(
                "adopt-secret",
                manifest.key.label,
                "is a Secret",
                hint="change it where its value is kept; git has none",
            )
        git, live = await self._values(manifest)
        if rendered.secrets.within(git):
            raise RefusedError(
                "adopt-secret",
                f"{manifest.key.label}: {self.pointer}",
                "holds a value that SOPS encrypts",
                hint="change it with `sops FILE`",
            )
        told = {"target": self.target.name, "field": f"{self.object}:{self.pointer}", "git": git, "live": live}
        if _same(git, live):
            return Adopted(**told)
        answer = await explain(self.renderer, self.local.snapshot, self.target, f"{self.object}:{self.pointer}")
        for path, setting, written in await self._edits(answer, manifest, git, live):
            if await self._fits(path, written.text, rendered, manifest, live):
                self._refuse_shared(path)
                return Adopted(**told, path=path, setting=setting, written=written)
        raise self._impossible(answer)

    async def _manifest(self, rendered: RenderedSet) -> Manifest:
        found = [each for each in rendered.manifests if f"{each.key.kind}/{each.key.name}" == self.object]
        if not found:
            # It says which objects there are.
            await explain(self.renderer, self.local.snapshot, self.target, f"{self.object}:{self.pointer}")
        return found[0]

    async def _values(self, manifest: Manifest) -> tuple[Any, Any]:
        """What git says and what lives; both are there."""
        subject = f"{manifest.key.label}: {self.pointer}"
        git = value_at(manifest.body, self.pointer, MISSING)
        if git is MISSING:
            hint = f"`clusterops explain {self.target.name} {self.object}:{self.pointer}` names what is near"
            raise TerminalError("adopt-not-possible", subject, "git does not set it, so it is no drift", hint=hint)
        live = live_value(manifest, await self._live(manifest.key), self.pointer)
        if live is MISSING:
            hint = "take it out of git by hand, or put it back: `clusterops drift heal`"
            raise TerminalError("adopt-not-possible", subject, "the live object has no such field", hint=hint)
        return git, live

    async def _live(self, key: ObjectKey) -> LiveObject:
        found = (await self.cluster.read([key], fresh=True))[key]
        if isinstance(found, Unreadable):
            raise found.problem.error()
        if isinstance(found, Absent):
            hint = f"`clusterops drift heal {self.target.name}` makes it anew"
            raise TerminalError("adopt-not-possible", key.label, "does not live, so there is no value", hint=hint)
        return found

    async def _edits(
        self, answer: Explanation, manifest: Manifest, git: Any, live: Any
    ) -> list[tuple[str, str, Written]]:
        """What may be tried, likeliest first; guesses that cannot be written are left out."""
        if answer.settings and isinstance(self.target.recipe, HelmRecipe | TemplateRecipe):
            layers = await self.renderer.layers(self.local.snapshot, self.target)
            found = list(self._of_values(answer, git, live, layers.merged))
        else:
            found = list(self._of_files(manifest, live))
        return found[:MOST_TRIALS]

    def _of_values(
        self, answer: Explanation, git: Any, live: Any, merged: Mapping[str, Any]
    ) -> Iterator[tuple[str, str, Written]]:
        path = self._own_values()
        if not path or answer.settings[0].path.endswith("/region.yaml"):
            return
        text = _text(self.local.snapshot.read(path), path)
        own = load_document(text, path)
        cause = answer.settings[0].pointer
        said = _with_block(merged, cause, answer.settings[0].value)
        for guess in candidates(cause, git, live, said):
            pointer, value = guess.pointer, guess.value
            if _is_item_of(own.marks, cause, pointer):
                pointer, value = cause, value_in(value, cause[len(pointer) :])
            written = _written(text, pointer, value, path)
            if written is not None:
                yield path, path_text(pointer), written

    def _own_values(self) -> str:
        """The values file of this target alone, "" where it has none."""
        recipe, folder = self.target.recipe, _folder(self.target)
        assert isinstance(recipe, HelmRecipe | TemplateRecipe)
        own = [path for path in recipe.values if folder and path.startswith(f"{folder}/")]
        return own[-1] if own else ""

    def _of_files(self, manifest: Manifest, live: Any) -> Iterator[tuple[str, str, Written]]:
        """Files of the target's own directory in which the object stands with that field."""
        folder = _folder(self.target)
        pointer = tuple(int(part) if part.isdigit() else part for part in tokens_of(self.pointer))
        for path in self.renderer.read_paths(self.local.snapshot, self.target):
            if not path.startswith(f"{folder}/") or not path.endswith((".yaml", ".yml")):
                continue
            text = _text(self.local.snapshot.read(path), path)
            for place, document in enumerate(load_documents(text, path)):
                if _is_object(document.value, manifest.key) and pointer in document.marks:
                    written = _written(text, pointer, live, path, document=place)
                    if written is not None:
                        yield path, f"{self.object}:{self.pointer}", written

    async def _fits(self, path: str, text: str, before: RenderedSet, manifest: Manifest, live: Any) -> bool:
        """Whether that makes the field what it is live, and nothing else anything that does not live."""
        snapshot = with_file(self.local.snapshot, path, text.encode())
        fleet = await asyncio.to_thread(read_fleet, snapshot)
        target = fleet.targets.get(self.target.name)
        if fleet.problems or target is None or target.problems:
            return False
        try:
            after = {each.key: each for each in (await self.renderer.draft(snapshot, target)).manifests}
        except ClusterOpsError:
            return False
        now = after.get(manifest.key)
        if now is None or not _same(value_at(now.body, self.pointer, MISSING), live):
            return False
        others = [each async for each in self._departing(before, after, manifest.key)]
        self._others = self._others or others
        return not others

    async def _departing(self, before: RenderedSet, after: Mapping[ObjectKey, Manifest], own: ObjectKey) -> Any:
        """Other fields that the edit changes, unless to what lives."""
        was = {each.key: each for each in before.manifests}
        for key in sorted(was.keys() ^ after.keys()):
            yield key.label
        for key in sorted(was.keys() & after.keys()):
            if was[key].digest == after[key].digest:
                continue
            found = (await self.cluster.read([key])).found(key)
            lives = _leaves(found.body) if found is not None else {}
            for path, (pointer, value) in _changed(was[key], after[key]).items():
                asked = key == own and (pointer == self.pointer or pointer.startswith(f"{self.pointer}/"))
                if not asked and not _same(lives.get(path, MISSING), value):
                    yield f"{key.label} {pointer}"

    def _refuse_shared(self, path: str) -> None:
        """A file that another target reads is never edited for one."""
        for name, other in sorted(self.local.fleet.targets.items()):
            if name != self.target.name and not other.problems and self._reads(other, path):
                raise TerminalError(
                    "adopt-not-possible",
                    f"{self.target.name}: {self.pointer}",
                    f"is set in a file that {name} reads too",
                    hint="edit it by hand, and look at `clusterops plan --all`",
                    path=path,
                )

    def _reads(self, other: Target, path: str) -> bool:
        try:
            return path in self.renderer.read_paths(self.local.snapshot, other)
        except ClusterOpsError:
            return False

    def _impossible(self, answer: Explanation) -> TerminalError:
        subject = f"{self.target.name} {self.object}:{self.pointer}"
        if self._others:
            setting = answer.settings[0] if answer.settings else None
            many = f" and {len(self._others) - 1} more" if len(self._others) > 1 else ""
            return TerminalError(
                "adopt-not-possible",
                subject,
                f"what sets it would change {self._others[0]}{many} as well",
                hint="edit it by hand if that is meant, and look at `clusterops plan`",
                path=setting.path if setting else "",
                line=setting.line if setting else 0,
            )
        if not answer.settings:
            message, hint = f"is {answer.source}", "change it there, or put git back: `clusterops drift heal`"
            return TerminalError("adopt-not-possible", subject, message, hint=hint)
        setting = answer.settings[0]
        return TerminalError(
            "adopt-not-possible",
            subject,
            f"no value of {self._where()} makes it what it is live; {path_text(setting.pointer) or 'it'} is set here",
            hint="edit it by hand, or put git back: `clusterops drift heal`",
            path=setting.path,
            line=setting.line,
        )

    def _where(self) -> str:
        own = self._own_values() if isinstance(self.target.recipe, HelmRecipe | TemplateRecipe) else ""
        return own or _folder(self.target)


def live_value(manifest: Manifest, live: LiveObject, pointer: str) -> Any:
    """The live value of git's field; items of lists are found by what they are called, not by their place."""
    git = leaves(comparable(manifest.body), {})
    path = next((each for each, leaf in git.items() if leaf.pointer == pointer), None)
    if path is None:
        return value_at(live.body, pointer, MISSING)
    return _leaves(live.body).get(path, MISSING)


def value_in(tree: Any, pointer: Pointer) -> Any:
    for part in pointer:
        tree = tree[part]
    return tree


def _leaves(body: Mapping[str, Any]) -> dict[Path, Any]:
    return {path: leaf.value for path, leaf in leaves(comparable(body), {}).items()}


def _changed(before: Manifest, after: Manifest) -> dict[Path, tuple[str, Any]]:
    was, now = leaves(comparable(before.body), {}), leaves(comparable(after.body), {})
    changed = {
        path: (leaf.pointer, leaf.value)
        for path, leaf in now.items()
        if path not in was or not _same(was[path].value, leaf.value)
    }
    return changed | {path: (leaf.pointer, MISSING) for path, leaf in was.items() if path not in now}


def _same(one: Any, other: Any) -> bool:
    """``1`` and ``true`` are two values."""
    return type(one) is type(other) and bool(one == other)


def _written(text: str, pointer: Pointer, value: Any, path: str, *, document: int = 0) -> Written | None:
    try:
        return set_value(text, pointer, value, path=path, document=document)
    except TerminalError as error:
        if error.code != "edit-not-possible":
            raise
        return None


def _is_item_of(marks: Mapping[Pointer, Any], cause: Pointer, pointer: Pointer) -> bool:
    """Whether the file has the list, so that one item of it is enough."""
    return cause != pointer and cause[: len(pointer)] == pointer and cause in marks


def _with_block(merged: Mapping[str, Any], cause: Pointer, value: Any) -> Mapping[str, Any]:
    """The reserved block is no part of what a chart is given."""
    tree: Any = value
    for part in reversed(cause):
        tree = {part: tree}
    return merged if not isinstance(tree, Mapping) or cause[0] in merged else {**merged, **tree}


def _is_object(body: Any, key: ObjectKey) -> bool:
    named = isinstance(body, Mapping) and isinstance(body.get("metadata"), Mapping)
    return named and (body.get("kind"), body["metadata"].get("name")) == (key.kind, key.name)


def _folder(target: Target) -> str:
    folder = str(PurePosixPath(target.definition).parent)
    return "" if folder == "." else folder


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TerminalError("adopt-not-possible", "", "is no UTF-8 text", path=path) from error
