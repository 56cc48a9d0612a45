"""Plays one entry of the timeline: to the world, to the agent's doors, to the people, or against the process itself.

What goes to the agent goes through the same functions as over HTTP. What a door refuses is recorded, as it is there.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from agent.adapters.inbound.alertmanager import read_alerts
from agent.adapters.inbound.cloudevents import read_cloudevent
from agent.adapters.inbound.delivery import Delivery, Malformed
from agent.adapters.inbound.events import read_events
from agent.adapters.inbound.logs import read_log
from agent.domain.cluster import ObjectRef
from agent.ports import ClusterFault, JsonObject
from agent.scenarios.crash import Kills
from agent.scenarios.outages import OF_THE_WORLD, Outages
from agent.scenarios.people import People
from agent.scenarios.timeline import Moment, TimelineEntry


class Stage(Protocol):
    """The world as the timeline changes it."""

    def apply(self, manifest: JsonObject) -> None: ...

    def delete(self, ref: ObjectRef) -> None: ...

    def set_metrics(self, exposition_text: str, rate_per_second: float | None = None) -> None: ...

    def drop_metrics(self, series_matchers: Iterable[str]) -> None: ...

    def inject_fault(self, target: str, kind: str, until: datetime) -> None: ...


class Wings(Protocol):
    """The agent's process as the timeline reaches it."""

    def deliver(self, door: str, delivery: Delivery) -> None: ...

    def crash(self) -> None: ...


class Theatre:
    """`problems` are entries that could not be played: mistakes of the file that only the world can see."""

    def __init__(self, stage: Stage, wings: Wings, people: People, outages: Outages, kills: Kills) -> None:
        self._stage = stage
        self.wings = wings
        self._people = people
        self._outages = outages
        self._kills = kills
        self.problems: list[str] = []

    def play(self, moment: Moment, now: datetime) -> None:
        """`now` is simulated time. Entries of before the start reach the agent at its start."""
        try:
            _PLAYS[moment.entry.key](self, moment.entry, now)
        except (ValueError, ClusterFault) as refused:
            self.problems.append(f"{moment.place}: {refused}")

    # --- to the world -------------------------------------------------------------------------------------------------

    def _metrics(self, entry: TimelineEntry, now: datetime) -> None:
        self._stage.set_metrics(entry.metrics or "", entry.rate_per_second)

    def _drop(self, entry: TimelineEntry, now: datetime) -> None:
        self._stage.drop_metrics(entry.drop or ())

    def _apply(self, entry: TimelineEntry, now: datetime) -> None:
        if entry.apply is not None:
            self._stage.apply(entry.apply.body())

    def _delete(self, entry: TimelineEntry, now: datetime) -> None:
        if entry.delete is not None:
            self._stage.delete(entry.delete)

    # --- to the agent's doors -----------------------------------------------------------------------------------------

    def _alert(self, entry: TimelineEntry, now: datetime) -> None:
        self._deliver("alertmanager", lambda: read_alerts(entry.alert, now))

    def _cloudevent(self, entry: TimelineEntry, now: datetime) -> None:
        self._deliver("cloudevents", lambda: Delivery(tuple(read_cloudevent(entry.cloudevent, now))))

    def _event(self, entry: TimelineEntry, now: datetime) -> None:
        self._deliver("events", lambda: read_events(entry.event, now))

    def _log(self, entry: TimelineEntry, now: datetime) -> None:
        document = entry.log.model_dump(exclude_none=True) if entry.log else {}
        self._deliver("logs", lambda: Delivery((read_log(document, now),)))

    def _deliver(self, door: str, read: Callable[[], Delivery]) -> None:
        try:
            delivery = read()
        except Malformed as error:
            delivery = Delivery(refused=(error,))
        self.wings.deliver(door, delivery)

    # --- to the people, and against the process -----------------------------------------------------------------------

    def _approve(self, entry: TimelineEntry, now: datetime) -> None:
        if entry.approve is not None:
            self._people.wants_to("approve", entry.approve, now)

    def _reject(self, entry: TimelineEntry, now: datetime) -> None:
        if entry.reject is not None:
            self._people.wants_to("reject", entry.reject, now)

    def _fault(self, entry: TimelineEntry, now: datetime) -> None:
        fault = entry.fault
        if fault is None:
            return
        begin = self._stage.inject_fault if fault.target in OF_THE_WORLD else self._outages.begin
        begin(fault.target, fault.kind, now + fault.for_)

    def _crash(self, entry: TimelineEntry, now: datetime) -> None:
        crash = entry.crash
        if crash is not None and crash.after is not None:
            self._kills.arm(crash.after)
        else:
            self.wings.crash()


_PLAYS: dict[str, Callable[[Theatre, TimelineEntry, datetime], None]] = {
    "metrics": Theatre._metrics,
    "drop": Theatre._drop,
    "event": Theatre._event,
    "alert": Theatre._alert,
    "cloudevent": Theatre._cloudevent,
    "log": Theatre._log,
    "apply": Theatre._apply,
    "delete": Theatre._delete,
    "approve": Theatre._approve,
    "reject": Theatre._reject,
    "fault": Theatre._fault,
    "crash": Theatre._crash,
}
