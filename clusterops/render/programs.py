"""helm and kustomize: how they are called, and their errors in few words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clusterops.errors import ClusterOpsError, TerminalError
from clusterops.process import Finished, Limits, run
from clusterops.render.complaint import Complaint, helm_complaint, kustomize_complaint
from clusterops.render.workspace import OWN
from clusterops.settings import RenderSettings

_TUNING: Final = {"GOGC": "off", "GOMEMLIMIT": "512MiB", "GOMAXPROCS": "1"}
"""Both tools live for milliseconds: without garbage collection, and on one core each as several run beside each
other, they take 15 % less (measured with 200 overlays)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmCall:
    """``chart`` is relative to the workspace; ``values`` are JSON texts, lowest layer first."""

    release: str
    chart: str
    namespace: str
    values: Sequence[bytes] = field(repr=False)
    kube_version: str
    api_versions: Sequence[str]

    def arguments(self, values: Sequence[str]) -> list[str]:
        """``values`` are the files that hold them."""
        options = [f"--namespace={self.namespace}", "--include-crds", f"--kube-version={self.kube_version}"]
        options += [f"--api-versions={each}" for each in self.api_versions]
        options += [f"--values={path}" for path in values]
        return ["template", self.release, f"./{self.chart}", *options]


class Programs:
    """At most ``settings.processes`` at once."""

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.processes)
        self._limits = Limits(timeout_s=settings.timeout_s, output_bytes=settings.output_bytes)

    def identity(self, name: str) -> str:
        """Changes whenever the program does. Raises TerminalError ``tool-missing``."""
        path = self._path(name)
        try:
            found = path.stat()
        except OSError as error:
            raise _missing(name) from error
        return f"{path}:{found.st_mtime_ns}:{found.st_size}"

    async def helm(self, root: Path, call: HelmCall, *, subject: str, sources: Mapping[str, str]) -> bytes:
        """The manifests; ``sources`` maps helm's names of templates to paths of the repository.

        Raises TerminalError ``helm-failed``, ``render-output-limit``; TransientError ``process-timeout``.
        """
        with _in_memory(call.values) as (paths, descriptors):
            finished = await self._run("helm", call.arguments(paths), root, subject, pass_fds=descriptors)
        if finished.exit_code == 0:
            return finished.stdout
        raise _failed("helm-failed", subject, helm_complaint(finished.stderr, sources), finished)

    async def kustomize(self, root: Path, directory: str, *, subject: str) -> bytes:
        """The objects of ``directory``. Raises TerminalError ``kustomize-failed`` and the like."""
        finished = await self._run("kustomize", ["build", f"./{directory}"], root, subject)
        if finished.exit_code == 0:
            return finished.stdout
        complaint = kustomize_complaint(finished.stderr, root=str(root), directory=directory)
        raise _failed("kustomize-failed", subject, complaint, finished)

    async def _run(
        self, name: str, arguments: Sequence[str], root: Path, subject: str, *, pass_fds: tuple[int, ...] = ()
    ) -> Finished:
        async with self._slots:
            try:
                return await run(
                    [self._path(name), *arguments],
                    cwd=root,
                    env=_environment(name, root),
                    limits=self._limits,
                    pass_fds=pass_fds,
                )
            except ClusterOpsError as error:
                error.subject = f"{subject}: {name}"
                raise

    def _path(self, name: str) -> Path:
        path = self._settings.helm if name == "helm" else self._settings.kustomize
        if path is None:
            raise _missing(name)
        return path


@contextmanager
def _in_memory(texts: Sequence[bytes]) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Files that no disk holds and that end with us: their paths in a child that is passed the descriptors."""
    with ExitStack() as stack:
        descriptors = []
        for text in texts:
            file = stack.enter_context(os.fdopen(os.memfd_create("values"), "wb"))
            file.write(text)
            file.flush()
            descriptors.append(file.fileno())
        yield [f"/proc/self/fd/{number}" for number in descriptors], tuple(descriptors)


def _environment(name: str, root: Path) -> dict[str, str]:
    """All of it: no proxy, no kubeconfig, no home of a person.

    A kustomization can ask for a variable by name (a line of an env file without a value), so kustomize gets nothing
    that differs from one run to the next.
    """
    if name == "kustomize":
        return {"LANG": "C.UTF-8", **_TUNING}
    home = str(root / OWN / "home")
    folders = {each: f"{home}/{each.lower()}" for each in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    return {"HOME": home, "TMPDIR": str(root), "LANG": "C.UTF-8", **folders, **_TUNING}


def _missing(name: str) -> TerminalError:
    return TerminalError("tool-missing", name, "is not there", hint=f"`clusterops tools install {name}` builds it")


_NEXT: Final = {
    "helm-failed": "these are the chart's or helm's own words: give it the value it asks for, or correct the template",
    "kustomize-failed": "these are kustomize's own words: `kustomize build` of that folder says them too",
}


def _failed(code: str, subject: str, complaint: Complaint, finished: Finished) -> TerminalError:
    message = complaint.message or f"ended with exit code {finished.exit_code} and no word"
    return TerminalError(
        code,
        subject,
        message,
        hint=complaint.hint or _NEXT[code],
        path=complaint.path,
        line=complaint.line,
        column=complaint.column,
    )
