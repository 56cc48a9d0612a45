"""Facts about a service that may have far too many replicas, and the finder of such services."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.domain.cluster import ObjectRef, Pod
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.evidence.condition import Condition, Sight
from agent.evidence.labels import pod_of
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_workload
from agent.evidence.pod_series import key_of
from agent.evidence.serving import opted_out, scaler_of, services, unwell
from agent.evidence.serving_spare import COUNTERS, FAR_TOO_MANY, Spare, clearly_needed, judge_spare

QUIET_SHARE = 1 / FAR_TOO_MANY  # busier than this now on the mean: not worth the look at a day


def spare_facts(scene: Scene) -> Findings:
    subject = scene.incident.subject
    known = next(((r, n, p) for r, n, p in services(scene.view) if r == subject), None)
    if known is None or find_workload(scene.view, subject) is None:
        return Findings({}, (seen_object(scene, f"{subject} is no service on GPUs"),))
    ref, replicas, pods = known
    limits = scene.thresholds
    spare = judge_spare(scene.metrics, pods, scene.now, limits) if scene.metrics else Spare(None, "no telemetry")
    scaler = scaler_of(scene.view, ref)
    sick = unwell(scene.view, ref, replicas)
    values: dict[str, Any] = {
        "ref": ref.json_object(),
        "name": str(ref),
        "replicas": replicas,
        "gpus_per_replica": max(p.gpus for p in pods),
        "needed": spare.needed,
        "why": spare.why,
        "well": not sick and len(pods) == replicas,
        "far_too_many": spare.far_too_many(replicas, limits),
        "to_replicas": replicas - 1,
        "opted_out": opted_out(scene.view, ref),
        "scaler": {"name": str(scaler.ref), "min": scaler.least} if scaler else None,
    }
    evidence = Evidence(kind="metric", statement=f"{ref}: {spare.why}", source="prometheus", observed_at=scene.now)
    return Findings({"spare": values}, (evidence,))


def find_oversized(sight: Sight) -> list[Condition]:
    """A close look only at large services that are old enough, well, known of for a day, and quiet now."""
    candidates = [each for each in services(sight.view) if _may_be(sight, *each)]
    quiet = _load_at(sight, sight.now) if candidates else {}
    known = _load_at(sight, sight.now - _span(sight)) if quiet else {}
    found = []
    for ref, replicas, pods in candidates:
        shares = [quiet[key_of(p)] for p in pods if key_of(p) in quiet and key_of(p) in known]
        if len(shares) < len(pods) or sum(shares) / len(pods) > QUIET_SHARE:
            continue
        if clearly_needed(sight.metrics, pods, sight.now, sight.thresholds):
            continue
        if judge_spare(sight.metrics, pods, sight.now, sight.thresholds).far_too_many(replicas, sight.thresholds):
            found.append(Condition(Symptom.SERVICE_OVERSIZED, ref, f"at {replicas} replicas"))
    return found


def _may_be(sight: Sight, ref: ObjectRef, replicas: int, pods: Sequence[Pod]) -> bool:
    oldest_start = sight.now - _span(sight)
    grown = all(p.created_at is not None and p.created_at <= oldest_start for p in pods)
    enough = replicas >= sight.thresholds.service_oversized_replicas_min
    return enough and grown and len(pods) == replicas and not unwell(sight.view, ref, replicas)


def _span(sight: Sight) -> timedelta:
    return timedelta(seconds=sight.thresholds.service_oversized_after_s)


def _load_at(sight: Sight, moment: datetime) -> dict[tuple[str, str], float]:
    """The mean share of each pod's GPUs that is busy, by the first counter."""
    name, full = COUNTERS[0]
    read: dict[tuple[str, str], list[float]] = {}
    for one in sight.metrics.instant(name, moment):
        if one.points:
            read.setdefault(pod_of(one.labels), []).append(one.points[-1][1] / full)
    return {key: sum(values) / len(values) for key, values in read.items()}
