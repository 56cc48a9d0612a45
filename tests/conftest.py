"""What no test may inherit from another: a command that is run in here sets the log's level for its whole process."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logs_as_a_new_process_has_them() -> Iterator[None]:
    ours, root = logging.getLogger("watchkeeper"), logging.getLogger()
    levels = ours.level, root.level
    yield
    logging.disable(logging.NOTSET)
    ours.setLevel(levels[0])
    root.setLevel(levels[1])
