"""Options that several commands share, so that they read and behave the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET", help="<region>/<cluster>, or a bare cluster name where it is the only one. None: every one."
    ),
]
NamedTargets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="<region>/<cluster>, or a bare cluster name where it is the only one."),
]
OneTarget = Annotated[
    str, typer.Argument(metavar="TARGET", help="<region>/<cluster>, or a bare cluster name where it is the only one.")
]
All = Annotated[bool, typer.Option("--all", help="Every target of the fleet.")]
Repo = Annotated[
    Path, typer.Option("--repo", help="A folder of the fleet repository; fleet.yaml is looked for upwards.")
]
Rev = Annotated[
    str, typer.Option("--revision", help="A commit, tag or branch of this clone instead of the working tree.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Of the management cluster; default: in-cluster, else $KUBECONFIG.")
]
Context = Annotated[str | None, typer.Option("--context", help="Context in the kubeconfig.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file; see `clusterops run --help`.")]
Management = Annotated[
    str | None,
    typer.Option("--management", help="Which management cluster this is: only its regions are touched."),
]
