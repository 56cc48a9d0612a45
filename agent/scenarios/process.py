"""The agent's process in a scenario: started on its stores, killed, and started again on the same.

Everything outside it (the world, the pager, the people) lives on; what senders could not deliver they send again.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from agent.adapters.inbound.delivery import Delivery
from agent.assembly import Agent
from agent.domain.signal import Signal
from agent.ports import Fault
from agent.scenarios.crash import AgentKilled


class Process:
    """`start` assembles an agent on the stores of this run."""

    def __init__(self, start: Callable[[], Agent]) -> None:
        self._start = start
        self._undelivered: list[Signal] = []
        self.agent = start()
        self.restarts = 0

    def crash(self) -> None:
        self.close()
        self.agent = self._start()
        self.restarts += 1

    def close(self) -> None:
        self.agent.close()
        del self.agent

    def deliver(self, door: str, delivery: Delivery) -> None:
        """Stores the signals of one delivery, or keeps them for the sender's next try."""
        self._undelivered.extend(delivery.signals)
        note = self.agent.refused
        for refused in delivery.refused:
            note(door, refused.place, refused.reason)
        self._send()

    def look(self) -> None:
        self._alive(Agent.look)

    def work(self) -> None:
        """Runs until there is nothing left to do now, through as many deaths as it takes."""
        self._send()
        self._alive(Agent.run_until_idle)

    def next_wake(self) -> datetime | None:
        return self.agent.watch.next_wake()

    def _send(self) -> None:
        with suppress(Fault):
            while self._undelivered:
                self.agent.receive(self._undelivered[:1])
                del self._undelivered[0]

    def _alive(self, work: Callable[[Agent], None]) -> None:
        while True:
            try:
                return work(self.agent)
            except AgentKilled:
                self.crash()
