"""What each live test gets; everything that was started is taken down again, whatever happens.

With `--kubeconfig` the tests that ask for `anywhere` or `cluster` run on that cluster, in namespaces of their own, and
those that ask for `plane` do not run: they kill, freeze or set back servers, or want a cluster to themselves.
"""

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
from theirs import Theirs, Tidy

OURS_ALONE = {
    "plane": "it kills, freezes or sets back servers, or wants a cluster to itself",
    "kueue": "it kills Kueue, or wants it set up its own way",
}
# Files that take a minute or more: begun before all others, so that workers end together. Those that share a worker's
# plane come in the order of what they ask of it, forecasts for a Kueue that nobody disturbs the last.
LONG = (
    "test_kueue_half_installed",
    "test_bad_day_for_real",
    "test_control_plane",
    "test_live_run",
    "test_model_everywhere",
    "test_opa_conformance",
    "test_postgresql_sharing",
    "test_postgresql_tampers",
    "test_postgresql_astray",
    "test_live_stops",
    "test_any_cluster",
    "test_live_world_astray",
    "test_policies_at_work",
    "test_kueue_check",
    "test_kueue_check_running",
    "test_kueue_agreement",
    "test_postgresql_log",
    "test_postgresql_agent",
    "test_kill",
    "test_opa_server",
    "test_approval_races",
    "test_erasure",
    "test_own_cluster",
    "test_doctor",
    "test_live_world_follow",
    "test_live_world_replaced",
    "test_real_input",
    "test_deploying",
    "test_in_a_pod",
)
_left_out: dict[str, list[str]] = {}


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
        help="a cluster of one's own for the tests that ask for `anywhere` or `cluster` (there kwok and Kueue must be"
        " already); the others are left out",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever asks for servers of our own has no business at somebody else's cluster. Long files come first, for
    workers that are given a file each (`--dist loadfile --no-loadscope-reorder`, which keeps this order)."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    if config.getoption("--kubeconfig") is None:
        return
    kept = []
    for item in items:
        wants = next((name for name in OURS_ALONE if name in getattr(item, "fixturenames", ())), None)
        if wants is None:
            kept.append(item)
        else:
            _left_out.setdefault(wants, []).append(item.nodeid)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, tests in _left_out.items():
        terminalreporter.section(f"left out with --kubeconfig: {OURS_ALONE[name]}")
        for test in tests:
            terminalreporter.line(test)


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
def cluster(request: pytest.FixtureRequest) -> Iterator[Api]:
    """By an administrator's kubeconfig: any cluster with kwok and Kueue, ours where none is named."""
    theirs: str | None = request.config.getoption("--kubeconfig")
    if theirs is not None:
        tidy = Tidy(Path(theirs))
        yield tidy
        tidy.tidy()
        return
    request.getfixturevalue("kueue")
    ours: ControlPlane = request.getfixturevalue("plane")
    yield ours.api


@pytest.fixture(scope="module")
def anywhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane | Theirs]:
    """Any API server: the one of `--kubeconfig`, else the module's own `plane`."""
    kubeconfig: str | None = request.config.getoption("--kubeconfig")
    if kubeconfig is None:
        yield request.getfixturevalue("plane")
        return
    theirs = Theirs(Path(kubeconfig), tmp_path_factory.mktemp("theirs"))
    yield theirs
    theirs.api.tidy()


@pytest.fixture
def room(anywhere: ControlPlane | Theirs) -> str:
    """A namespace for one test, with the account that pods run as. What lies in none is named after it."""
    about = {"generateName": f"watchkeeper-room-{next(_numbers)}-"}
    made = anywhere.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": about})
    name = str(made["metadata"]["name"])
    anywhere.api.wait("the account of pods", "v1", "ServiceAccount", "default", name, until=lambda found: True)
    return name


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
