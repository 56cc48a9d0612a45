"""Small worlds drawn from a seed, one action each: what was predicted of it, and what the world made of it.

Nothing else happens in these worlds once they have settled, so a prediction that does not come true is the
forecaster's own mistake, or the world's.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from agent.actions.base import Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.adapters.ledger import AuditLedger
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.simulated.world import World
from agent.chance import NoBoundaries
from agent.doing import Effectors
from agent.domain.cluster import ClusterView, ObjectRef, node_ref
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident, Symptom
from agent.domain.outcome import Foreseen
from agent.domain.proposal import Proposal
from agent.effects import StepCall, StepState, run_step, waiting_for
from agent.evidence.foreseen import foreseen
from agent.evidence.foresight import foretold
from agent.look import action_changes
from agent.ports import Remedy
from agent.scenarios.witness import Pager
from audit.log import Log

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SETTLES = timedelta(minutes=10)  # until everything that can start has started
APART = timedelta(seconds=5)
WORKS_OUT = timedelta(minutes=15)  # the longest that `verify` waits for a start
STEP = timedelta(seconds=5)
STEPS_AT_MOST = 200
OURS, KUEUE = "watchkeeper.dev/v1alpha1", "kueue.x-k8s.io/v1beta2"
Json = dict[str, Any]


@dataclass(frozen=True)
class Tried:
    seed: int
    action: str
    target: str
    foreseen: tuple[Foreseen, ...]
    undone: str = ""  # why it could not be done


def tried(seed: int, folder: Path) -> Tried | None:
    """None where the action that was drawn makes no sense in the world that was drawn."""
    chance = Random(seed)
    world = World(seed, START - SETTLES, timedelta(seconds=15))
    world.load(_place(chance))
    for manifest in _work(chance):
        world.apply(manifest)  # one after the other, so that the world itself places it
        world.advance_to(world.clock.now() + APART)
    world.advance_to(START)
    with closing(Log.open(folder / f"{seed}.db", durability="memory")) as log:
        ledger = AuditLedger(log, world.clock, "watchkeeper")
        made = _proposal(chance, world.view())
        if made is None or made.prediction is None:
            return None
        through = Effectors(world.cluster, world.repairs, Pager(), ledger, NoBoundaries())
        failed = _executed(made, world, through)
        world.advance_to(world.clock.now() + WORKS_OUT)
        view = world.view()
        seen = foreseen(made.prediction, view, SchedulerForecaster().what_if(view, []))
        return Tried(seed, made.action, str(made.target), seen, failed)


def _executed(made: Proposal, world: World, through: Effectors) -> str:
    since, index = world.clock.now(), 0
    for _ in range(STEPS_AT_MOST):
        if index == len(made.steps):
            return ""
        now = world.clock.now()
        call = StepCall(made, index, now, since=since)
        result = waiting_for(call.step, world.view(), since, now)
        if result.state is StepState.DONE:
            result = run_step(call, through)
        if result.state is StepState.FAILED:
            return result.detail
        if result.state is StepState.DONE:
            index, since = index + 1, now
        else:
            world.advance_to(now + STEP)
    return f"step {index + 1} never began"


def _proposal(chance: Random, view: ClusterView) -> Proposal | None:
    wishes = [wish for draw in _DRAWN for wish in draw(chance, view)]
    action, target, parameters = chance.choice(wishes)
    about = Incident(id="inc-1", symptom=Symptom.GANG_STUCK, subject=target, opened_at=START, signals=())
    told = Diagnosis(
        incident="inc-1", cause="drawn", statement="", source="playbook:p", playbook="p", confidence=1.0, evidence=()
    )
    made = build_proposal(CATALOGUE[action], about, 0, Wish(target, parameters, "drawn"), view, told)
    if not isinstance(made, Proposal):
        return None
    changes = action_changes(Remedy(action, target, parameters, "drawn", "stop"))
    forecast, why_not = None, ""
    try:
        forecast = SchedulerForecaster().what_if(view, changes)
    except ValueError as error:
        why_not = str(error)
    return made.model_copy(update={"prediction": foretold(made, forecast, why_not, view)})


Wishes = list[tuple[str, ObjectRef, Json]]


def _on_nodes(chance: Random, view: ClusterView) -> Wishes:
    name = chance.choice(sorted(view.nodes))
    cordoned: Wishes = [("uncordon_node", node_ref(n), {}) for n in sorted(view.nodes) if view.nodes[n].unschedulable]
    return [("cordon_node", node_ref(name), {}), ("drain_node", node_ref(name), {}), *cordoned]


def _on_gangs(chance: Random, view: ClusterView) -> Wishes:
    found: Wishes = []
    for ref in sorted(view.gangs, key=str):
        found += [("requeue_gang", ref, {}), ("deactivate_workload", ref, {})]
    return found


def _on_queues(chance: Random, view: ClusterView) -> Wishes:
    queue = ObjectRef(api_version=OURS, kind="Queue", name="ours")
    amount = chance.randrange(0, 64)
    return [
        ("hold_queue", queue, {"drain": chance.random() < 0.5}),
        ("set_queue_quota", queue, {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": amount}),
    ]


def _on_services(chance: Random, view: ClusterView) -> Wishes:
    found: Wishes = []
    for ref in sorted((r for r in view.workloads if r.kind == "Deployment"), key=str):
        found += [
            ("scale_workload", ref, {"replicas": chance.randrange(0, 5)}),
            ("reclaim_idle_gpu", ref, {"method": "scale_to_zero"}),
        ]
        found += [("evict_pod", pod.ref, {}) for pod in view.pods_of(ref)[:1]]
    return found


_DRAWN: tuple[Callable[[Random, ClusterView], Wishes], ...] = (_on_nodes, _on_gangs, _on_queues, _on_services)


def _place(chance: Random) -> list[Json]:
    nodes = [_node(f"gpu-{i}", cordoned=chance.random() < 0.15) for i in range(chance.randrange(2, 7))]
    return [_object("v1", "Namespace", "lab", None), *nodes, *_queues(chance)]


def _work(chance: Random) -> list[Json]:
    gangs = [_gang(f"gang-{i}", chance) for i in range(chance.randrange(1, 5))]
    jobs = [_job(f"job-{i}", chance) for i in range(chance.randrange(0, 3))]
    services = [_deployment(f"web-{i}", chance) for i in range(chance.randrange(0, 3))]
    return [*gangs, *jobs, *services]


def _queues(chance: Random) -> list[Json]:
    quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": chance.randrange(8, 64, 8)}
    resource = {"name": "nvidia.com/gpu", "nominalQuota": str(chance.randrange(8, 64, 8))}
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "any", "resources": [resource]}]}
    return [
        _object(OURS, "Queue", "ours", None, spec={"quotas": [quota]}),
        _object(KUEUE, "ResourceFlavor", "any", None, spec={}),
        _object(KUEUE, "ClusterQueue", "kueue", None, spec={"namespaceSelector": {}, "resourceGroups": [group]}),
        _object(KUEUE, "LocalQueue", "main", "lab", spec={"clusterQueue": "kueue"}),
    ]


def _node(name: str, *, cordoned: bool) -> Json:
    capacity = {"cpu": "192", "memory": "2Ti", "pods": "110", "nvidia.com/gpu": "8"}
    ready = [{"type": "Ready", "status": "True"}]
    marks = {"annotations": {"watchkeeper.dev/cordoned-by": "watchkeeper"}} if cordoned else {}
    status = {"allocatable": capacity, "conditions": ready}
    return _object("v1", "Node", name, None, metadata=marks, spec={"unschedulable": cordoned}, status=status)


def _gang(name: str, chance: Random) -> Json:
    template = {"spec": _pod_spec(chance.choice((4, 8)))}
    sets = [{"name": "worker", "count": chance.randrange(1, 5), "template": template}]
    return _object(OURS, "Gang", name, "lab", spec={"queue": "ours", "priority": chance.randrange(2), "podSets": sets})


def _job(name: str, chance: Random) -> Json:
    pods = chance.randrange(1, 4)
    spec = {"parallelism": pods, "completions": pods, "completionMode": "Indexed", "suspend": True,
            "template": {"spec": _pod_spec(8, restartPolicy="OnFailure")}}  # fmt: skip
    return _object(
        "batch/v1", "Job", name, "lab", metadata={"labels": {"kueue.x-k8s.io/queue-name": "main"}}, spec=spec
    )


def _deployment(name: str, chance: Random) -> Json:
    labels = {"app": name}
    spec = {"replicas": chance.randrange(1, 4), "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod_spec(chance.choice((1, 2, 4)))}}  # fmt: skip
    return _object("apps/v1", "Deployment", name, "lab", spec=spec)


def _pod_spec(gpus: int, **more: Any) -> Json:
    limits = {"nvidia.com/gpu": str(gpus)}
    return {"containers": [{"name": "main", "image": "train:2.4", "resources": {"limits": limits}}], **more}


def _object(version: str, kind: str, name: str, namespace: str | None, **parts: Any) -> Json:
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **place, **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}
