"""Facts about a service that may be saturated, and the finder of such services.

How much more it may have is decided here too: one step, into room that is free and that nobody else would start in.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.proposal import Prediction
from agent.evidence.condition import Condition, Sight
from agent.evidence.labels import pod_of
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import active_pods, find_workload, pods_of, same_object
from agent.evidence.namespace_quota import replicas_left
from agent.evidence.serving import WAITING, Load, Scaler, judge_load, opted_out, scaler_of, services, unwell
from agent.ports import Forecaster, Metrics, Series

STEP_SHARE = 4  # a quarter more at a time: what that changes is seen before the next step
SETTLES_S = 2400  # after a step: a replica loads its weights, and the policies' cooldown of half an hour is over
DAY_S = 24 * 3600


def service_facts(scene: Scene) -> Findings:
    workload = find_workload(scene.view, scene.incident.subject)
    if workload is None or workload.replicas is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is no service that can be scaled"),))
    ref, replicas = workload.ref, workload.replicas
    pods = tuple(p for p in active_pods(pods_of(scene.view, ref)) if not p.terminating)
    scaler = scaler_of(scene.view, ref)
    after_s = scene.thresholds.service_saturated_after_s
    load = judge_load(scene.metrics, pods, scaler, scene.now, after_s) if scene.metrics and pods else Load()
    failing = unwell(scene.view, ref, replicas)
    step, room = _step(scene.forecaster, scene.view, ref, replicas, pods) if load.proven and not failing else (0, "")
    scaled = scaled_up(scene.history, ref)
    gpus = max((p.gpus for p in pods), default=0)
    values = {
        "ref": ref.json_object(),
        "name": str(ref),
        "replicas": replicas,
        "ready": sum(p.ready for p in pods),
        "gpus_per_replica": gpus,
        "failing": list(failing),
        "gang": any(p.gang for p in pods),
        "opted_out": opted_out(scene.view, ref),
        "scaler": _scaler(scaler),
        "witnesses": list(load.witnesses),
        "against": list(load.against),
        "saturated_s": load.saturated_s,
        "saturated": load.proven and not (scaler and not scaler.maxed_out),
        "step": step,
        "step_gpus": step * gpus,
        "to_replicas": replicas + step if step and scaler is None else None,
        "to_max_replicas": max(scaler.most, replicas) + step if step and scaler is not None else None,
        "no_room": room,
        "scaled_ago_s": _ago(scene, scaled),
        "scaled_24h": sum((scene.now - p.at).total_seconds() <= DAY_S for p in scaled),
    }
    return Findings({"service": values}, _evidence(scene, ref, load, failing))


def scaled_up(history: Sequence[PastAction], ref: ObjectRef) -> list[PastAction]:
    return [
        p
        for p in history
        if p.action == "scale_workload" and p.outcome == "succeeded" and not p.undo and same_object(p.target, ref)
    ]


def _step(
    forecaster: Forecaster, view: ClusterView, ref: ObjectRef, replicas: int, pods: Sequence[Pod]
) -> tuple[int, str]:
    """How many replicas more, and why none: the most of a quarter that fits without taking anybody's place."""
    gpus = max((p.gpus for p in pods), default=0)
    left, quota = replicas_left(view, ref.namespace, gpus)
    if left == 0:
        return 0, quota
    most = max(1, replicas // STEP_SHARE)
    try:
        before = forecaster.what_if(view, [])
        for step in range(most if left is None else min(most, left), 0, -1):
            after = forecaster.what_if(view, [{"scale": ref, "replicas": replicas + step}])
            if _fits(before, after, step * gpus):
                return step, ""
    except ValueError as unknown:
        return 0, str(unknown)
    return 0, f"{before.gpus_free_after} GPUs are free in all, and no node has {gpus} that nobody else waits for"


def _fits(before: Prediction, after: Prediction, gpus: int) -> bool:
    """All of it starts, and everybody who would start without it starts all the same."""
    used = before.gpus_free_after - after.gpus_free_after
    hurts = {*after.stops, *after.delays} | (set(before.gangs_started) - set(after.gangs_started))
    return used == gpus > 0 and not hurts


def _scaler(scaler: Scaler | None) -> dict[str, Any] | None:
    if scaler is None:
        return None
    return {"name": str(scaler.ref), "min": scaler.least, "max": scaler.most, "maxed_out": scaler.maxed_out}


def _ago(scene: Scene, scaled: Sequence[PastAction]) -> int | None:
    return int((scene.now - max(p.at for p in scaled)).total_seconds()) if scaled else None


def _evidence(scene: Scene, ref: ObjectRef, load: Load, failing: Sequence[str]) -> tuple[Evidence, ...]:
    said = f"{ref}: {', '.join(load.witnesses) or 'nothing shows that it is saturated'}"
    against = f"; but {'; '.join(load.against)}" if load.against else ""
    seen = [Evidence(kind="metric", statement=said + against, source="prometheus", observed_at=scene.now)]
    if scene.metrics is None:
        seen = [seen_object(scene, f"the load of {ref} cannot be read")]
    if failing:
        seen.append(seen_object(scene, f"{ref}: {'; '.join(failing)}"))
    return tuple(seen)


def find_saturated(sight: Sight) -> list[Condition]:
    """Services whose requests wait; a close look only at those. One that was just scaled is given time."""
    queued = _waiting_now(sight.metrics.instant(WAITING, sight.now))
    found = []
    for ref, replicas, pods in services(sight.view):
        if sum(queued.get((p.ref.namespace or "", p.ref.name), 0.0) for p in pods) < len(pods):
            continue
        if _saturated(sight.view, sight.metrics, ref, replicas, pods, sight):
            found.append(Condition(Symptom.SERVICE_SATURATED, ref, f"at {replicas} replicas on {sight.now:%Y-%m-%d}"))
    return found


def _saturated(
    view: ClusterView, metrics: Metrics, ref: ObjectRef, replicas: int, pods: Sequence[Pod], sight: Sight
) -> bool:
    since = sight.now - timedelta(seconds=SETTLES_S)
    if unwell(view, ref, replicas) or any(p.at > since for p in scaled_up(sight.history, ref)):
        return False
    scaler = scaler_of(view, ref)
    if scaler is not None and not scaler.maxed_out:
        return False  # its autoscaler is at work
    return judge_load(metrics, pods, scaler, sight.now, sight.thresholds.service_saturated_after_s).proven


def _waiting_now(series: Sequence[Series]) -> Mapping[tuple[str, str], float]:
    return {pod_of(one.labels): one.points[-1][1] for one in series if one.points}
