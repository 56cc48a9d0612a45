"""What each live test gets; everything that was started is taken down again, whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
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
