"""Clusters of three template styles on the real controllers: adopted, edited, cleaned up, and none rolled unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterops.sandbox import Sandbox
from tests.shows.show_9_adoption import play
from tests.stage import folder

pytestmark = [pytest.mark.capi, pytest.mark.tools]


def test_only_the_machines_of_an_edited_template_are_replaced(capi_sandbox: Sandbox, tools: dict[str, Path]) -> None:
    """By uid, one cluster of each style: none by adoption, one each by an edit, none by a provider's new default."""
    with folder("rotation") as home:
        assert play("rotated", 3, home, capi_sandbox, tools, within_s=600) == []
