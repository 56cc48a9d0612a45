"""The same day without the agent, lived by a second process while the first one is shown: nobody waits for it."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from agent.scenarios.format import Scenario
    from agent.scenarios.losses import Tally


class Beside:
    """Begins at once; `tally` waits for the end. Leaving early ends the process."""

    def __init__(self, scenario: Scenario, seed: int | None) -> None:
        context = get_context("spawn")
        self._ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_live, args=(scenario, seed, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def tally(self) -> Tally | None:
        """None when that day could not be lived: the comparison is left out, the day itself stands."""
        try:
            found: Tally = self._ours.recv()
        except EOFError:
            return None
        return found


def _live(scenario: Scenario, seed: int | None, report: Connection) -> None:
    import logging

    from agent.scenarios.days import alone

    logging.getLogger("watchkeeper").setLevel(logging.CRITICAL)
    report.send(alone(scenario, seed))
