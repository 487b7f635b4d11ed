"""`clusterops demo`: the main job on real parts, on this machine, in front of your eyes."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clusterops.cli.environment import cache_dir
from clusterops.cli.files import write_fleet_repository
from clusterops.cli.screen import Exit, explained, run, say
from clusterops.cli.story import Story, Told
from clusterops.cli.tools import in_words, shown_progress, toolchain_settings
from clusterops.sandbox import Companion, Spec, down, held, status, tools_for, up
from clusterops.source.author import commit_files, create_bare, read_file
from clusterops.toolchain import TOOLS, Located, Source, ensure, locate

ALPHA = "clusters/north/alpha/values.yaml"
BETA = "clusters/south/beta/values.yaml"
NAME = "demo"


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, to look around.")] = False,
) -> None:
    """Show the whole way on this machine: a fleet repository, a management cluster, and commits that change it."""
    begun = time.monotonic()
    with explained():
        told = run(_demo(keep=keep))
    if keep:
        _say_next(begun, told)
    else:
        took = in_words(time.monotonic() - begun)
        say(f"Done in {took}. Everything is stopped and removed; `--keep` leaves it running")
    if not told.as_expected:
        raise typer.Exit(Exit.ERROR)


async def _demo(*, keep: bool) -> Told:
    cache = cache_dir()
    home = cache / "demo"
    say(f"A management cluster, a fleet repository and the daemon, on 127.0.0.1 only, under {_short(home)}")
    tools = await _tools()
    await _clear(cache)
    repository = home / "fleet.git"
    first = _create_repository(home, repository)
    spec = _spec(cache, home, repository, tools)
    told = Told(build_s=tools.built_s)
    begun = time.monotonic()
    async with _sandbox(spec, keep=keep) as kubeconfig:
        story = Story(repository=repository, kubeconfig=kubeconfig, home=home, told=told)
        say(
            f"2/6 sandbox   {story.server}, Cluster API {_version('cluster-api')} with its in-memory provider, "
            f"{time.monotonic() - begun:.0f} s"
        )
        say(
            f"3/6 fleet     {_short(repository)}: regions north, south; one cluster each "
            "(Helm, then the region's Kustomize component)"
        )
        async with story:
            await _tell(story, repository, first)
    if not keep:
        shutil.rmtree(home, ignore_errors=True)
    return told


async def _tell(story: Story, repository: Path, first: str) -> None:
    await story.settles(4, first, "two clusters")
    grown = read_file(repository, ALPHA).replace(b"replicas: 2", b"replicas: 4")
    await story.settles(5, commit_files(repository, {ALPHA: grown}, "alpha: 2 -> 4 workers"), "alpha: 2 -> 4 workers")
    broken = read_file(repository, BETA).replace(b"10.244.0.0/16", b"10.244.0.0/61")
    await story.is_refused(6, commit_files(repository, {BETA: broken}, "beta: a typo"), "beta: a typo", "south/beta")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """Paths by name, and the seconds that building them took: 0 when all were there."""

    paths: dict[str, Path]
    built_s: float


async def _tools() -> _Tools:
    settings = toolchain_settings()
    names = [*tools_for("full"), "helm", "kustomize"]
    here = [await locate(name, settings) for name in names]
    say(f"1/6 tools     {_where(here)}")
    begun = time.monotonic()
    async with shown_progress() as progress:
        paths = await ensure(names, settings, progress)
    missing = any(found.source == "missing" for found in here)
    return _Tools(paths=paths, built_s=time.monotonic() - begun if missing else 0.0)


def _where(here: list[Located]) -> str:
    """``from PATH: kustomize 5.8.2 · from cache: helm 4.3.1, etcd 3.6.5 · building once with Go: …``"""
    words: dict[Source, str] = {
        "path": "from PATH",
        "kubebuilder-assets": "from KUBEBUILDER_ASSETS",
        "cache": "from cache",
        "missing": "building once with Go",
    }
    groups = {word: [found for found in here if found.source == source] for source, word in words.items()}
    return " · ".join(
        f"{word}: {', '.join(f'{found.name} {found.version or _version(found.name)}' for found in group)}"
        for word, group in groups.items()
        if group
    )


def _version(name: str) -> str:
    return next(tool.version for tool in TOOLS if tool.name == name)


async def _clear(cache: Path) -> None:
    """An earlier demo that was kept goes; one that still runs is ended with it."""
    directory = cache / "sandboxes" / NAME
    if (directory / "spec.json").exists():
        say(f"              an earlier demo is {status(directory).word}: it is stopped and removed")
        await down(directory)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(cache / "demo", ignore_errors=True)


def _create_repository(home: Path, repository: Path) -> str:
    """A bare repository from the template; returns its first commit."""
    written = home / "template"
    files = {path: (written / path).read_bytes() for path in write_fleet_repository(written)}
    shutil.rmtree(written)
    return create_bare(repository, files, "two clusters")


def _spec(cache: Path, home: Path, repository: Path, tools: _Tools) -> Spec:
    directory = cache / "sandboxes" / NAME
    daemon = Companion(
        name="clusterops",
        argv=(sys.executable, "-m", "clusterops", "run", "--listen", "127.0.0.1:0"),
        env={
            "CLUSTEROPS_REPOSITORY_URL": str(repository),
            "CLUSTEROPS_CLUSTER_KUBECONFIG": str(directory / "kubeconfig"),
            "CLUSTEROPS_RENDER_HELM": str(tools.paths["helm"]),
            "CLUSTEROPS_RENDER_KUSTOMIZE": str(tools.paths["kustomize"]),
            "CLUSTEROPS_CACHE_DIR": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    sandbox_tools = {name: tools.paths[name] for name in tools_for("full")}
    return Spec(name=NAME, mode="full", directory=directory, tools=sandbox_tools, companions=(daemon,))


@asynccontextmanager
async def _sandbox(spec: Spec, *, keep: bool) -> AsyncIterator[Path]:
    """Yields its kubeconfig. Not kept, it ends with this process, however that ends."""
    if keep:
        sandbox, _ = await up(spec)
        yield sandbox.kubeconfig
        return
    async with held(spec) as holding:
        yield holding.sandbox.kubeconfig
    await asyncio.to_thread(shutil.rmtree, spec.directory, ignore_errors=True)


def _say_next(begun: float, told: Told) -> None:
    built = f" ({in_words(told.build_s)} of it building, not needed again)" if told.build_s else ""
    took = f"{in_words(time.monotonic() - begun)}{built}"
    say(f"\nDone in {took}. Look around, then `clusterops sandbox down --name {NAME}`:")
    say(
        f"  export KUBECONFIG=$(clusterops sandbox kubeconfig --name {NAME}); "
        "kubectl get fleets,fleettargets -A; clusterops status -w"
    )
    say(
        f"  git clone {_short(cache_dir() / 'demo' / 'fleet.git')} && cd fleet && $EDITOR {ALPHA} "
        "&& git commit -am 'alpha: my change' && git push"
    )
    say("Next: `clusterops init my-fleet` writes a repository to start from.")


def _short(path: Path) -> str:
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home) else str(path)
