"""Facts about a gang that is said to be stuck: its state, and whom to requeue so that one can start."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import Gang, GangState
from agent.domain.diagnosis import Evidence
from agent.domain.signal import FindingBody
from agent.evidence.gangs import SEEN_SINCE, GangPlan, plan, stuck_s
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, same_object
from agent.evidence.symptoms import OWN_LOOK

REQUEUED_LATELY_S = 1800  # whoever was just requeued is given time to start before anything else is moved


def gang_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    thought = _plan(gang, scene)
    values = {"gang": _gang(gang, scene), "plan": _planned(thought) if thought else None}
    return Findings(values, _evidence(gang, thought, scene))


def _plan(gang: Gang, scene: Scene) -> GangPlan | None:
    """None while there is nothing to plan for: it is not stuck, or not for long enough to be sure."""
    if (
        gang.state is not GangState.STUCK
        or stuck_s(_dated(gang, scene), scene.now) < scene.thresholds.gang_stuck_after_s
    ):
        return None
    thought = plan(gang, scene.view, scene.forecaster, scene.now, scene.thresholds)
    if thought.requeue is not None and _requeued_lately(thought.requeue, scene):
        return GangPlan(None, f"{thought.requeue.ref} was requeued a short while ago and is stuck again")
    return thought


def _dated(gang: Gang, scene: Scene) -> Gang:
    """By its pods' word; where they say nothing, by that of our own look, which has watched it."""
    found = [s.body for s in scene.incident.signals if s.source == OWN_LOOK and isinstance(s.body, FindingBody)]
    last = next((body for body in reversed(found) if body.subject == gang.ref), None)
    seen = last.detail.get(SEEN_SINCE) if last and last.status == "firing" else None
    return gang if gang.stuck_since or not seen else replace(gang, stuck_since=parse_rfc3339(seen))


def _requeued_lately(gang: Gang, scene: Scene) -> bool:
    since = scene.now - timedelta(seconds=REQUEUED_LATELY_S)
    return any(
        p.action == "requeue_gang" and p.outcome == "succeeded" and p.at >= since and same_object(p.target, gang.ref)
        for p in scene.history
    )


def _gang(gang: Gang, scene: Scene) -> dict[str, Any]:
    return {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "state": gang.state.value,
        "minimum": gang.minimum,
        "running": len(gang.running),
        "pending": len(gang.pending),
        "priority": gang.priority,
        "gpus_held": len(gang.running) * gang.gpus_per_pod,
        "stuck_s": stuck_s(_dated(gang, scene), scene.now),
    }


def _planned(thought: GangPlan) -> dict[str, Any]:
    chosen = thought.requeue
    return {
        "requeue": chosen.ref.json_object() if chosen else None,
        "name": str(chosen.ref) if chosen else "",
        "healthy": chosen is not None and chosen.state is GangState.RUNNING,
        "starts": list(thought.starts),
        "reason": thought.reason,
    }


def _evidence(gang: Gang, thought: GangPlan | None, scene: Scene) -> tuple[Evidence, ...]:
    said = f"{gang.ref} is {gang.state}: {len(gang.running)} of at least {gang.minimum} pods run"
    seen = [seen_object(scene, said)]
    if thought is not None:
        seen.append(
            Evidence(
                kind="forecast", statement=thought.reason, source="scheduler_core", observed_at=scene.view.taken_at
            )
        )
    return tuple(seen)
