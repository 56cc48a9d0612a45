"""What no test may inherit from another: a command that is run in here sets the log's levels for its whole process, and
so may a library. And how often properties are tried where nobody asks for more."""

import logging

import pytest
from hypothesis import settings

from tests import tried

settings.load_profile(tried.QUICK)


@pytest.fixture(autouse=True)
def logs_as_a_new_process_has_them() -> None:
    logging.disable(logging.NOTSET)
    _level(logging.getLogger(), logging.WARNING)
    for each in logging.getLogger().manager.loggerDict.values():
        if isinstance(each, logging.Logger):
            each.disabled, each.propagate = False, True
            _level(each, logging.NOTSET)


def _level(logger: logging.Logger, level: int) -> None:
    if logger.level != level:  # setting it asks every logger to forget what it knows
        logger.setLevel(level)
