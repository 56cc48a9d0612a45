"""Two agents that hold the same approval, each with a connection of its own to one log, on one world that counts."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from step_field import START, manifests, proposal

from agent.adapters.ledger import AuditLedger
from agent.adapters.simulated.world import World
from agent.chance import NoBoundaries
from agent.doing import Effectors
from agent.domain.proposal import Step, Verb
from agent.effects import StepCall, StepState, run_step
from agent.scenarios.crash import AgentKilled, Kills
from agent.scenarios.witness import Pager
from audit.log import Log

Try = Callable[[], StepState]
T = TypeVar("T")


class Rivals:
    def __init__(self, place: str | Path) -> None:
        self._logs = [Log.open(place, durability="memory") for _ in range(2)]
        self.world = World(7, START, timedelta(seconds=15))
        self.clock = self.world.clock
        self._ledgers = [AuditLedger(log, self.clock, "watchkeeper") for log in self._logs]
        self._step: Step | None = None
        self._number = 0
        self._kills = Kills()

    def begin(self, number: int, step: Step) -> tuple[Try, Try]:
        """A new world, and the same step of the same proposal in the hands of both."""
        self.world = World(7, START, timedelta(seconds=15))
        self.world.load(manifests())
        self.world.advance_to(START)
        self._step, self._number = step, number
        return self._worker(self._ledgers[0]), self._worker(self._ledgers[1])

    def heir(self, place: Path) -> Try:
        """A process that begins after the others."""
        self._logs.append(Log.open(place, durability="memory"))
        return self._worker(AuditLedger(self._logs[-1], self.clock, "watchkeeper"))

    def dies_after_its_intent(self, worker: Try) -> None:
        self._kills.arm("intent")
        try:
            worker()
        except AgentKilled:
            return
        raise AssertionError("it did not begin")

    def effects(self) -> int:
        """What was done to the world; a repair that is asked for under one key is one."""
        if self._step is not None and self._step.verb is Verb.REQUEST_REPAIR:
            return 1
        return sum(Counter(effect.verb for effect in self.world.effects).values())

    def intents(self, number: int) -> int:
        return len(list(self._logs[0].query(kind="intent", attributes={"proposal": _name(number)})))

    def close(self) -> None:
        for log in self._logs:
            log.close()

    def _worker(self, ledger: AuditLedger) -> Try:
        assert self._step is not None
        made = proposal(self._step).model_copy(update={"id": _name(self._number), "incident": f"inc-{self._number}"})
        boundaries = self._kills if self._number == 1 else NoBoundaries()

        def attempt() -> StepState:
            through = Effectors(self.world.cluster, self.world.repairs, Pager(), ledger, boundaries)
            now = self.clock.now()
            return run_step(StepCall(made, 0, now, since=now, request="apr-1"), through).state

        return attempt


def _name(number: int) -> str:
    return f"inc-{number}/0"


def race(*workers: Callable[[], T]) -> list[T]:
    """All at once, each in a thread of its own."""
    barrier = threading.Barrier(len(workers))
    outcomes: list[T] = []

    def run(worker: Callable[[], T]) -> None:
        barrier.wait()
        outcomes.append(worker())

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes
