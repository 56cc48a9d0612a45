"""What would let a waiting gang start, the mildest first: nothing, held nodes, a few moves, somebody who gives way.

Everything here is proved on the scheduler's forecast before it is said. Only pods that a Deployment brings back at
once, while its others go on serving, count as movable.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod
from agent.domain.diagnosis import Evidence
from agent.evidence.holders import OPT_OUT
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, find_workload, in_order, pods_of
from agent.evidence.nodes import cordoned_by_us
from agent.evidence.queues import queue_of
from agent.evidence.quota_books import Books, free_gpus, needs
from agent.evidence.starved import cheapest, requeued_lately
from agent.evidence.waiting import Waiting, took_its_place, waiting
from agent.ports import Relocation

MOVES_MAX = 4  # the policies' own limit
GANGS_TRIED_MAX = 8  # each costs one what-if
RESERVED_FOR_S = 2 * 3600  # a reboot with its checks, twice
REPAIR_ASKED_S = 2 * 3600  # a repair that was asked for longer ago does not come back soon


@dataclass(frozen=True, slots=True)
class Plan:
    """One way at most; `wait`: nothing is needed."""

    reason: str
    wait: bool = False
    nodes: tuple[str, ...] = ()  # to be held
    moves: tuple[Relocation, ...] = ()
    requeue: Gang | None = None
    back: tuple[str, ...] = field(default=())  # nodes that are expected back


def waiting_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    found = waiting(Books(scene.view), gang, scene.history, scene.now, scene.thresholds)
    if found is None:
        return Findings({}, (seen_object(scene, f"{gang.ref} is {gang.state}; nothing but its turn is missing"),))
    plan = _plan(found, scene)
    told = f"{gang.ref} needs {needs(gang)} GPUs and waits since {rfc3339(found.since)}; {_free(scene.view)} are free"
    forecast = Evidence(
        kind="forecast", statement=plan.reason, source="scheduler_core", observed_at=scene.view.taken_at
    )
    return Findings({"waiting": _values(found, plan, scene)}, (seen_object(scene, told), forecast))


def _values(found: Waiting, plan: Plan, scene: Scene) -> dict[str, Any]:
    gang, queue = found.gang, queue_of(scene.view, found.gang)
    return {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "kind": found.kind,
        "queue": queue.json_object() if queue else None,
        "needs": needs(gang),
        "free": _free(scene.view),
        "waited_s": int((scene.now - found.since).total_seconds()),
        "wait": plan.wait,
        "hold": list(plan.nodes),
        "until": rfc3339(_until(scene.incident.opened_at)),
        "moves": [_move(each) for each in plan.moves],
        "requeue": plan.requeue.ref.json_object() if plan.requeue else None,
        "reason": plan.reason,
    }


def _until(opened_at: datetime) -> datetime:
    """Reckoned from the incident's beginning, so that two looks ask for the same."""
    return (opened_at + timedelta(seconds=RESERVED_FOR_S)).replace(microsecond=0)


def _move(each: Relocation) -> dict[str, Any]:
    thing = "gang" if each.whole_gang else "pod"
    return {thing: each.ref.json_object(), "from": list(each.sources), "to": list(each.targets)}


def _free(view: ClusterView) -> int:
    return sum(free_gpus(view).values())


def _plan(found: Waiting, scene: Scene) -> Plan:
    name = str(found.gang.ref)
    try:
        if name in scene.forecaster.what_if(scene.view, []).gangs_started:
            return Plan(f"{name} starts as things are", wait=True)
        return _gathered(found, scene) if found.kind == "scattered" else _regained(found, scene)
    except ValueError as unknown:
        return Plan(f"the scheduler has no forecast: {unknown}")


def _gathered(found: Waiting, scene: Scene) -> Plan:
    name, gang = str(found.gang.ref), found.gang
    if queue_of(scene.view, gang) is None:
        most = max(free_gpus(scene.view).values(), default=0)
        return Plan(
            f"{gang.minimum} pods want {gang.gpus_per_pod} GPUs on one node each, no node has more than {most} free, "
            "and it is in no queue that would keep a place for it: nothing is moved"
        )
    rivals = [each for each in in_order(scene.view.gangs) if _gives_way(each, gang, scene)]
    pods = movable(scene.view)
    gangs = [each.ref for each in cheapest(rivals)][:GANGS_TRIED_MAX]
    moves = scene.forecaster.gather(scene.view, gang.ref, [pod.ref for pod in pods], gangs, MOVES_MAX)
    if not moves or _empties_somebody(moves, scene.view):
        return Plan(f"no {MOVES_MAX} moves let {name} start without leaving somebody without a place")
    told = ", ".join(f"{each.ref} to {' and '.join(each.targets)}" for each in moves)
    return Plan(f"{name} can start once these have moved: {told}", moves=tuple(moves))


