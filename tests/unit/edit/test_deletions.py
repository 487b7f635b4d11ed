"""Both keys of a deletion in a working tree."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from clusterops.edit import Draft, write_files
from clusterops.edit.deletions import draft_deletion, key_path, key_text
from clusterops.errors import TerminalError
from clusterops.model.deletion import DeletionKey
from clusterops.source.fleet.deletions import parse_deletion


def key(path: str = "deletions/search.yaml", target: str = "fra1/search", reason: str = "CHG-1") -> DeletionKey:
    uid = "6a1d0f3e-5b0c-4b36-9a55-2f9a4f0c7d10"
    return DeletionKey(path=path, target=target, uid=uid, reason=reason, expires=date(2026, 11, 28))


@pytest.mark.parametrize("reason", ["CHG-2291, replaced", "yes: no", "#5 'quoted'", "null", "7", "two\nlines"])
def test_what_is_written_reads_back(reason: str) -> None:
    found = parse_deletion("deletions/search.yaml", key_text(key(reason=reason)).encode())
    assert (found.key, found.problems) == (key(reason=reason), ())


def delete(root: Path, *paths: str) -> None:
    draft = Draft(read=lambda path: (root / path).read_bytes() if (root / path).is_file() else None)
    draft_deletion(draft, key(), paths)
    write_files(root, draft.edits.files, draft.edits.before)


def test_the_key_is_written_and_the_directory_removed_as_git_would(tmp_path: Path) -> None:
    for path in ("clusters/fra1/search/values.yaml", "clusters/fra1/search/more/a.yaml", "clusters/eu/web/values.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("a: b\n")
    delete(tmp_path, "clusters/fra1/search/more/a.yaml", "clusters/fra1/search/values.yaml")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "clusters/eu/web/values.yaml",
        "deletions/search.yaml",
    ]
    assert not (tmp_path / "clusters/fra1").exists()


def test_nothing_is_changed_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/values.yaml").write_text("a: b\n")
    (tmp_path / "clusters/fra1").mkdir(parents=True)
    (tmp_path / "clusters/fra1/search").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TerminalError, match="path-not-plain"):
        delete(tmp_path, "clusters/fra1/search/values.yaml")
    assert (tmp_path / "elsewhere/values.yaml").exists()
    assert not (tmp_path / "deletions").exists()


def test_a_key_has_its_own_file() -> None:
    assert key_path("fra1/search", []) == "deletions/search.yaml"
    assert key_path("fra1/search", [key(target="eu/search")]) == "deletions/fra1-search.yaml"
    assert key_path("fra1/search", [key(path="deletions/x.yaml")]) == "deletions/x.yaml"
