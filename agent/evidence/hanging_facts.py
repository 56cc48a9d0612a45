"""Facts about a gang that may hang, and the finder of such gangs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, Pod
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.evidence.condition import Condition, Sight
from agent.evidence.hanging import PROGRESS, SPINS_PERCENT, UTIL, Hang, Progress, judge_hang
from agent.evidence.labels import pod_of
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, in_order, pods_of, same_object
from agent.ports import Metrics

DAY_S = 24 * 3600
CANNOT_SAY = ("PodGroup",)  # evicted whole: there is nowhere to write that it should start from its checkpoint
_NOTHING = Hang(Progress(0, 0, 0, None))


def hang_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is no gang"),))
    pods = _running(scene.view, gang)
    whole = gang.state is GangState.RUNNING and not gang.pending
    found = judge_hang(scene.metrics, pods, scene.now, scene.thresholds) if scene.metrics and pods else _NOTHING
    lately = [p for p in scene.history if p.action == "requeue_gang" and same_object(p.target, gang.ref)]
    values: dict[str, Any] = {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "whole": whole,
        "gpus": sum(p.gpus for p in pods),
        "flat_s": found.progress.flat_s,
        "steady_s": found.progress.steady_s,
        "longest_pause_s": found.progress.longest_pause_s,
        "stopped": found.progress.stopped,
        "witnesses": list(found.witnesses),
        "against": list(found.against),
        "odd": [f"{name} on {_node(pods, name)}" for name in found.odd],
        "proven": whole and found.proven,
        "from_checkpoint": None if gang.ref.kind in CANNOT_SAY else True,
        "requeued_24h": sum((scene.now - p.at).total_seconds() <= DAY_S for p in lately if p.outcome == "succeeded"),
    }
    said = f"{gang.ref}: {', '.join(found.witnesses) or 'it makes steps, or tells of none'}"
    against = f"; but {'; '.join(found.against)}" if found.against else ""
    evidence = Evidence(kind="metric", statement=said + against, source="prometheus", observed_at=scene.now)
    return Findings({"hang": values}, (evidence,))


def _running(view: ClusterView, gang: Gang) -> tuple[Pod, ...]:
    return tuple(p for p in pods_of(view, gang.ref) if p.phase == "Running" and not p.terminating)


def _node(pods: Sequence[Pod], name: str) -> str:
    return next((p.node or "no node" for p in pods if p.ref.name == name), "no node")


def find_hanging(sight: Sight) -> list[Condition]:
    """Gangs whose counters are where they were long ago while a GPU of theirs spins; a close look at those."""
    still = _standing_still(sight)
    if not still:
        return []
    spinning = _now(sight.metrics, (UTIL,), sight, 0)
    found = []
    for gang in in_order(sight.view.gangs):
        if gang.state is not GangState.RUNNING or gang.pending:
            continue
        pods = _running(sight.view, gang)
        keys = {(p.ref.namespace or "", p.ref.name) for p in pods}
        if not keys & still or not any(max(spinning.get(key, [0.0])) >= SPINS_PERCENT for key in keys):
            continue
        hang = judge_hang(sight.metrics, pods, sight.now, sight.thresholds)
        if hang.proven and hang.progress.last_step is not None:
            found.append(Condition(Symptom.WORKLOAD_HANGS, gang.ref, rfc3339(hang.progress.last_step)))
    return found


def _standing_still(sight: Sight) -> set[tuple[str, str]]:
    now = _now(sight.metrics, PROGRESS, sight, 0)
    before = _now(sight.metrics, PROGRESS, sight, sight.thresholds.hang_after_s) if now else {}
    return {key for key, values in now.items() if before.get(key) == values}


def _now(metrics: Metrics, names: Sequence[str], sight: Sight, ago_s: int) -> Mapping[tuple[str, str], list[float]]:
    """What each pod's series of these names read at that moment."""
    read: dict[tuple[str, str], list[float]] = {}
    for name in names:
        for one in metrics.instant(name, sight.now - timedelta(seconds=ago_s)):
            if one.points:
                read.setdefault(pod_of(one.labels), []).append(one.points[-1][1])
    return {key: sorted(values) for key, values in read.items()}
