"""The command `clusterops`: its parts, and what wrong usage, Ctrl-C and a closed pipe end with."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from clusterops import __version__
from clusterops.cli import daemon, deletion, demo, desk, drift, files, rollout, sandbox, tools, work
from clusterops.cli.screen import Exit

app = typer.Typer(
    name="clusterops",
    help="GitOps for fleets of Cluster API clusters: git is what you want, the management cluster is what you get.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 error, 2 there are changes (with --detailed-exitcode), 3 refused, 64 wrong usage.",
)
for part in (files, desk, work, deletion, daemon, demo):
    part.register(app)
app.add_typer(drift.app, name="drift")
app.add_typer(rollout.app, name="rollout")
app.add_typer(tools.app, name="tools")
app.add_typer(sandbox.app, name="sandbox")

_USAGE: Final = typer.BadParameter.__mro__[1]
"""Typer's usage error, wherever this release keeps it."""


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"clusterops {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(Exit.USAGE)


def main() -> None:
    """Never shows a traceback for what a person did; 64 for wrong usage, since 2 means changes."""
    try:
        code = app(standalone_mode=False, prog_name="clusterops")
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(Exit.ERROR)
    except Exception as error:
        if not isinstance(error, _USAGE):
            raise
        error.show()  # type: ignore[attr-defined]
        sys.exit(Exit.USAGE)
    sys.exit(code if isinstance(code, int) else Exit.DONE)
