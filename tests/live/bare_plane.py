"""An API server with its controllers and nothing else: no pod of it is ever given a node. One for each module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from control_plane import ControlPlane
from live_steps import Steps


@contextmanager
def bare_plane(folder: Path) -> Iterator[ControlPlane]:
    running = ControlPlane(folder, scheduler=False, kwok=False)
    try:
        running.api.wait("the account of pods", "v1", "ServiceAccount", "default", "default", until=lambda found: True)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with bare_plane(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture
def steps(plane: ControlPlane, tmp_path: Path) -> Iterator[Steps]:
    made = Steps(plane.admin, tmp_path)
    yield made
    made.close()
