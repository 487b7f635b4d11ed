"""Files are written whole, all or none, and only those that were looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.edit.files import write_files
from clusterops.errors import ClusterOpsError


def test_content_and_nothing_else_changes(tmp_path: Path) -> None:
    place = tmp_path / "a" / "values.yaml"
    place.parent.mkdir()
    place.write_bytes(b"a: 1\r\n")
    place.chmod(0o640)
    write_files(tmp_path, {"a/values.yaml": b"a: 2\r\n"}, {"a/values.yaml": b"a: 1\r\n"})
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"a: 2\r\n", 0o640)
    assert [each.name for each in place.parent.iterdir()] == ["values.yaml"]


def test_a_file_that_changed_meanwhile_stays(tmp_path: Path) -> None:
    place = tmp_path / "values.yaml"
    place.write_bytes(b"a: 3\n")
    with pytest.raises(ClusterOpsError, match="file-changed"):
        write_files(tmp_path, {"values.yaml": b"a: 2\n"}, {"values.yaml": b"a: 1\n"})
    assert place.read_bytes() == b"a: 3\n"


@pytest.mark.parametrize("link", ["a", "a/values.yaml"])
def test_nothing_is_changed_behind_a_link(tmp_path: Path, link: str) -> None:
    inside, outside = tmp_path / "root", tmp_path / "outside"
    (inside / "a" if link != "a" else inside).mkdir(parents=True)
    outside.mkdir()
    (outside / "values.yaml").write_bytes(b"a: 1\n")
    (inside / link).symlink_to(outside if link == "a" else outside / "values.yaml")
    with pytest.raises(ClusterOpsError, match="path-not-plain"):
        write_files(inside, {"a/values.yaml": b"a: 2\n"}, {"a/values.yaml": b"a: 1\n"})
    assert (outside / "values.yaml").read_bytes() == b"a: 1\n"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterOpsError, match="file-changed"):
        write_files(tmp_path, {"values.yaml": b"a: 2\n"}, {"values.yaml": b""})


def test_a_file_that_cannot_be_written_takes_back_those_before(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\n")
    files: dict[str, bytes | None] = {"a.yaml": b"a: 2\n", "new/b.yaml": b"b: 1\n", "c.yaml": b"c: 2\n"}
    with pytest.raises(ClusterOpsError, match="file-changed"):
        write_files(tmp_path, files, {"a.yaml": b"a: 1\n", "c.yaml": b"c: 1\n"})
    assert (tmp_path / "a.yaml").read_bytes() == b"a: 1\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
