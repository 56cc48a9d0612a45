"""Gangs that are let in and sent back again and again, because their pods never become ready.

Whose fault that is decides what helps: a pod that names an image that is not there, or asks for what no node has,
never starts however often it is let in; where many loop at once, or nodes are out of service, it is the cluster's
trouble, and nobody's gang is taken out for it. An eviction in favour of somebody else is no loop at all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Condition, Gang, GangState
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.domain.signal import EventBody
from agent.domain.thresholds import Thresholds
from agent.evidence.condition import Condition as Found, Sight
from agent.evidence.holders import OPT_OUT
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, in_order, pods_of
from agent.evidence.queues import TIMED_OUT, evictions, holds, is_queued, said

OTHERS_MAX = 1  # one more that loops may be the same owner's; two are the cluster's trouble
_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_OWN = _IMAGE | {"CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff", "RunContainerError"}
_NEVER = ("PodTooLarge", "NoMatchingNode")  # the forecast's words for pods that no node of this cluster takes
_CLUSTER = ("NodesUnavailable", "NodesExcluded", "Fragmented", "InsufficientCapacity")


def find_loops(sight: Sight) -> list[Found]:
    often = sight.thresholds.admission_loop_times_min
    return [
        Found(Symptom.ADMISSION_LOOP, gang.ref, f"{sent_back(sight.view, gang) // often}")
        for gang in in_order(sight.view.gangs)
        if sent_back(sight.view, gang) >= often and turns(sight.view, gang, sight.now, sight.thresholds)
    ]


def sent_back(view: ClusterView, gang: Gang) -> int:
    return evictions(view, gang).timed_out if is_queued(gang) else 0


def turns(view: ClusterView, gang: Gang, now: datetime, thresholds: Thresholds) -> bool:
    """Does the loop still go on? It does not run, nobody has switched it off, and the last turn was not long ago."""
    conditions = said(view, gang.ref)
    if gang.state in (GangState.RUNNING, GangState.FINISHED, GangState.SUSPENDED) or holds(conditions, "PodsReady"):
        return False
    evicted = conditions.get("Evicted")
    if evicted is None or (evicted.status == "True" and evicted.reason != TIMED_OUT):
        return False
    last = evicted.since
    return last is None or last >= now - timedelta(seconds=thresholds.admission_loop_recent_s)


def loop_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    times = max(sent_back(scene.view, gang), _told_by_events(scene))
    often = scene.thresholds.admission_loop_times_min
    if times < often or not _looping(scene, gang):
        return Findings({}, (seen_object(scene, f"{gang.ref} is {gang.state}, and was sent back {times} times"),))
    why = _why(scene, gang)
    others = [
        str(each.ref)
        for each in in_order(scene.view.gangs)
        if each.ref != gang.ref
        and sent_back(scene.view, each) >= often
        and turns(scene.view, each, scene.now, scene.thresholds)
    ]
    of_the_cluster = why["whose"] == "cluster" or len(others) > OTHERS_MAX
    sure = scene.thresholds.admission_loop_sure_min
    loop = {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "times": times,
        "why": why["why"],
        "others": others,
        "deactivate": not of_the_cluster and (why["whose"] == "owner" or times >= sure),
        "sure": why["whose"] == "owner",
        "opted_out": gang.annotations.get(OPT_OUT, "false").lower() != "false",
    }
    return Findings({"loop": loop}, _evidence(scene, gang, loop))


def _looping(scene: Scene, gang: Gang) -> bool:
    if turns(scene.view, gang, scene.now, scene.thresholds):
        return True
    conditions = said(scene.view, gang.ref)
    silent = "Evicted" not in conditions and not holds(conditions, "PodsReady")
    often = _told_by_events(scene) >= scene.thresholds.admission_loop_times_min
    return silent and often and gang.state in (GangState.QUEUED, GangState.STUCK)


def _told_by_events(scene: Scene) -> int:
    bodies = [signal.body for signal in scene.incident.signals]
    return max((body.count for body in bodies if isinstance(body, EventBody)), default=0)


def _why(scene: Scene, gang: Gang) -> Mapping[str, str]:
    """The cause as the pods or the forecast tell it, and whose it is to mend: owner, cluster or nobody knows."""
    reasons = sorted({pod.waiting_reason for pod in pods_of(scene.view, gang.ref)} & _OWN)
    if reasons:
        shared = bool(set(reasons) & _IMAGE) and _others_pull_in_vain(scene.view, gang)
        told = f"its pods wait with {', '.join(reasons)}"
        return {"whose": "cluster" if shared else "owner", "why": f"{told}, as others' do" if shared else told}
    largest = max((node.gpus for node in scene.view.nodes.values()), default=0)
    if 0 < largest < gang.gpus_per_pod:
        return {"whose": "owner", "why": f"a pod asks for {gang.gpus_per_pod} GPUs and no node has more than {largest}"}
    told = _forecast(scene, gang)
    if told.startswith(_NEVER):
        return {"whose": "owner", "why": told}
    if told.startswith(_CLUSTER):
        return {"whose": "cluster", "why": told}
    no_room = _no_room(scene, gang)
    if no_room:
        return {"whose": "cluster", "why": no_room}
    return {"whose": "unknown", "why": "its pods were not ready in time, and nothing tells why"}


def _forecast(scene: Scene, gang: Gang) -> str:
    try:
        return scene.forecaster.what_if(scene.view, []).gangs_pending.get(str(gang.ref), "")
    except ValueError:
        return ""


def _no_room(scene: Scene, gang: Gang) -> str:
    """Kueue lets gangs in by quota; whether nodes are free for them is another matter, and not theirs."""
    try:
        seats = scene.forecaster.seats(scene.view, gang.ref, [])
    except ValueError:
        seats = ()
    if not seats and not _has_nodes(scene, gang):
        return "its queue lets it in, and no nodes have room for it at this time"
    return "its pods were not ready in time, and others have made room only since" if _others_left(scene, gang) else ""


def _has_nodes(scene: Scene, gang: Gang) -> bool:
    """Its pods have their places, and whatever keeps them from being ready is not room."""
    pods = [pod for pod in pods_of(scene.view, gang.ref) if not pod.terminating]
    return len(pods) >= gang.minimum and all(pod.node is not None for pod in pods)


def _others_left(scene: Scene, gang: Gang) -> bool:
    """Room that is there now says nothing of the turns before, where somebody has ended or been sent back meanwhile."""
    since = scene.now - timedelta(seconds=scene.thresholds.admission_loop_recent_s)
    for other in scene.view.gangs.values():
        conditions = said(scene.view, other.ref)
        ends = [conditions[kind].since for kind in ("Finished", "Evicted") if holds(conditions, kind)]
        if other.ref != gang.ref and any(at is not None and at >= since for at in ends):
            return True
    return False


def _others_pull_in_vain(view: ClusterView, gang: Gang) -> bool:
    """A registry that is away is felt by more than one owner."""
    return any(pod.waiting_reason in _IMAGE and pod.gang != gang.ref for pod in view.pods.values())


def _evidence(scene: Scene, gang: Gang, loop: Mapping[str, Any]) -> tuple[Evidence, ...]:
    evicted: Condition | None = said(scene.view, gang.ref).get("Evicted")
    last = f", last at {rfc3339(evicted.since)}" if evicted is not None and evicted.since else ""
    return (seen_object(scene, f"{gang.ref} was sent back {loop['times']} times{last}: {loop['why']}"),)
