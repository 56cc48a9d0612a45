"""A container that fails again and again, as a kubelet tells of it: restarts, back-off, and what it died of. Pure.

Every function that changes something returns the merge patch for it.
"""

from datetime import datetime, timedelta

from agent.adapters.simulated import pods
from agent.domain.base import rfc3339
from agent.ports import JsonObject

LIVES = timedelta(seconds=5)  # from its start to its end
BACK_OFF = timedelta(seconds=10)  # before the first restart, doubled each time; the kubelet's own numbers
LONGEST_BACK_OFF = timedelta(minutes=5)
EXIT_CODES = {"Error": 1, "OOMKilled": 137}


def restarts(pod: JsonObject) -> int:
    return max((int(each.get("restartCount") or 0) for each in _containers(pod)), default=0)


def back_off(pod: JsonObject) -> timedelta:
    """Before the next restart of a pod that has just crashed."""
    doublings = max(0, min(restarts(pod) - 1, 10))  # beyond that it is the longest anyway
    return min(LONGEST_BACK_OFF, BACK_OFF * (1 << doublings))


def starts_again(pod: JsonObject) -> bool:
    return str((pod.get("spec") or {}).get("restartPolicy", "Always")) != "Never"


def crashed(pod: JsonObject, reason: str, now: datetime) -> JsonObject:
    """The first container fails: it waits for its next start, or the pod has failed with it."""
    over = {"exitCode": EXIT_CODES[reason], "reason": reason, "finishedAt": rfc3339(now)}
    containers = _containers(pod)
    first = {**containers[0], "ready": False, "started": False}
    if not starts_again(pod):
        failed = [{**first, "state": {"terminated": over}}, *containers[1:]]
        return {"status": {"phase": "Failed", "containerStatuses": failed, "conditions": _unready(pod, now)}}
    waiting = {"reason": "CrashLoopBackOff", "message": f"back-off restarting failed container {first['name']}"}
    count = int(first.get("restartCount") or 0) + 1
    loops = {**first, "restartCount": count, "state": {"waiting": waiting}, "lastState": {"terminated": over}}
    return {"status": {"containerStatuses": [loops, *containers[1:]], "conditions": _unready(pod, now)}}


def runs_again(pod: JsonObject, now: datetime, *, ready: bool) -> JsonObject:
    """The restart count stays, so whoever looks back sees what it was."""
    containers = _containers(pod)
    first = {**containers[0], "ready": ready, "state": {"running": {"startedAt": rfc3339(now)}}}
    changed = [pods.said("ContainersReady", True), pods.said("Ready", True)] if ready else []
    conditions = pods.with_conditions(pod, now, *changed)
    return {"status": {"containerStatuses": [first, *containers[1:]], "conditions": conditions}}


def _unready(pod: JsonObject, now: datetime) -> list[JsonObject]:
    said = [pods.said(kind, False, "ContainersNotReady") for kind in ("ContainersReady", "Ready")]
    return pods.with_conditions(pod, now, *said)


def _containers(pod: JsonObject) -> list[JsonObject]:
    """Their statuses; a scenario may have left them out."""
    told = [dict(each) for each in (pod.get("status") or {}).get("containerStatuses") or ()]
    named = [{"name": each.get("name", "main")} for each in (pod.get("spec") or {}).get("containers") or ()]
    return told or named or [{"name": "main"}]
