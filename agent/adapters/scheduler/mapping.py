"""A ClusterView as the scheduler core's snapshot.

Pods that hold a node are facts; pods of no gang without a node wait; gangs come with the quota that they hold. What a
gang's missing pods are called is the core's guess unless they exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.scheduler.amounts import UNCOUNTED, asked_for
from agent.adapters.scheduler.gangs import flavor_labels, gang_of, plain_gang_of, pod_name, pod_set_of, seconds
from agent.adapters.scheduler.queues import Queues, queues_of
from agent.adapters.scheduler.shapes import node_of, priority, shape_of
from agent.adapters.scheduler.states import state_of
from agent.domain.cluster import ClusterView, Gang as DomainGang, GangState, Node, ObjectRef, Pod
from scheduler_core.errors import SchedulerError
from scheduler_core.model import Gang, Node as CoreNode, Pod as CorePod, PodShape
from scheduler_core.snapshot import Snapshot

MALFORMED = (ValueError, TypeError, AttributeError)  # what a reader of strangers' JSON raises


@dataclass(frozen=True)
class Mapped:
    """`left_out`: what nobody can count with, and why.

    The pods of such a gang stand as pods of nobody. Such a pod keeps what it holds; where it would go is not foreseen.
    """

    snapshot: Snapshot
    queues: Queues
    left_out: Mapping[ObjectRef, str] = field(default_factory=dict)
    by_time: bool = False  # it is another a moment later


def snapshot_of(view: ClusterView, rules: KueueRules = KINDLY) -> Snapshot:
    return mapped(view, rules).snapshot


def mapped(view: ClusterView, rules: KueueRules = KINDLY) -> Mapped:
    queues, left_out = queues_of(view, rules), {}
    gangs: dict[ObjectRef, Gang] = {}
    for ref, gang in sorted(view.gangs.items(), key=lambda pair: str(pair[0])):
        if gang.state is not GangState.FINISHED:
            try:
                gangs[ref] = core_gang(view, gang, queues)
            except MALFORMED as wrong:
                left_out[ref] = str(wrong)
    snapshot = Snapshot(
        nodes=[core_node(node, queues) for _, node in sorted(view.nodes.items())],
        topologies=queues.topologies,
        flavors=queues.flavors,
        cohorts=queues.cohorts,
        queues=queues.queues,
        gangs=gangs.values(),
    )
    for ref, core in gangs.items():
        restore(snapshot, view, view.gangs[ref], core, queues)
    left_out |= add_pods(snapshot, view, [pod for _, pod in sorted(view.pods.items())], gangs, queues)
    return Mapped(snapshot, queues, left_out, any(queues.is_drained(view.gangs[ref]) for ref in gangs))


def core_node(node: Node, queues: Queues) -> CoreNode:
    """What only quotas know is never what a node lacks."""
    made, made_up = node_of(node), dict.fromkeys(sorted(queues.rules.made_up), UNCOUNTED)
    return replace(made, allocatable={**made.allocatable, **made_up}) if made_up else made


def core_gang(view: ClusterView, gang: DomainGang, queues: Queues) -> Gang:
    """One whose wishes cannot be read keeps what it holds, and nobody foresees that it is let in."""
    try:
        return gang_of(view, gang, queues)
    except MALFORMED:
        return replace(plain_gang_of(view, gang, queues), held=True)


def restore(snapshot: Snapshot, view: ClusterView, gang: DomainGang, core: Gang, queues: Queues) -> None:
    """Places that make no sense are left out rather than the quota that it holds."""
    state = state_of(view, gang, core, queues)
    if state is None:
        return
    try:
        snapshot.restore(core.name, state)
    except SchedulerError:
        admission = state.admission and replace(state.admission, topology={}, usage={})
        snapshot.restore(core.name, replace(state, admission=admission))


def add_pods(
    snapshot: Snapshot, view: ClusterView, pods: Iterable[Pod], gangs: Mapping[ObjectRef, Gang], queues: Queues
) -> dict[ObjectRef, str]:
    """In the order of their names; of each of the gangs all. Those whose wishes cannot be read, and why."""
    taken: dict[str, dict[str, int]] = {}
    odd: dict[ObjectRef, str] = {}
    for pod in pods:
        if pod.phase not in ("Pending", "Running"):
            continue
        core = gangs.get(pod.gang) if pod.gang and not pod.terminating else None
        pod_set = None
        if core is not None:
            pod_set = pod_set_of(pod, core, taken.setdefault(core.name, {}))
            taken[core.name][pod_set] = taken[core.name].get(pod_set, 0) + 1
        try:
            made = core_pod(view, pod, core, pod_set, queues)
        except MALFORMED as wrong:
            odd[pod.ref] = str(wrong)
            made = _core_pod(pod, core, pod_set, PodShape(requests=asked_for(pod.requests)))
        if pod.node is not None and pod.node in view.nodes:
            snapshot.put_pod(made, pod.node)
        elif pod.node is None and core is None and not pod.terminating and pod.ref not in odd:
            snapshot.wait(made)
    return odd


def core_pod(view: ClusterView, pod: Pod, gang: Gang | None, pod_set: str | None, queues: Queues) -> CorePod:
    """A member of an admitted gang goes where its flavors are, whether its own manifest says so or not."""
    spec = view.objects.get(pod.ref, {}).get("spec")
    domain_gang = view.gangs.get(pod.gang) if pod.gang and gang else None
    extra = flavor_labels(view, domain_gang, queues, pod_set or "") if domain_gang else {}
    return _core_pod(pod, gang, pod_set, shape_of(spec if isinstance(spec, dict) else {}, extra))


def _core_pod(pod: Pod, gang: Gang | None, pod_set: str | None, shape: PodShape) -> CorePod:
    return CorePod(
        name=pod_name(pod),
        gang=gang.name if gang else None,
        pod_set=pod_set,
        owner=str(pod.owner) if pod.owner else None,
        priority=gang.priority if gang else priority(pod.priority),
        created_s=seconds(pod.created_at),
        requests=shape.requests,
        node_selector=shape.node_selector,
        tolerations=shape.tolerations,
        required_node_affinity=shape.required_node_affinity,
    )
