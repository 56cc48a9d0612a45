"""Facts about an owner of idle GPUs, and about one that wants back what was taken from it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import WorkloadClass
from agent.domain.diagnosis import Evidence
from agent.evidence.frozen import in_doubt
from agent.evidence.hanging import PROGRESS
from agent.evidence.holders import Holder, find_holder, last_used, required_idle_s, taken_back
from agent.evidence.host_work import PROCESSORS, TRAFFIC, at_work
from agent.evidence.idle import IdleFinding
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import raw_object
from agent.evidence.pod_series import read_pods, so_for_s
from agent.evidence.reading import read_idle
from agent.evidence.restore import WAITING_METRIC, Reclaimed, reclaimed, wanted_by
from agent.ports import Metrics

STEPS_WINDOW_S = 6 * 3600  # a training that has stood still for longer than this has stood still for long enough


def idle_facts(scene: Scene) -> Findings:
    holder = find_holder(scene.view, scene.incident.subject)
    if holder is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} holds no GPU"),))
    wrong = taken_back(list(scene.history), holder.ref, scene.now)
    needed_s = required_idle_s(holder.workload_class, scene.idle_minimum_s, wrong)
    finding = _read(scene.metrics, holder, scene.now, needed_s) if scene.metrics else None
    idle_s = _idle_s(scene, holder, finding)
    beside = _beside(scene, holder)
    values = {
        "holder": _holder(holder, wrong, needed_s),
        "idle": {**_idle(holder, finding, idle_s), **beside} if finding else None,
    }
    return Findings(values, (_evidence(holder, finding, idle_s),) if finding and finding.observed_at else ())


def _read(metrics: Metrics, holder: Holder, now: datetime, needed_s: int) -> IdleFinding:
    """Where an exporter repeats itself, what it says of now is not of now."""
    finding = read_idle(metrics, holder.pods, now, needed_s)
    return replace(finding, contradictions=(*finding.contradictions, *in_doubt(metrics, holder.pods, now)))


def _idle_s(scene: Scene, holder: Holder, finding: IdleFinding | None) -> int:
    """By the metrics, but never longer than since the notebook last saw its user."""
    used = last_used(scene.view, holder.ref)
    idle_s = finding.idle_s if finding else 0
    return idle_s if used is None else max(0, min(idle_s, int((scene.now - used).total_seconds())))


def _beside(scene: Scene, holder: Holder) -> dict[str, Any]:
    """What its pods do beside their GPUs, and for how long its step counters have stood still; null: it has none."""
    if scene.metrics is None:
        return {"at_work": [], "steps_stopped_s": None}
    counters = {} if holder.workload_class is WorkloadClass.SERVING else {**TRAFFIC, **PROCESSORS}
    start = scene.now - timedelta(seconds=STEPS_WINDOW_S)
    read = [read_pods(scene.metrics, name, holder.pods, start, scene.now) for name in PROGRESS]
    steps = [one for by_pod in read for series in by_pod.values() for one in series]
    stopped = [so_for_s(one.points, scene.now, lambda v, one=one: v == one.points[-1][1] > 0) for one in steps]  # type: ignore[misc]
    return {
        "at_work": list(at_work(scene.metrics, holder.pods, scene.now, counters)),
        "steps_stopped_s": min(stopped) if stopped else None,
    }


def _holder(holder: Holder, wrong: int, needed_s: int) -> dict[str, Any]:
    return {
        "ref": holder.ref.json_object(),
        "name": str(holder.ref),
        "class": holder.workload_class.value,
        "gpus": holder.gpus,
        "pods": len(holder.pods),
        "method": holder.method,
        "gang": holder.in_a_gang,
        "opted_out": holder.opted_out,
        "taken_back_7d": wrong,
        "needed_idle_s": needed_s,
    }


def _idle(holder: Holder, finding: IdleFinding, idle_s: int) -> dict[str, Any]:
    """In the form that policies read."""
    return {
        "witnesses": list(finding.witnesses),
        "contradictions": list(finding.contradictions),
        "idle_s": idle_s,
        "coverage": round(finding.coverage, 3),
        "workload_class": holder.workload_class.value,
        "gpus": holder.gpus,
        "observed_at": rfc3339(finding.observed_at) if finding.observed_at else None,
    }


def _evidence(holder: Holder, finding: IdleFinding, idle_s: int) -> Evidence:
    assert finding.observed_at is not None  # noqa: S101 - the caller asked
    said = f"idle for {idle_s // 60} min by {', '.join(finding.witnesses) or 'no witness'}"
    against = f"; but {'; '.join(finding.contradictions)}" if finding.contradictions else ""
    return Evidence(
        kind="metric",
        statement=f"{holder.gpus} GPUs of {holder.ref} {said}{against}",
        source="prometheus",
        observed_at=finding.observed_at,
        data={"idle_s": idle_s, "witnesses": list(finding.witnesses)},
    )


def restore_facts(scene: Scene) -> Findings:
    """The owner's own word counts even when no metric can be read."""
    manifest = raw_object(scene.view, scene.incident.subject)
    taken = reclaimed(scene.incident.subject, manifest)
    if taken is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} has nothing that was taken from it"),))
    by = wanted_by(taken, manifest, scene.metrics.instant(WAITING_METRIC, scene.now) if scene.metrics else [])
    said = f"{taken.ref} was stopped by {taken.proposal}; wanted back by {by or 'nobody'}"
    return Findings({"restore": _restore(taken, by)}, (seen_object(scene, said),))


def _restore(taken: Reclaimed, by: str) -> dict[str, Any]:
    return {
        "ref": taken.ref.json_object(),
        "name": str(taken.ref),
        "method": taken.method,
        "reclaimed_by": taken.proposal,
        "stopped": taken.stopped,
        "wanted_by": by,
    }
