"""The example in the package's docstring is run."""

import doctest

import scheduler_core.topology


def test_the_example_holds() -> None:
    ran = doctest.testmod(scheduler_core.topology)
    assert (ran.failed, ran.attempted > 5) == (0, True)
