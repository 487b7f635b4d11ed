"""Working trees and revisions of real clones."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.errors import TerminalError, TransientError
from clusterops.model.revision import EntryKind
from clusterops.source.worktree import find_fleet_root, resolve_revision, snapshot_worktree
from tests.unit.source.origins import git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    write(root, {"fleet.yaml": "a: 1\n", "clusters/eu/web/values.yaml": "b: 1\n", ".gitignore": "*.log\n/ignored/\n"})
    commit(root, "one")
    return root


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD").strip()


def test_a_clean_working_tree_is_the_snapshot_of_its_commit(clone: Path) -> None:
    tree, head = snapshot_worktree(clone), resolve_revision(clone, "HEAD")
    assert tree.files == head.files
    assert tree.read("fleet.yaml") == head.read("fleet.yaml") == b"a: 1\n"
    assert (tree.revision.commit, tree.revision.text) == ("worktree", "worktree@worktree")
    assert head.revision.commit == git(clone, "rev-parse", "HEAD").strip()


def test_changes_untracked_files_and_deletions_are_seen_and_ignored_files_are_not(clone: Path) -> None:
    write(clone, {"fleet.yaml": "a: 2\n", "new/file.yaml": "c: 1\n", "x.log": "x", "ignored/y": "y"})
    (clone / "clusters/eu/web/values.yaml").unlink()
    snapshot = snapshot_worktree(clone)
    assert snapshot.paths == (".gitignore", "fleet.yaml", "new/file.yaml")
    assert snapshot.read_all(["fleet.yaml", "new/file.yaml"]) == {"fleet.yaml": b"a: 2\n", "new/file.yaml": b"c: 1\n"}


def test_staged_changes_count_as_they_are_on_disk(clone: Path) -> None:
    write(clone, {"fleet.yaml": "a: 2\n", "staged.yaml": "s: 1\n"})
    git(clone, "add", "-A")
    write(clone, {"staged.yaml": "s: 2\n"})
    git(clone, "rm", "-q", "--cached", "clusters/eu/web/values.yaml")
    snapshot = snapshot_worktree(clone)
    assert snapshot.read("fleet.yaml") == b"a: 2\n"
    assert snapshot.read("staged.yaml") == b"s: 2\n"
    assert snapshot.read("clusters/eu/web/values.yaml") == b"b: 1\n"


def test_links_are_recorded_and_never_followed(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.yaml").write_text("x")
    (clone / "link").symlink_to(tmp_path / "outside")
    (clone / "file-link.yaml").symlink_to("fleet.yaml")
    snapshot = snapshot_worktree(clone)
    kinds = {path: snapshot.files[path].kind for path in snapshot.paths if snapshot.files[path].kind != EntryKind.FILE}
    assert kinds == {"link": EntryKind.SYMLINK, "file-link.yaml": EntryKind.SYMLINK}
    commit(clone, "links")
    assert snapshot_worktree(clone).files == resolve_revision(clone, "HEAD").files == snapshot.files


def test_a_repository_inside_is_a_submodule(clone: Path) -> None:
    inner = clone / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    write(inner, {"a.yaml": "a: 1\n"})
    commit(inner, "inner")
    assert snapshot_worktree(clone).files["inner"].kind is EntryKind.SUBMODULE


def test_a_checkout_with_other_line_ends_still_equals_its_commit(clone: Path) -> None:
    write(clone, {".gitattributes": "*.yaml text eol=crlf\n"})
    commit(clone, "attributes")
    (clone / "fleet.yaml").unlink()
    git(clone, "checkout", "--", "fleet.yaml")
    assert (clone / "fleet.yaml").read_bytes() == b"a: 1\r\n"
    assert snapshot_worktree(clone).files == resolve_revision(clone, "HEAD").files
    assert snapshot_worktree(clone).read("fleet.yaml") == b"a: 1\n"


def test_a_fleet_below_the_top_of_a_clone_has_paths_of_its_own(clone: Path) -> None:
    write(clone, {"deploy/fleet/fleet.yaml": "a: 3\n", "deploy/fleet-2/x": "x"})
    commit(clone, "nested")
    nested = clone / "deploy/fleet"
    write(clone, {"deploy/fleet/more.yaml": "m: 1\n"})
    assert snapshot_worktree(nested).paths == ("fleet.yaml", "more.yaml")
    assert resolve_revision(nested, "HEAD").paths == ("fleet.yaml",)
    assert resolve_revision(nested, "HEAD").read("fleet.yaml") == b"a: 3\n"


def test_a_directory_without_git_has_all_its_files(tmp_path: Path) -> None:
    write(tmp_path, {"fleet.yaml": "a: 1\n", "x/y.yaml": "b: 1\n"})
    (tmp_path / "x/link").symlink_to("y.yaml")
    snapshot = snapshot_worktree(tmp_path)
    assert snapshot.paths == ("fleet.yaml", "x/link", "x/y.yaml")
    assert snapshot.files["x/link"].kind is EntryKind.SYMLINK
    assert snapshot.read("x/y.yaml") == b"b: 1\n"


def test_a_clone_without_a_commit_has_its_untracked_files(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {"fleet.yaml": "a: 1\n"})
    assert snapshot_worktree(tmp_path).paths == ("fleet.yaml",)


def test_a_file_that_changes_between_looking_and_reading_is_told(clone: Path) -> None:
    write(clone, {"fleet.yaml": "a: 2\n"})
    snapshot = snapshot_worktree(clone)
    write(clone, {"fleet.yaml": "a: 3\n"})
    with pytest.raises(TransientError, match="file-changed"):
        snapshot.read("fleet.yaml")


@pytest.mark.parametrize("rev", ["HEAD~1", "v1", "main~1", "HEAD^"])
def test_any_git_revision_is_resolved(clone: Path, rev: str) -> None:
    first = git(clone, "rev-parse", "HEAD").strip()
    git(clone, "tag", "-a", "v1", "-m", "annotated")
    write(clone, {"fleet.yaml": "a: 9\n"})
    commit(clone, "two")
    snapshot = resolve_revision(clone, rev)
    assert (snapshot.revision.commit, snapshot.revision.subject) == (first, "one")
    assert snapshot.read("fleet.yaml") == b"a: 1\n"
    assert resolve_revision(clone, first[:8]).revision.text == f"main@{first[:7]}"


@pytest.mark.parametrize("rev", ["nowhere", "HEAD~99", "f" * 40, "", "a..b"])
def test_an_unknown_revision_is_told(clone: Path, rev: str) -> None:
    with pytest.raises(TerminalError, match="revision-unknown"):
        resolve_revision(clone, rev)


def test_a_revision_without_git_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="revision-unknown"):
        resolve_revision(tmp_path, "HEAD")


def test_the_fleet_root_is_found_upwards(clone: Path) -> None:
    assert find_fleet_root(clone / "clusters/eu/web") == clone
    assert find_fleet_root(clone) == clone


def test_no_fleet_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="fleet-file-missing"):
        find_fleet_root(tmp_path)
