"""``clusterops sandbox``: a local management cluster, on loopback only."""

import shlex
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clusterops.cli.screen import Output, OutputOption, explained, run, say, say_json
from clusterops.cli.tools import in_words, shown_progress, toolchain_settings
from clusterops.sandbox import Mode, Sandbox, Spec, Status, down, found, opened, status, tools_for, up
from clusterops.toolchain import ensure

app = typer.Typer(help="A local management cluster with Cluster API, without Docker.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--name", help="Several sandboxes stand side by side by name.", metavar="NAME")]


def sandboxes_folder() -> Path:
    """Where the sandboxes of this user lie, one folder each."""
    return toolchain_settings().cache_dir / "sandboxes"


@app.command("up")
def bring_up(
    name: Name = "default",
    minimal: Annotated[bool, typer.Option("--minimal", help="Etcd and the API server alone.")] = False,
    crds: Annotated[bool, typer.Option("--crds", help="The API server and the CRDs of Cluster API.")] = False,
    output: Output = OutputOption,
) -> None:
    """Start a sandbox that stays until `down`; one that is up stays as it is."""
    if minimal and crds:
        raise typer.BadParameter("--minimal and --crds exclude each other")
    mode: Mode = "minimal" if minimal else "crds" if crds else "full"
    begun = time.monotonic()
    with explained(output=output):
        sandbox, is_new = run(_up(_directory(name), name, mode))
    if output is Output.JSON:
        say_json(_sandbox_row(sandbox, is_new=is_new))
        return
    after = f"after {in_words(time.monotonic() - begun)}" if is_new else "already"
    say(f"sandbox {name} is up {after}: {sandbox.server}")
    say(f"  export KUBECONFIG={shlex.quote(str(sandbox.kubeconfig))}")


@app.command("down")
def take_down(name: Name = "default", output: Output = OutputOption) -> None:
    """Stop a sandbox and remove everything in it."""
    with explained(output=output):
        was_there = run(down(_directory(name)))
    if output is Output.JSON:
        say_json({"name": name, "removed": was_there})
    else:
        say(f"sandbox {name}: {'stopped and removed' if was_there else 'there was none'}")


@app.command("status")
def show_status(name: Name = "default", output: Output = OutputOption) -> None:
    """Show whether a sandbox is up, and which of its processes run."""
    with explained(output=output):
        now = status(_directory(name))
    if output is Output.JSON:
        say_json(_status_row(now))
        return
    say(f"sandbox {now.name} ({now.mode}) is {now.word}: {now.server}")
    for process, runs in now.processes.items():
        log = _directory(name) / "logs" / f"{process}.log"
        say(f"  {process}: {'runs' if runs else f'ended, see {log}'}")


@app.command("kubeconfig")
def show_kubeconfig(name: Name = "default", output: Output = OutputOption) -> None:
    """Print the path of a running sandbox's kubeconfig: export KUBECONFIG=$(clusterops sandbox kubeconfig)."""
    with explained(output=output):
        path = opened(_directory(name)).kubeconfig
    if output is Output.JSON:
        say_json({"name": name, "kubeconfig": str(path)})
    else:
        say(str(path))


@app.command("list")
def list_sandboxes(output: Output = OutputOption) -> None:
    """Show every sandbox of this user."""
    all_of_them = found(sandboxes_folder())
    if output is Output.JSON:
        say_json([_status_row(now) for now in all_of_them])
        return
    for now in all_of_them:
        say(f"{now.name}\t{now.mode}\t{now.word}\t{now.server}")


def _directory(name: str) -> Path:
    if not name or name.startswith(".") or "/" in name:
        raise typer.BadParameter("a name holds no / and does not start with a dot", param_hint="--name")
    return sandboxes_folder() / name


async def _up(directory: Path, name: str, mode: Mode) -> tuple[Sandbox, bool]:
    async with shown_progress() as progress:
        tools = await ensure(tools_for(mode), toolchain_settings(), progress)
        progress.started("sandbox", f"starting sandbox {name}")
        begun = time.monotonic()
        sandbox, is_new = await up(Spec(name=name, mode=mode, directory=directory, tools=tools))
        progress.finished("sandbox", time.monotonic() - begun, "up")
    return sandbox, is_new


def _sandbox_row(sandbox: Sandbox, *, is_new: bool) -> dict[str, Any]:
    return {
        "name": sandbox.name,
        "mode": sandbox.mode,
        "server": sandbox.server,
        "kubeconfig": str(sandbox.kubeconfig),
        "directory": str(sandbox.directory),
        "pids": sandbox.pids,
        "started": is_new,
    }


def _status_row(now: Status) -> dict[str, Any]:
    return {
        "name": now.name,
        "mode": now.mode,
        "status": now.word,
        "server": now.server,
        "kubeconfig": str(now.kubeconfig),
        "processes": now.processes,
    }
