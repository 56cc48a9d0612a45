"""When the gangs that run must end, where somebody wrote it into them. Who says nothing may run for ever.

A Job's `activeDeadlineSeconds` counts from its start; Kueue's `maximumExecutionTimeSeconds` from the admission, less
what it ran before it was sent back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef

PAST = ("accumulatedPastExecutionTimeSeconds", "accumulatedPastExexcutionTimeSeconds")  # Kueue's own slip of the pen


def ends_of(view: ClusterView) -> dict[str, float]:
    """Unix time by gang."""
    found = {}
    for ref, gang in sorted(view.gangs.items(), key=lambda pair: str(pair[0])):
        known = [end for end in (_by_queue(view, ref), _by_job(view, gang)) if end is not None]
        if known and gang.state in (GangState.RUNNING, GangState.STUCK):
            found[str(ref)] = min(known)
    return found


def walltime_of(view: ClusterView, gang: Gang) -> int | None:
    """How long after its start it must have ended: the sooner of what its queue and its job allow."""
    allowed = [_whole(_part(view, gang.ref, "spec").get("maximumExecutionTimeSeconds"))]
    job = gang.job or gang.ref
    if job.kind == "Job":
        allowed.append(_whole(_part(view, job, "spec").get("activeDeadlineSeconds")))
    return min((each for each in allowed if each is not None), default=None)


def _by_queue(view: ClusterView, ref: ObjectRef) -> float | None:
    spec, status = _part(view, ref, "spec"), _part(view, ref, "status")
    admitted = [c for c in status.get("conditions") or () if c.get("type") == "Admitted" and c.get("status") == "True"]
    start = _time(admitted[0].get("lastTransitionTime")) if admitted else None
    most_s = _whole(spec.get("maximumExecutionTimeSeconds"))
    if start is None or most_s is None:
        return None
    return start + most_s - next((s for s in (_whole(status.get(key)) for key in PAST) if s is not None), 0)


def _by_job(view: ClusterView, gang: Gang) -> float | None:
    job = gang.job or gang.ref
    if job.kind != "Job":
        return None
    start, most_s = (
        _time(_part(view, job, "status").get("startTime")),
        _whole(_part(view, job, "spec").get("activeDeadlineSeconds")),
    )
    return None if start is None or most_s is None else start + most_s


def _part(view: ClusterView, ref: ObjectRef, name: str) -> Mapping[str, Any]:
    part = view.objects.get(ref, {}).get(name)
    return part if isinstance(part, Mapping) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _time(value: object) -> float | None:
    try:
        moment: datetime = parse_rfc3339(str(value))
    except ValueError:
        return None
    return moment.timestamp()
