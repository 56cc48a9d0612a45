"""One scenario as it is played: the real agent on the simulated world, in simulated time, moment by moment.

The same adapters, stages, policies and log as live; nothing is mocked. Between two moments nothing happens, so time
jumps from one to the next: an entry of the timeline, something due in the world, a wake-up of the agent, its next look.
"""

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.adapters.inbound.delivery import Delivery
from agent.adapters.rego.faults import BundleRefused
from agent.assembly import Agent, assemble
from agent.chance import Shuffled
from agent.domain.approval import ApprovalRequest
from agent.domain.base import rfc3339
from agent.scenarios.crash import Kills
from agent.scenarios.drawing import with_day
from agent.scenarios.format import Scenario, ScenarioInvalid
from agent.scenarios.losses import LossMeter
from agent.scenarios.outages import Outages
from agent.scenarios.people import People
from agent.scenarios.process import Process
from agent.scenarios.scenery import past_action, settings_of, world_of
from agent.scenarios.theatre import Theatre
from agent.scenarios.timeline import Moment, moments
from agent.scenarios.witness import Pager

DATABASE: Final = "watchkeeper.db"  # the log's file, in the folder of the run
GATHERED = timedelta(seconds=1)  # repetitions of one entry within this come in together, as in a storm they do
WORK_AT_ONE_MOMENT = 1_000  # rounds of agent and world at one instant; more means that they go in circles


class Performance:
    """`step` until it is over, then `close`. `folder` holds the agent's stores and outlives the run.

    Raises ScenarioInvalid for what only the world or the agent's start can see to be wrong with the file.
    """

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        *,
        seed: int | None = None,
        kills: Kills | None = None,
        meter: LossMeter | None = None,
    ) -> None:
        scenario = with_day(scenario, seed)
        spec = scenario.spec
        self.scenario = scenario
        self.seed = spec.seed if seed is None else seed
        self.end = spec.start + spec.duration
        self.database = folder / DATABASE
        self.pager = Pager()
        self.people = People(spec.identities)
        self.world = world_of(scenario, self.seed)
        self.meter = meter
        self._kills = kills or Kills()
        self._outages = Outages(self.world.clock)
        self._settings = settings_of(scenario, self.database, self.people.identities)
        self._coming = deque(moments(spec.timeline))
        self._next_look = spec.start
        self._begin()

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    @property
    def agent(self) -> Agent:
        return self.process.agent

    @property
    def problems(self) -> list[str]:
        """Entries of the timeline that could not be played."""
        return self._theatre.problems

    def step(self) -> bool:
        """Goes on to the next moment at which something happens; False when the scenario is over."""
        self._reach(min(self._next_moment(), self.end))
        if self.meter is not None:
            self.meter.look(self.world)
        self._work()
        return self.now < self.end

    def answer(self, request: ApprovalRequest, decision: str, reason: str) -> str:
        """Somebody who may answers at this moment; the name, or "" when nobody is left who may."""
        name = self.people.answer_now(self.agent, request, decision, reason, self.now)
        self._work()
        return name

    def close(self) -> None:
        self.process.close()

    # --- the order of things ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """What lies before the start happens to the world alone; the agent begins at the start and hears of it then."""
        start = self.scenario.spec.start
        prelude = Prelude()
        self._theatre = Theatre(self.world, prelude, self.people, self._outages, self._kills)
        while self._coming and self._coming[0].at < timedelta(0):
            self.world.advance_to(start + self._coming[0].at)
            self._theatre.play(self._coming.popleft(), self.now)
        self.world.advance_to(start)
        self.process = Process(self._assemble)
        self._theatre.wings = self.process
        for index, past in enumerate(self.scenario.spec.history):
            self.agent.ports.ledger.record("outcome", past_action(past, start), unique_key=f"history:{index}")
        for door, delivery in prelude.deliveries:
            self.process.deliver(door, delivery)
        self._work()

    def _assemble(self) -> Agent:
        try:
            return assemble(
                self._settings,
                self.world,
                notifier=self.pager,
                order=Shuffled(self.seed),
                boundaries=self._kills,
                durability="memory",
                interpose=self._outages.interpose,
                in_turn=True,
            )
        except BundleRefused as error:
            raise ScenarioInvalid(self.scenario.metadata.name, (f"spec.policyData: {error}",)) from error

    def _next_moment(self) -> datetime:
        """The earliest thing to come. What is overdue and did not run waits for something else to happen first."""
        wakes = [self.process.next_wake(), self.people.next_deadline()]
        later = [moment for moment in wakes if moment is not None and moment > self.now]
        due = [self._next_look, self.world.next_event_at(), *later]
        if self._coming:
            due.append(self.scenario.spec.start + self._coming[0].at)
        return max(self.now, min(moment for moment in due if moment is not None))

    def _reach(self, moment: datetime) -> None:
        self.world.advance_to(moment)
        played = None
        while self._coming and (self._starts(self._coming[0]) <= moment or self._gathers(played, moment)):
            played = self._coming.popleft()
            self.world.advance_to(self._starts(played))
            self._theatre.play(played, self.now)
        if self.now >= self._next_look:
            self.process.look()
            self._next_look = self.now + timedelta(seconds=self._settings.look_every_s)

    def _starts(self, moment: Moment) -> datetime:
        return self.scenario.spec.start + moment.at

    def _gathers(self, played: Moment | None, since: datetime) -> bool:
        """Does the same entry repeat so fast that the agent finds several of it in its inbox at once?"""
        coming = self._coming[0]
        soon = self._starts(coming) < min(since + GATHERED, self.end)
        return soon and played is not None and coming.order == played.order

    def _work(self) -> None:
        """Agent and people in turn, until neither has anything to do at this moment."""
        for _ in range(WORK_AT_ONE_MOMENT):
            self.process.work()
            if not self.people.answer(self.agent, self.now):
                return
        raise RuntimeError(f"at {rfc3339(self.now)} the people answered {WORK_AT_ONE_MOMENT} times")


class Prelude:
    """Keeps what was sent before there was an agent."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, Delivery]] = []

    def deliver(self, door: str, delivery: Delivery) -> None:
        self.deliveries.append((door, delivery))

    def crash(self) -> None:
        """Nothing runs yet that could die."""
