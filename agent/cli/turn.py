"""One time in charge: the agent with its doors, from the assembly to the moment it stops or another leads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent.cli.admission import Admission
from agent.cli.grounds import Ground, ground_of
from agent.cli.kueue import KueueWatch
from agent.cli.output import fail
from agent.cli.post import Post

if TYPE_CHECKING:
    from agent.adapters.anchoring import Anchoring
    from agent.adapters.inbound.front import ASGIApp
    from agent.assembly import Agent
    from agent.cli.slack import SlackParts
    from agent.config import Settings
    from agent.web import PeopleDoor

IDLE_AT_MOST_S = 1.0  # answers from other processes are found by looking; people notice a second, disks do not

log = logging.getLogger("watchkeeper.run")


@dataclass
class Turn:
    """`begun` once everything is there: until then it is not ready."""

    post: Post
    ground: Ground
    agent: Agent
    anchoring: Anchoring | None
    slack: SlackParts | None
    people: PeopleDoor | None
    admission: Admission
    kueue: KueueWatch | None  # of a live cluster
    begun: bool = False
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)  # of the watches, as far as it was told

    def app(self) -> ASGIApp:
        from agent.adapters.inbound.server import Doors

        doors = Doors(
            inbox=self.agent.ports.inbox,
            clock=self.agent.ports.clock,
            wake=self.post.bell.set,
            on_refused=self.agent.refused,
            not_ready=self.not_ready,
            details=self.details,
            dead=self.post.health.dead,
            metrics=self.post.telemetry.instruments.text,
            token=self.post.token,
            in_charge=self.post.in_charge,
            more_routes=[*(self.slack.routes if self.slack else ()), *(self.people.routes() if self.people else ())],
        )
        return doors.app()

    def not_ready(self) -> str | None:
        from agent.ports import Fault

        if not self.begun:
            return "the agent is starting"
        if self.post.settings.world == "live" and not self.post.health.has_seen("apiserver"):
            return "the agent has not seen the cluster yet"
        try:
            self.agent.ports.inbox.take(1)
        except Fault as fault:
            return f"the {fault.place} does not answer: {fault}"
        return self.agent.policies.not_ready()

    def details(self) -> Mapping[str, object]:
        from agent.trust import standing_details

        return {
            **self.post.details(),
            **self.agent.policies.details(),
            **standing_details(self.agent.ports),
            **({"anchors": self.anchoring.standing()} if self.anchoring else {}),
            **({"slack": self.slack.publisher.away or "told"} if self.slack else {}),
            **({"kueue": self.kueue.details(self.agent)} if self.kueue else {}),
            "admission_check": self.admission.details(),
        }

    def start(self) -> None:
        if self.anchoring:
            self.anchoring.start()
        if self.slack:
            self.slack.start()
        self.begun = True

    def watch(self) -> None:
        """Until it stops or another leads. A leader that cannot renew its lease waits, and its doors still store."""
        next_look = datetime.now(UTC)
        while self.post.in_charge():
            self.post.health.turned()
            now = datetime.now(UTC)
            if self.post.may_act():
                self.ground.reach(now)
                looked = now >= next_look
                if looked:
                    if self.kueue:
                        self.kueue.look(self.agent)
                    self.agent.look()
                    next_look = now + timedelta(seconds=self.post.settings.look_every_s)
                elif self.ground.has_news():
                    self.agent.look_at_objects()
                self.agent.run_until_idle(lambda: not self.post.may_act())
                if looked:
                    self.agent.note_what_is_known(self.post.may_act)
                if looked or self.ground.asks_for_admission():
                    self.admission.step()
            self._count()
            self._rest(next_look)

    def close(self) -> None:
        if self.people:
            self.people.close()
        if self.slack:
            self.slack.stop()
        if self.anchoring:
            self.anchoring.stop()
        self.admission.close()
        self.agent.close()
        self.ground.close()

    def _rest(self, next_look: datetime) -> None:
        due = [next_look, self.agent.watch.next_wake(), self.ground.next_event_at()]
        soonest = min(moment for moment in due if moment is not None)
        left_s = max((soonest - datetime.now(UTC)).total_seconds(), 0.0) if self.post.may_act() else IDLE_AT_MOST_S
        self.post.bell.wait(min(left_s, IDLE_AT_MOST_S))
        self.post.bell.clear()

    def _count(self) -> None:
        from agent.ports import Fault

        instruments = self.post.telemetry.instruments
        instruments.leader.set(self.post.gate.held())
        for kind, lag_s in self.ground.lags_s().items():
            instruments.lag.labels(kind).set(lag_s)
        for kind, (lists, breaks) in self.ground.watch_counts().items():
            before = self.counted.get(kind, (0, 0))
            instruments.lists.labels(kind).inc(lists - before[0])
            instruments.breaks.labels(kind).inc(breaks - before[1])
            self.counted[kind] = lists, breaks
        try:
            waiting = self.agent.waiting()
        except Fault as fault:
            instruments.faults.labels(fault.place).inc()
            return
        instruments.inbox.set(waiting["inbox"])
        instruments.open.set(waiting["open"])
        instruments.pending.set(waiting["pending"])
        instruments.asked_since.set(waiting["oldest_s"])


def begin(post: Post) -> Turn:
    """Opens everything. What cannot be opened ends the command with a sentence."""
    from agent.adapters.notify import LogNotifier
    from agent.adapters.playbooks.expressions import PlaybookError
    from agent.assembly import assemble
    from agent.cli.slack import slack_parts
    from agent.cli.web import people_door
    from agent.ports import Fault
    from agent.scenarios.format import ScenarioInvalid
    from audit.errors import LogError

    settings = post.settings
    try:
        ground = ground_of(settings, _told, post.bell.set, post.instance)
        ground.guard(post.gate.check)
        kueue = KueueWatch(ground.kueue, post.telemetry.instruments) if ground.kueue else None

        def interpose(name: str, port: Any) -> Any:
            return kueue.unheeded if name == "unheeded" and kueue else post.interpose(name, port)

        agent = assemble(settings, ground.world, notifier=LogNotifier(), interpose=interpose)
    except (PlaybookError, Fault, ScenarioInvalid, LogError, OSError) as error:
        fail(f"It cannot start: {error}")
    slack, people = slack_parts(settings, agent, post.bell.set), people_door(settings, agent, post.bell.set)
    instruments, wanted = post.telemetry.instruments, settings.admission_check
    admission = Admission(agent, ground.applier(), post.gate, instruments, wanted=wanted)
    return Turn(post, ground, agent, _anchoring(settings, agent), slack, people, admission, kueue)


def _told(door: str, place: str, reason: str) -> None:
    log.warning("%s: %s: %s", door, place, reason)


def _anchoring(settings: Settings, agent: Agent) -> Anchoring | None:
    """Checks the places and the keys now: a mistake in the settings stops the start, a place that is away does not."""
    if not settings.anchors:
        return None
    from agent.adapters.anchoring import Anchoring, Keys, person_called
    from agent.cli.audit_anchoring import checked_places, signing_keys
    from agent.cli.house import WallClock

    signer, earlier, witnesses = signing_keys(settings)
    alarm = person_called(agent.ports.notifier, agent.ports.ledger)
    places = checked_places(settings.anchors)
    return Anchoring(agent.log, Keys(signer, earlier, witnesses), places, settings.anchor_every_s, WallClock(), alarm)
