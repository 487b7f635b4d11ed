"""The second keys in deletions/: one file, one deletion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from clusterops.errors import TerminalError
from clusterops.model.deletion import DeletionKey
from clusterops.model.document import load_document
from clusterops.model.problem import Problem
from clusterops.source.fleet.tables import DELETION


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionFile:
    """``key`` is None where anything in the file is wrong: half a key opens nothing."""

    key: DeletionKey | None = None
    problems: tuple[Problem, ...] = ()


def parse_deletion(path: str, text: bytes) -> DeletionFile:
    """Never raises: what is wrong is in ``problems``, with line and column."""
    try:
        document = load_document(text, path)
    except TerminalError as error:
        return DeletionFile(problems=(Problem.of(error),))
    findings = tuple(DELETION.check(document.value, ()))
    if findings:
        return DeletionFile(problems=tuple(finding.problem(document) for finding in findings))
    value = document.value
    return DeletionFile(
        key=DeletionKey(
            path=path,
            target=value["target"],
            uid=value["uid"],
            reason=value["reason"],
            expires=date.fromisoformat(value["expires"]),
        )
    )


def unspent(keys: Iterable[DeletionKey], targets: Collection[str]) -> Iterator[Problem]:
    """Keys whose cluster is still in git: they delete nothing, and wait for the day on which it is dropped."""
    for key in keys:
        if key.target in targets:
            yield Problem(
                code="key-unspent",
                subject=key.target,
                message="is still in git, so this key deletes nothing",
                hint=f"remove the cluster's directory in the same commit, or remove {key.path}",
                path=key.path,
            )
