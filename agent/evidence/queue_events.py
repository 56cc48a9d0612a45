"""What Kueue's own Events tell when they say it again and again: once is how queues work, several times is a loop."""

from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.signal import EventBody
from agent.domain.thresholds import Thresholds
from agent.evidence.lookup import find_gang
from agent.evidence.queues import is_queued, queue_of

_TIMED_OUT = frozenset({"EvictedDueToPodsReadyTimeout"})
_PREEMPTED = frozenset({"Preempted", "EvictedDueToPreempted"})


def told_by_queue(body: EventBody, view: ClusterView, thresholds: Thresholds) -> tuple[Symptom, ObjectRef] | None:
    """The symptom and its subject, whatever severity the event has: Kueue reports its evictions as normal."""
    gang = find_gang(view, body.involved) if body.reason in _TIMED_OUT | _PREEMPTED else None
    if gang is None or not is_queued(gang):
        return None
    if body.reason in _TIMED_OUT:
        return (Symptom.ADMISSION_LOOP, gang.ref) if body.count >= thresholds.admission_loop_times_min else None
    queue = queue_of(view, gang)
    often = body.count >= thresholds.cascade_times_min
    return (Symptom.PREEMPTION_CASCADE, queue) if queue is not None and often else None
