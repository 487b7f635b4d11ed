"""A fleet as it would be after an edit: read again and rendered, before a byte of it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from clusterops.app import build_renderer
from clusterops.cli.locally import LocalFleet
from clusterops.cli.screen import problems_of
from clusterops.cli.tools import toolchain_settings
from clusterops.errors import ClusterOpsError
from clusterops.model.fleet import Fleet, Target
from clusterops.model.problem import Problem, SeveralProblems
from clusterops.model.revision import Snapshot
from clusterops.render import ProcessRenderer, with_file
from clusterops.settings import RenderSettings
from clusterops.source.fleet.reader import read_fleet
from clusterops.toolchain import locate

_SEALED: Final = "sops-key-missing"
"""Whoever edits a line beside them need not be able to read a cluster's secrets; who plans it, can."""


class EditError(SeveralProblems):
    """What the edit would break."""


def drafted(snapshot: Snapshot, files: Mapping[str, bytes | None]) -> Snapshot:
    """The same files but for these; None takes one away."""
    for path, content in files.items():
        if content is not None:
            snapshot = with_file(snapshot, path, content)
    gone = {path for path, content in files.items() if content is None}
    return replace(snapshot, files={path: entry for path, entry in snapshot.files.items() if path not in gone})


async def check(
    local: LocalFleet, files: Mapping[str, bytes | None], targets: Sequence[str], settings: RenderSettings
) -> str:
    """Whether the named targets (those that are still there) read and render well with ``files``.

    Returns why they were not rendered, "" where they were. Raises EditError with every problem.
    """
    snapshot = drafted(local.snapshot, files)
    fleet = await asyncio.to_thread(read_fleet, snapshot)
    chosen = [fleet.targets[name] for name in targets if name in fleet.targets]
    problems = [*_new(local.fleet, fleet), *(problem for target in chosen for problem in target.problems)]
    if problems:
        raise EditError(problems)
    if not chosen:
        return ""
    ready = await _programs(settings)
    if ready is None:
        return "not rendered: helm and kustomize are not here (`clusterops tools install helm kustomize`)"
    async with build_renderer(ready) as renderer:
        rendered = await asyncio.gather(*(_render(renderer, local, snapshot, target) for target in chosen))
    found = [problem for each in rendered for problem in each]
    sealed = [problem for problem in found if problem.code == _SEALED]
    if len(found) > len(sealed):
        raise EditError([problem for problem in found if problem not in sealed])
    return f"not rendered: {sealed[0].text}" if sealed else ""


def _new(before: Fleet, after: Fleet) -> list[Problem]:
    """Of the whole fleet: those that were there stopped the command already."""
    return [problem for problem in after.problems if problem not in before.problems]


async def _programs(settings: RenderSettings) -> RenderSettings | None:
    """None where one of the two would have to be built first."""
    found = {"helm": settings.helm, "kustomize": settings.kustomize}
    for name, path in found.items():
        found[name] = path or (await locate(name, toolchain_settings())).path
    if not all(found.values()):
        return None
    return replace(settings, helm=found["helm"], kustomize=found["kustomize"])


async def _render(
    renderer: ProcessRenderer, local: LocalFleet, snapshot: Snapshot, target: Target
) -> tuple[Problem, ...]:
    try:
        after = await renderer.render(snapshot, target)
    except ClusterOpsError as error:
        return problems_of(error)
    was = local.fleet.targets.get(target.name)
    if was is None or was.problems:
        return ()
    try:
        before = await renderer.render(local.snapshot, was)
    except ClusterOpsError:
        return ()
    same = [each.digest for each in before.manifests] == [each.digest for each in after.manifests]
    return (_without_effect(target),) if same else ()


def _without_effect(target: Target) -> Problem:
    return Problem(
        code="edit-without-effect",
        subject=target.name,
        message="renders to the same objects after the edit, so nothing of it would reach the cluster",
        hint=f"its chart or templates do not read that value; see what they read: `clusterops render {target.name}`",
        path=target.definition,
    )
