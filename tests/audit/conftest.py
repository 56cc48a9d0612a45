"""A log in a temporary file, with a clock that only moves when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tampering import NOON

from audit.log import Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def clock() -> Callable[[], datetime]:
    ticks = iter(range(1_000_000))
    return lambda: NOON + timedelta(seconds=next(ticks))


@pytest.fixture
def log(path: Path, clock: Callable[[], datetime]) -> Iterator[Log]:
    with Log.open(path, clock=clock, durability="memory", lock_timeout_s=0.3) as opened:
        yield opened
