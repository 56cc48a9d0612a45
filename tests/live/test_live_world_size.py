"""What it costs to watch 1,000 nodes and 20,000 pods on a real API server: the agent's own seconds, and its memory.

How long it takes by the clock is the API server's doing as much, and that of whatever else the machine is at: it is
measured on a calm one, by `measure_size.py`.
"""

from collections.abc import Iterator

import pytest
from control_plane import ControlPlane
from large_world import MEMORY_AT_MOST_MIB, NODES, PODS, RESYNC_AT_MOST_S, large_plane, watched


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with large_plane(tmp_path_factory.mktemp("large")) as running:
        yield running


def test_a_large_cluster_is_watched_in_little_time_and_memory(plane: ControlPlane) -> None:
    told = watched(plane.admin)
    print(told)
    assert (told["nodes"], told["pods"]) == (NODES, PODS)
    assert told["resync_cpu_s"] < RESYNC_AT_MOST_S, told
    assert told["watching_mib"] < MEMORY_AT_MOST_MIB, told
