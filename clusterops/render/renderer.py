"""ports.Renderer on helm and kustomize processes, with a cache by content."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, Final
from weakref import WeakValueDictionary

from clusterops.errors import TerminalError
from clusterops.model.canonical import digest_of
from clusterops.model.fleet import Target
from clusterops.model.manifest import Provenance, RenderedSet
from clusterops.model.problem import Problem
from clusterops.model.revision import Snapshot
from clusterops.render.cache import RenderCache
from clusterops.render.decode import Decoded, Output, decode_objects
from clusterops.render.graph import Chart, Graph
from clusterops.render.inputs import Inputs, build_inputs
from clusterops.render.programs import Programs
from clusterops.render.recipes import Kitchen, target_layers, template_names
from clusterops.render.seals import Seals, discreet
from clusterops.render.sops import AgeKeys
from clusterops.render.values import Layers
from clusterops.settings import RenderSettings
from clusterops.telemetry import Metrics

_INLINE_BYTES: Final = 64 * 1024
"""Decoded at once up to here, in 8 ms (measured: 0.11 ms per KiB); beyond, in a thread: the loop stays awake."""


class ProcessRenderer:
    """Renders each fingerprint once, however many ask for it at the same time. Use it in one event loop only."""

    def __init__(self, settings: RenderSettings, logger: Any, metrics: Metrics) -> None:
        self._programs = Programs(settings)
        self.keys = AgeKeys(text=settings.age_key, file=settings.age_key_file, secret=settings.age_key_secret)
        self._seals = Seals(self.keys)
        self._kitchen = Kitchen(self._programs, self._seals)
        self._graph = Graph()
        # More than run at once, so that the next folder is ready; not all, as each holds its files in memory.
        self._places = asyncio.Semaphore(2 * settings.processes + 2)
        self._cache = RenderCache(settings.cache_dir / "renders")
        self._logger = logger
        self._metrics = metrics
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def fingerprint(self, snapshot: Snapshot, target: Target) -> str:
        """See ports.Renderer; tens of microseconds for a target whose files are known."""
        return self._inputs(snapshot, target).fingerprint

    async def render(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        """See ports.Renderer. Raises also ``render-not-deterministic`` for a chart that is seen for the first time."""
        _refuse_broken(target)
        inputs = self._inputs(snapshot, target)
        entry = inputs.entry(trusted=snapshot.trusted)
        async with self._lock(entry):
            known = self._cache.find(entry, target.name)
            if known is not None:
                self._metrics.renders.labels(how="cache").inc()
                return known
            return await self._render(snapshot, target, inputs)

    async def layers(self, snapshot: Snapshot, target: Target) -> Layers:
        """The target's values, the chart's own lowest; empty for a recipe that has none."""
        inputs = self._inputs(snapshot, target)
        return target_layers(target, inputs, await self._kitchen.stock(snapshot, target, inputs))

    async def draft(self, snapshot: Snapshot, target: Target) -> RenderedSet:
        """As ``render``, neither taken from the cache nor kept: for trials."""
        inputs = self._inputs(snapshot, target)
        decoded = await self._decoded(snapshot, target, inputs)
        provenance = Provenance(target=target.name, inputs=inputs.fingerprint, paths=inputs.paths)
        return RenderedSet(
            manifests=decoded.manifests, skipped=decoded.skipped, provenance=provenance, secrets=decoded.secrets
        )

    async def outputs(self, snapshot: Snapshot, target: Target) -> list[Output]:
        """What the recipe itself prints, before the region's component."""
        region = replace(target.region, component="") if target.region else None
        below = replace(target, region=region)
        inputs = self._inputs(snapshot, below)
        return await self._kitchen.cook(below, inputs, await self._kitchen.stock(snapshot, below, inputs))

    def read_paths(self, snapshot: Snapshot, target: Target) -> tuple[str, ...]:
        """Every file that a render of the target reads, sorted."""
        return self._inputs(snapshot, target).paths

    def template_path(self, snapshot: Snapshot, target: Target, name: str) -> str:
        """The repository's path of a template by helm's name for it."""
        chart = self._inputs(snapshot, target).chart
        return template_names(chart).get(name, name) if chart else name

    async def close(self) -> None:
        """Nothing stays behind between renders; part of the life cycle of a door."""

    def _inputs(self, snapshot: Snapshot, target: Target) -> Inputs:
        return build_inputs(snapshot, target, self._graph, tool=self._programs.identity, seals=self._seals)

    async def _render(self, snapshot: Snapshot, target: Target, inputs: Inputs) -> RenderedSet:
        begun = time.monotonic()
        decoded = await self._proven(snapshot, target, inputs)
        duration_s = time.monotonic() - begun
        rendered = RenderedSet(
            manifests=decoded.manifests,
            provenance=Provenance(
                target=target.name, inputs=inputs.fingerprint, paths=inputs.paths, duration_s=duration_s
            ),
            skipped=decoded.skipped,
            warnings=_warnings(target, inputs.chart),
            secrets=decoded.secrets,
        )
        self._metrics.renders.labels(how="process").inc()
        self._logger.debug("rendered", target=target.name, objects=len(rendered.manifests), duration_s=duration_s)
        self._cache.keep(inputs.entry(trusted=snapshot.trusted), rendered)
        return rendered

    async def _proven(self, snapshot: Snapshot, target: Target, inputs: Inputs) -> Decoded:
        """Rendered once, or twice when nobody has seen this chart render yet."""
        if inputs.chart is None:
            return await self._decoded(snapshot, target, inputs)
        proof = digest_of([inputs.chart.digest, self._programs.identity("helm")])
        if self._cache.is_proven(proof):
            return await self._decoded(snapshot, target, inputs)
        async with self._lock(proof):
            if not self._cache.is_proven(proof):
                first = await self._decoded(snapshot, target, inputs)
                _compare(first, await self._decoded(snapshot, target, inputs), target, inputs.chart)
                self._cache.prove(proof)
                return first
        return await self._decoded(snapshot, target, inputs)

    async def _decoded(self, snapshot: Snapshot, target: Target, inputs: Inputs) -> Decoded:
        async with self._places:
            pantry = await self._kitchen.stock(snapshot, target, inputs)
            with discreet(lambda: pantry.private):
                outputs = await self._kitchen.cook(target, inputs, pantry)
        with discreet(lambda: pantry.private):
            return replace(await _decode(outputs, target), secrets=pantry.secrets)

    def _lock(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock


async def _decode(outputs: list[Output], target: Target) -> Decoded:
    if sum(len(output.text) for output in outputs) <= _INLINE_BYTES:
        return decode_objects(outputs, target)
    return await asyncio.to_thread(decode_objects, outputs, target)


def _refuse_broken(target: Target) -> None:
    for problem in target.problems:
        raise problem.error()


def _compare(first: Decoded, second: Decoded, target: Target, chart: Chart) -> None:
    before = {manifest.key: manifest.digest for manifest in first.manifests}
    after = {manifest.key: manifest.digest for manifest in second.manifests}
    differing = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if differing:
        raise TerminalError(
            "render-not-deterministic",
            target.name,
            f"chart {chart.path} rendered {differing[0].label} twice and it differed; nothing is applied",
            hint="take rand*, genCA, uuidv4, now and the like out of its templates, or set what they make as values",
            path=f"{chart.path}/Chart.yaml",
        )


def _warnings(target: Target, chart: Chart | None) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            code="lookup-sees-nothing",
            subject=target.name,
            message="calls `lookup`, which finds nothing here: a render does not see the cluster",
            hint="pass what it looks for as a value",
            path=path,
        )
        for path in (chart.lookups if chart else ())
    )