def movable(view: ClusterView) -> list[Pod]:
    """Pods of Deployments that serve on without one of them, in a namespace and owner that let us."""
    pods = [view.pods[key] for key in sorted(view.pods)]
    return [pod for pod in pods if pod.holds_gpus and pod.ready and pod.gang is None and _spared(pod, view)]


def _spared(pod: Pod, view: ClusterView) -> bool:
    owner = pod.owner
    workload = find_workload(view, owner) if owner is not None and owner.kind == "Deployment" else None
    if workload is None or pod.terminating or (workload.replicas or 0) < 2:
        return False
    ready = sum(each.ready for each in pods_of(view, workload.ref))
    marks = ({**pod.annotations}, {**workload.annotations}, view.namespaces.get(pod.ref.namespace or "", {}))
    opted_out = any(each.get(OPT_OUT, "false").lower() != "false" for each in marks)
    return ready >= (workload.replicas or 0) and not opted_out and _let_go(pod, view) > 0


def _empties_somebody(moves: Sequence[Relocation], view: ClusterView) -> bool:
    """Would a Deployment lose more than half of its pods at once, or more than its budgets let go?"""
    single = [view.pods[each.ref.namespace or "", each.ref.name] for each in moves if not each.whole_gang]
    leaving = Counter(pod.owner for pod in single if pod.owner is not None)
    for owner, pods in leaving.items():
        workload = find_workload(view, owner)
        spare = (workload.replicas or 0) // 2 if workload else 0
        if pods > min([spare, *(_let_go(pod, view) for pod in single if pod.owner == owner)]):
            return True
    return False


def _let_go(pod: Pod, view: ClusterView) -> int:
    """How many pods like it its disruption budgets let go at once."""
    budgets = [
        budget.disruptions_allowed
        for budget in view.disruptions
        if budget.ref.namespace == pod.ref.namespace and budget.selector.items() <= dict(pod.labels).items()
    ]
    return min(budgets, default=MOVES_MAX)


def _gives_way(each: Gang, gang: Gang, scene: Scene) -> bool:
    """One that matters less and is smaller pays with its work; a person is asked then."""
    opted_out = each.annotations.get(OPT_OUT, "false").lower() != "false"
    less = each.priority < gang.priority and needs(each) < needs(gang)
    return each.state is GangState.RUNNING and less and not opted_out and not requeued_lately(each, scene)


def _regained(found: Waiting, scene: Scene) -> Plan:
    """Its place was lost with a node: hold the rest of it until the node is back, or let a newcomer give way."""
    name, gang, view = str(found.gang.ref), found.gang, scene.view
    back = [node for node in sorted(view.nodes) if _comes_back(node, scene)]
    seats = scene.forecaster.seats(view, gang.ref, [{"mend": node} for node in back]) if back else ()
    hold = tuple(node for node in seats if view.nodes[node].eligible)
    if hold:
        return Plan(f"{name} can start once {', '.join(back)} is back, if the rest of its place is kept", nodes=hold)
    newcomers = [each for each in took_its_place(view, gang, found.since) if _yields(each, gang, scene)]
    for each in cheapest(newcomers)[:GANGS_TRIED_MAX]:
        if name in scene.forecaster.what_if(view, [{"requeue": each.ref, "exclude_nodes": []}]).starts:
            return Plan(
                f"{each.ref} was let in after {name} had lost its place; without it {name} can start", requeue=each
            )
    return Plan(f"nobody who came after {name} and matters less would make room by leaving")


def _yields(each: Gang, gang: Gang, scene: Scene) -> bool:
    opted_out = each.annotations.get(OPT_OUT, "false").lower() != "false"
    cheaper = each.priority < gang.priority or (each.priority == gang.priority and _borrows(each, scene.view))
    return cheaper and not opted_out and not requeued_lately(each, scene)


def _borrows(gang: Gang, view: ClusterView) -> bool:
    queue: ObjectRef | None = queue_of(view, gang)
    books = Books(view)
    return queue is not None and books.used(queue) > books.nominal(queue)


def _comes_back(name: str, scene: Scene) -> bool:
    """A node out of service whose repair the agent has asked for a short while ago."""
    node, since = scene.view.nodes[name], scene.now - timedelta(seconds=REPAIR_ASKED_S)
    asked = any(
        past.action == "request_node_repair"
        and not past.undo
        and past.outcome == "succeeded"
        and past.target.name == name
        and past.at >= since
        and past.parameters.get("operation") in ("reset_gpu", "reboot")
        for past in scene.history
    )
    return asked and not node.eligible and (cordoned_by_us(node) or not node.ready)
