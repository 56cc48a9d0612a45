"""The simulated API server as the contract tests see it. A live one can be given the same two fixtures."""

import pytest
from world_builders import world

from agent.adapters.simulated.cluster import SimulatedCluster


@pytest.fixture
def cluster() -> SimulatedCluster:
    return world().cluster


@pytest.fixture
def namespace(cluster: SimulatedCluster) -> str:
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "contract"}})
    return "contract"
