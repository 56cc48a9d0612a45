"""A scenario's world as it goes when nobody keeps watch: the same timeline on the same seed, and no agent.

An agent that only observes changes nothing in the world, so what the day loses is what it loses beside such an agent
(tests/agent/scenarios/test_unattended.py plays both), at a quarter of the time.
"""

from collections import deque
from datetime import datetime, timedelta

from agent.adapters.inbound.delivery import Delivery
from agent.scenarios.crash import Kills
from agent.scenarios.drawing import with_day
from agent.scenarios.format import Scenario
from agent.scenarios.losses import LossMeter
from agent.scenarios.outages import Outages
from agent.scenarios.people import People
from agent.scenarios.scenery import world_of
from agent.scenarios.theatre import Theatre
from agent.scenarios.timeline import moments


class Unattended:
    """`play` once; the meter looks at every moment at which something happens in the world."""

    def __init__(self, scenario: Scenario, seed: int | None = None) -> None:
        scenario = with_day(scenario, seed)
        spec = scenario.spec
        self._start, self._end = spec.start, spec.start + spec.duration
        self.world = world_of(scenario, spec.seed if seed is None else seed)
        self._coming = deque(moments(spec.timeline))
        outages = Outages(self.world.clock)
        self._theatre = Theatre(self.world, Nobody(), People(spec.identities), outages, Kills())

    def play(self, meter: LossMeter) -> None:
        while self._coming and self._coming[0].at < timedelta(0):  # history, before anything runs
            self._reach(self._start + self._coming[0].at)
        self._reach(self._start)
        meter.look(self.world)
        while self.world.clock.now() < self._end:
            self._reach(min(self._next_moment(), self._end))
            meter.look(self.world)

    def _next_moment(self) -> datetime:
        due = [self.world.next_event_at()]
        if self._coming:
            due.append(self._start + self._coming[0].at)
        return max(self.world.clock.now(), min(moment for moment in due if moment is not None))

    def _reach(self, moment: datetime) -> None:
        self.world.advance_to(moment)
        while self._coming and self._start + self._coming[0].at <= moment:
            played = self._coming.popleft()
            self.world.advance_to(self._start + played.at)
            self._theatre.play(played, self.world.clock.now())


class Nobody:
    """What the timeline sends to the agent reaches nobody."""

    def deliver(self, door: str, delivery: Delivery) -> None:
        """Unheard."""

    def crash(self) -> None:
        """Nothing runs that could die."""
