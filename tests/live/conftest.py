"""What each live test gets; everything that was started is taken down again, whatever happens."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane
from kube import Api, reference
from kueue_server import Kueue
from monitoring import Site
from servers import Server


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    here = Site(tmp_path)
    yield here
    here.stop()


@pytest.fixture
def started() -> Iterator[Callable[[Server], Server]]:
    """Takes down the servers that a test starts itself."""
    servers: list[Server] = []

    def keep(server: Server) -> Server:
        servers.append(server)
        return server

    yield keep
    for server in reversed(servers):
        server.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kubeconfig",
        metavar="FILE",
        help="a cluster of one's own for the tests that ask for `cluster`: kwok and Kueue must be there already",
    )


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of our own, which a test may also break if it mends it again."""
    folder = tmp_path_factory.mktemp("plane")
    running = ControlPlane(folder)
    yield running
    running.stop()
    shutil.rmtree(folder / "etcd")


@pytest.fixture(scope="session")
def kueue(plane: ControlPlane) -> Kueue:
    return Kueue(plane)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Api:
    """By an administrator's kubeconfig: any cluster with kwok and Kueue, ours where none is named."""
    theirs: str | None = request.config.getoption("--kubeconfig")
    if theirs is not None:
        return Api(Path(theirs))
    request.getfixturevalue("kueue")
    ours: ControlPlane = request.getfixturevalue("plane")
    return ours.api


_numbers = itertools.count(1)


@pytest.fixture
def namespace(cluster: Api) -> Iterator[str]:
    """One for the test alone, gone with all that is in it."""
    made = cluster.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": f"watchkeeper-{next(_numbers)}-"}}
    )
    name = made["metadata"]["name"]
    yield name
    cluster.delete(reference("v1", "Namespace", name))
