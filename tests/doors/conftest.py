"""The same suite on the model of an API server and on a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clusterops.ports import Cluster
from tests.doors.targets import connected
from tests.model_cluster import ModelCluster


@pytest.fixture(params=["model", pytest.param("real", marks=pytest.mark.apiserver)])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "model":
        yield ModelCluster()
        return
    async with connected(request.getfixturevalue("apiserver").kubeconfig) as real:
        yield real
