"""The agent's process in the tests that kill it: `python mortal_agent.py SOCKET SETTINGS [BOUNDARY OCCURRENCE]`.

The real assembly on real files with full durability; the world is on the other side of the socket. With a boundary it
kills itself with SIGKILL there, so that nothing of it can run any more: no handler, no `finally`, no flush.
"""

import os
import signal
import sys
from pathlib import Path

from remote_world import Far, FarWorld, Line

from agent.assembly import Agent, assemble
from agent.config import load_settings
from agent.ports import Fault


class Suicide:
    """ports.Boundaries."""

    def __init__(self, boundary: str, occurrence: int) -> None:
        self._boundary, self._left = boundary, occurrence

    def reached(self, name: str) -> None:
        self._left -= name == self._boundary
        if name == self._boundary and self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def waits(agent: Agent) -> bool:
    """For a person; or for its log: no moment comes before it is back, the world's time goes with the wall clock's."""
    try:
        agent.ports.ledger.find("whether it answers")
        return bool(agent.ports.desk.pending())
    except Fault:
        return True


def main(address: str, settings: str, boundary: str = "", occurrence: str = "0") -> None:
    line = Line(address)
    conductor = Far(line, "conductor")
    agent = assemble(
        load_settings(Path(settings)),
        FarWorld(line),
        notifier=Far(line, "pager"),
        boundaries=Suicide(boundary, int(occurrence)),
    )
    agent.run_until_idle()
    while (moment := conductor.next_moment(agent.watch.next_wake(), waits(agent))) is not None:
        signals, look = moment
        agent.receive(signals)
        conductor.received(len(signals))
        if look:
            agent.look()
        agent.run_until_idle()
    agent.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
