"""One incident, watched by an agent that is killed: the world and its time, the agent's processes, and what is left.

The world's time stands still while no agent runs, and reaches the next moment when an agent has nothing left to do.
Where it waits for a person it is not left behind that person's clock, however long the machine takes.
"""

import json
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from mortal_agent import Process
from remote_world import Server

from agent.adapters.inbound.delivery import Delivery
from agent.domain.signal import Signal
from agent.scenarios.crash import Kills
from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.outages import Outages
from agent.scenarios.people import People
from agent.scenarios.performance import world_of
from agent.scenarios.theatre import Theatre
from agent.scenarios.timeline import moments
from agent.scenarios.witness import Pager, Testimony, testimony
from audit.log import Log

WATCHKEEPER = str(Path(sys.executable).with_name("watchkeeper"))
LOOK_EVERY = timedelta(seconds=30)
BEFORE_NOW = timedelta(minutes=6)  # the world begins so long ago: people, who answer by the wall clock, are in time
LASTS = timedelta(minutes=20)
ANSWER_POLL_S = 0.02  # as long as the agent is kept from looking again
RUN_TIMEOUT_S = 240.0
COMMAND_TIMEOUT_S = 120.0


class Conductor:
    """Moves time on for whichever agent asks, and keeps what has not been received."""

    def __init__(self, scenario: Scenario) -> None:
        self.world = world_of(scenario, scenario.spec.seed)
        self.undelivered: list[Signal] = []
        self.over = False
        self.waiting = False  # the agent waits for a person
        self.patient = True  # time waits for the person, too
        self.lasts = LASTS
        self._spec = scenario.spec
        self._coming = deque(moments(scenario.spec.timeline))
        self._next_look = scenario.spec.start
        people = People(scenario.spec.identities)
        self._theatre = Theatre(self.world, self, people, Outages(self.world.clock), Kills())
        self._advance(scenario.spec.start)

    def deliver(self, door: str, delivery: Delivery) -> None:
        assert not delivery.refused
        self.undelivered += delivery.signals

    def crash(self) -> None:
        raise AssertionError("these tests do their own killing")

    def received(self, count: int) -> None:
        del self.undelivered[:count]

    def next_moment(self, wake: datetime | None, waiting: bool) -> tuple[Sequence[Signal], bool] | None:
        """What is new at the next moment, and whether to look around; None when it is over."""
        self.waiting = waiting
        if waiting and self.patient:
            time.sleep(ANSWER_POLL_S)
            self.catch_up()
        elif not self.undelivered:
            self._reach(wake)
        now = self.world.clock.now()
        if now >= self._spec.start + self.lasts:
            self.over = True
            return None
        look = now >= self._next_look
        if look:
            self._next_look = now + LOOK_EVERY
        return list(self.undelivered), look

    def catch_up(self) -> None:
        """With the clock by which people answer."""
        self._advance(max(self.world.clock.now(), datetime.now(UTC)))

    def _reach(self, wake: datetime | None) -> None:
        now, start = self.world.clock.now(), self._spec.start
        due = [self._next_look, *([wake] if wake and wake > now else [])]
        due += [start + moment.at for moment in list(self._coming)[:1]]
        self._advance(max(now, min(due)))

    def _advance(self, until: datetime) -> None:
        while self._coming and self._spec.start + self._coming[0].at <= until:
            self.world.advance_to(self._spec.start + self._coming[0].at)
            self._theatre.play(self._coming.popleft(), self.world.clock.now())
        self.world.advance_to(until)


class Watch:
    """`policy_data` goes over the bundled policies' own; `log` is where the log lies, if not in the agent's file."""

    def __init__(self, folder: Path, scenario: Path, policy_data: dict[str, Any], log: str | None = None) -> None:
        self.folder, self.database = folder, folder / "watchkeeper.db"
        self.start = datetime.now(UTC).replace(microsecond=0) - BEFORE_NOW
        self.conductor = Conductor(_beginning_at(load_scenario(scenario), self.start))
        self.pager = Pager()
        world = self.conductor.world
        ports = {name: getattr(world, name) for name in ("clock", "cluster", "metrics", "repairs")}
        self._socket = folder / "world"
        self._server = Server(self._socket, {**ports, "conductor": self.conductor, "pager": self.pager})
        self._settings = folder / "watchkeeper.yaml"
        people = [{"name": "alice", "groups": ["gpu-oncall"]}]
        self.log_place = log or self.database
        settings = {"database": str(self.database), "identities": people, "policy_data": policy_data}
        settings |= {"log": log} if log else {}
        self._settings.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def start_agent(self, *dies_at: str) -> Process:
        """`dies_at`: boundary and occurrence."""
        if self.conductor.waiting:
            self.conductor.catch_up()
        return Process(self.folder / "agent.log", str(self._socket), str(self._settings), *dies_at)

    def run_agent(self, *dies_at: str) -> int:
        """Its exit status."""
        return self.start_agent(*dies_at).wait(RUN_TIMEOUT_S)

    def said(self) -> str:
        return (self.folder / "agent.log").read_text(errors="replace")[-4000:]

    def ask(self, *words: str) -> Any:
        """What the command line answers, in a process of its own."""
        command = [WATCHKEEPER, *words, "--json", "--config", str(self._settings)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
        assert answer.returncode == 0, f"{' '.join(command)}\n{answer.stdout}{answer.stderr}"
        return json.loads(answer.stdout)

    @property
    def mutations(self) -> Counter[str]:
        """The world's own journal of what was changed through the ports."""
        return Counter(f"{effect.verb} {effect.ref}" for effect in list(self.conductor.world.effects))

    def told(self) -> Testimony:
        log = Log.open(self.log_place)
        try:
            return testimony(log.query(), self.start)
        finally:
            log.close()

    def fsck(self) -> int:
        if self.log_place == self.database:
            command = [sys.executable, "-m", "audit.fsck", str(self.database), "--deep"]
        else:
            command = [WATCHKEEPER, "audit", "fsck", "--config", str(self._settings)]
        return subprocess.run(command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False).returncode

    def close(self) -> None:
        self._server.close()


def _beginning_at(scenario: Scenario, start: datetime) -> Scenario:
    """The same incident at another time. Alerts carry times of their own and are left out: the kernel says enough."""
    timeline = tuple(entry for entry in scenario.spec.timeline if entry.key != "alert")
    spec = scenario.spec.model_copy(update={"start": start, "timeline": timeline})
    return scenario.model_copy(update={"spec": spec})
