"""A clone that git itself cannot open is told, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.errors import TerminalError
from clusterops.source.clone import Clone
from tests.unit.source.origins import git


def test_a_repository_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".git/config").write_text("[core\nbroken")
    with pytest.raises(TerminalError) as raised:
        Clone(tmp_path)
    assert raised.value.code == "git-unreadable"
    assert "config" in raised.value.message
