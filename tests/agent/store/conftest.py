from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk_world import HandClock, Opened


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    process = Opened(tmp_path / "watchkeeper.db")
    yield process
    process.close()


@pytest.fixture
def another(opened: Opened) -> Iterator[Callable[[], Opened]]:
    """Another process on the same file."""
    others: list[Opened] = []

    def open_again() -> Opened:
        others.append(Opened(opened.path, HandClock(opened.clock.at)))
        return others[-1]

    yield open_again
    for other in others:
        other.close()
