"""Charts of the fleet repository: there, and made of files that may be used."""

from __future__ import annotations

from dataclasses import replace

from clusterops.model.document import Document
from clusterops.model.fleet import FleetFile, HelmRecipe, Target
from clusterops.model.problem import Problem
from clusterops.source.fleet.content import entry_problem
from clusterops.source.fleet.memory import Reading
from clusterops.source.fleet.target import Built


class ChartChecker:
    """Each chart is looked at once per reading, however many targets use it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._known: dict[str, tuple[Problem, ...]] = {}

    def fleet_problems(self, file: FleetFile, document: Document) -> list[Problem]:
        """Of the charts that fleet.yaml names, each at its line there when it does not exist."""
        found = []
        for cloud, chart in file.clouds.items():
            for problem in self._problems(chart.path):
                mark = document.mark(("clouds", cloud, "chart", "path"))
                found.append(_placed(problem, f"cloud {cloud}", document.path, mark.line, mark.column))
        return found

    def checked(self, built: Built) -> Target:
        """The target with the problems of a chart of its own; those of fleet.yaml stop everything anyway."""
        recipe = built.target.recipe
        if not built.chart_path or not isinstance(recipe, HelmRecipe):
            return built.target
        found = self._problems(recipe.chart.path)
        mark = built.chart_mark
        placed = (_placed(one, built.target.name, built.chart_path, mark.line, mark.column) for one in found)
        return replace(built.target, problems=(*built.target.problems, *placed)) if found else built.target

    def _problems(self, path: str) -> tuple[Problem, ...]:
        if not path:
            return ()
        if path not in self._known:
            self._known[path] = tuple(self._look_at(path))
        return self._known[path]

    def _look_at(self, path: str) -> list[Problem]:
        files = self._reading.under(path)
        if f"{path}/Chart.yaml" not in files:
            hint = "correct the path, or commit the chart (`clusterops init` writes one per cloud)"
            return [Problem(code="chart-missing", subject="", message=f"no chart at {path}: no Chart.yaml", hint=hint)]
        self._reading.prefetch(files.items())
        judged = (
            entry_problem(file, entry, self._reading.content(file), subject=path) for file, entry in files.items()
        )
        return [problem for problem in judged if problem is not None and problem.code != "secret-not-decrypted"]


def _placed(problem: Problem, subject: str, path: str, line: int, column: int) -> Problem:
    if problem.path:
        return replace(problem, subject=subject)
    return replace(problem, subject=subject, path=path, line=line, column=column)
