"""The agent's process in the tests that kill it.

The real assembly on real files with full durability; the world is on the other side of the socket. With a boundary it
kills itself with SIGKILL there, so that nothing of it can run any more: no handler, no `finally`, no flush.

It is forked from a process that has imported the agent and nothing else: of the two seconds of processor time that a
start takes, all but a tenth are imports, and these tests start a hundred.
"""

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

from remote_world import Far, FarWorld, Line

from agent.assembly import Agent, assemble
from agent.config import load_settings
from agent.ports import Fault

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["agent.assembly"])


class Process:
    """Says of itself what `subprocess.Popen` would; what it prints goes to the end of `log`."""

    def __init__(self, log: Path, *words: str) -> None:
        self._process = _forking.Process(target=_into, args=(log, words))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout_s: float | None = None) -> int:
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("the agent", timeout_s or 0.0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


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


def _into(log: Path, words: tuple[str, ...]) -> None:
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    main(*words)


def main(address: str, settings: str, boundary: str = "", occurrence: str = "0") -> None:
    """`boundary` and `occurrence`: where it ends itself, if it does."""
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
