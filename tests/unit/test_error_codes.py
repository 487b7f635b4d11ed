"""Every error code is kebab-case and belongs to one family, wherever in the source it is written (ARCHITECTURE 6)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "clusterops"
FAMILIES = {"TransientError": "backoff", "TerminalError": "new-revision", "RefusedError": "human"}
"""Name of the class to the word of ``Retry``; the helpers of plan/ that build Problems stand for a family too."""
HELPERS = {"hold": "backoff", "refuse": "human"}
RETRIES = {"BACKOFF": "backoff", "NEW_REVISION": "new-revision", "HUMAN": "human"}


@cache
def found_codes() -> tuple[tuple[str, str, str], ...]:
    """(code, family, place) of every literal."""
    return tuple(found for path in sorted(SOURCE.rglob("*.py")) for found in _of_file(path))


def _of_file(path: Path) -> Iterator[tuple[str, str, str]]:
    file = path.relative_to(SOURCE)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield from ((code, family, f"{file}:{node.lineno}") for code, family in _of_call(node))
        elif isinstance(node, ast.ClassDef):
            yield from ((code, family, f"{file}:{node.lineno}") for code, family in _of_class(node))


def _of_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    code = given.get("code") or (node.args[0] if node.args else None)
    if name in FAMILIES | HELPERS:
        yield from ((each, (FAMILIES | HELPERS)[name]) for each in _literals(code))
    elif name == "Problem":
        retry = given.get("retry")
        family = RETRIES[retry.attr] if isinstance(retry, ast.Attribute) else "" if retry else "new-revision"
        yield from ((each, family) for each in _literals(code) if family)


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """What an error class of its own gives its base."""
    families = [FAMILIES[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in FAMILIES]
    calls = (call for call in ast.walk(node) if isinstance(call, ast.Call) and call.args)
    inits = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"]
    yield from ((code, family) for family in families for call in inits for code in _literals(call.args[0]))


def _literals(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))


def test_the_source_has_codes_to_look_at() -> None:
    assert len({code for code, _, _ in found_codes()}) > 80


def test_every_code_is_kebab_case() -> None:
    wrong = [f"{place}: {code}" for code, _, place in found_codes() if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)]
    assert wrong == []


def test_every_code_belongs_to_one_family() -> None:
    """The same code means the same thing to do next."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for code, family, place in found_codes():
        places[code][family].append(place)
    torn = {code: dict(families) for code, families in places.items() if len(families) > 1}
    assert torn == {}
