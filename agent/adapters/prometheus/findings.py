"""Standing conditions as signals: one when it begins, one when it ends, and nothing in between.

The id of a signal is made of what it says and since when, so that the same condition found twice is one signal.
"""

from datetime import datetime

from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.incident import Symptom
from agent.domain.signal import Body, FindingBody, Signal
from agent.evidence.condition import Condition

SOURCE = "watchkeeper/survey"


def signal_of(body: Body, subject: str, identity: object, now: datetime) -> Signal:
    name = digest_of(identity)[:32]
    return Signal(id=name, source=SOURCE, type=f"dev.watchkeeper.{body.type}", subject=subject, time=now, body=body)


class Standing:
    """Which conditions have been told of. In memory: after a restart they are found, and told, with the same ids."""

    def __init__(self) -> None:
        self._told: dict[tuple[Symptom, ObjectRef], Condition] = {}

    def told(self, symptom: Symptom, subject: ObjectRef) -> bool:
        return (symptom, subject) in self._told

    def subjects(self, symptom: Symptom) -> list[ObjectRef]:
        return sorted((ref for known, ref in self._told if known is symptom), key=str)

    def begin(self, condition: Condition, now: datetime) -> list[Signal]:
        """The signal that it is so; none where that was told already."""
        key = condition.symptom, condition.subject
        if key in self._told:
            return []
        self._told[key] = condition
        return [_signal(condition, "firing", now)]

    def end(self, symptom: Symptom, subject: ObjectRef, now: datetime) -> list[Signal]:
        condition = self._told.pop((symptom, subject), None)
        return [_signal(condition, "resolved", now)] if condition else []


def _signal(condition: Condition, status: str, now: datetime) -> Signal:
    body = FindingBody(
        symptom=condition.symptom.value,
        subject=condition.subject,
        status="firing" if status == "firing" else "resolved",
        detail=dict(condition.detail),
    )
    identity = [condition.symptom.value, str(condition.subject), condition.since, status]
    return signal_of(body, str(condition.subject), identity, now)


def minute(moment: datetime) -> str:
    """A beginning, as precisely as a look that comes by now and then can know it."""
    return rfc3339(moment.replace(second=0, microsecond=0))
