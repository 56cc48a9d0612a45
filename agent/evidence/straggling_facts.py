"""Facts about a gang that one slow member may hold up, and the finder of such gangs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, Pod
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.evidence.condition import Condition, Sight
from agent.evidence.labels import pod_of
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, in_order, pods_of, same_object
from agent.evidence.pace import Pace
from agent.evidence.straggling import CLOCK, SLOW_CLOCK, TENSOR, UTIL, WAITS, Straggling, judge_straggling

PRODUCT = "nvidia.com/gpu.product"
LATELY = timedelta(days=1)
_NOTHING = Straggling(Pace())


def straggling_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is no gang"),))
    pods = _whole(scene.view, gang)
    found = _NOTHING
    if scene.metrics and pods:
        found = judge_straggling(scene.metrics, pods, _models(scene.view), scene.now, scene.thresholds)
    values: dict[str, Any] = {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "slow": found.slow or "",
        "on_node": found.slow in {p.node for p in pods},
        "clocks": found.clocks,
        "witnesses": list(found.witnesses),
        "against": list(found.against),
        "proven": found.proven,
        "several": list(found.several) if found.several_proven else [],
        "gpus": sum(p.gpus for p in pods),
        "fits_elsewhere": _fits_elsewhere(scene, gang, found.slow) if found.proven and found.clocks else False,
        "requeued_24h": sum(
            p.action == "requeue_gang" and same_object(p.target, gang.ref) and scene.now - p.at <= LATELY
            for p in scene.history
        ),
    }
    slow = found.slow or " and ".join(found.several)
    said = f"{gang.ref}: {slow}: {', '.join(found.witnesses)}" if slow else f"nobody holds {gang.ref} up"
    against = f"; but {'; '.join(found.against)}" if found.against else ""
    evidence = Evidence(kind="metric", statement=said + against, source="prometheus", observed_at=scene.now)
    return Findings({"straggler": values}, (evidence,))


def _fits_elsewhere(scene: Scene, gang: Gang, node: str | None) -> bool:
    if node not in scene.view.nodes:
        return False
    forecast = scene.forecaster.what_if(scene.view, [{"requeue": gang.ref, "exclude_nodes": [node]}])
    return str(gang.ref) not in forecast.gangs_pending


def _whole(view: ClusterView, gang: Gang) -> tuple[Pod, ...]:
    """The pods of a gang that runs whole; nothing of one that does not, for then something else is the matter."""
    if gang.state is not GangState.RUNNING or gang.pending:
        return ()
    return tuple(p for p in pods_of(view, gang.ref) if p.phase == "Running" and not p.terminating and p.gpus)


def _models(view: ClusterView) -> Mapping[str, str]:
    return {name: node.labels.get(PRODUCT, "") for name, node in view.nodes.items()}


def find_stragglers(sight: Sight) -> list[Condition]:
    """Gangs of which one member stands out at this moment; a close look at those."""
    now = {name: _by_pod(sight, name) for name in (CLOCK, TENSOR, UTIL)}
    found = []
    for gang in in_order(sight.view.gangs):
        pods = _whole(sight.view, gang)
        keys = [(p.ref.namespace or "", p.ref.name) for p in pods]
        if len(pods) < 2 or not any(_uneven([values.get(key) for key in keys]) for values in now.values()):
            continue
        judged = judge_straggling(sight.metrics, pods, _models(sight.view), sight.now, sight.thresholds)
        if judged.proven or judged.several_proven:
            slow = judged.slow or ", ".join(judged.several)
            since = f"{slow} on {rfc3339(sight.now)[:10]}"
            found.append(Condition(Symptom.STRAGGLER, gang.ref, since, {"slow": slow}))
    return found


def _uneven(values: list[float | None]) -> bool:
    """The least is far below the greatest: the slow one's clock, or what those compute who wait for it."""
    known = [value for value in values if value is not None]
    return len(known) > 1 and min(known) <= max(SLOW_CLOCK, WAITS) * max(known)


def _by_pod(sight: Sight, name: str) -> dict[tuple[str, str], float]:
    read: dict[tuple[str, str], float] = {}
    for one in sight.metrics.instant(name, sight.now):
        if one.points:
            key = pod_of(one.labels)
            read[key] = min(read.get(key, one.points[-1][1]), one.points[-1][1])
    return read
