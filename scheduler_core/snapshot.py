"""The cluster as the scheduler sees it: what there is, what runs where, who is waiting. The only mutable thing here.

Facts come in (`add_*`, `occupy`, `admit`), decisions come in (`bind`, `admit`, `evict`), and `mark`/`undo` take back
whatever happened in between. `occupy` believes the caller, even about a node that is over-full; `bind` does not.
A gang holds quota for what it was admitted with; one that runs without admission, for the pods that run.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from scheduler_core.eligibility import barrier
from scheduler_core.errors import Conflict, Duplicate, Invalid, Unknown
from scheduler_core.flavors import add_usage
from scheduler_core.journal import Journaled, atomic
from scheduler_core.model import Gang, Node, Pod, Requests, Seconds, gpus
from scheduler_core.placement import less, room_for
from scheduler_core.quota import Cohort, Flavor, FlavorResource, Place, Queue, QuotaTree

Charge = Mapping[FlavorResource, int]


class Phase(StrEnum):
    PENDING = "Pending"  # no quota, no pods
    ADMITTED = "Admitted"  # quota, no pods yet
    PARTIAL = "Partial"  # some pods run, fewer than the minimum: stuck
    RUNNING = "Running"  # at or above the minimum


@dataclass(frozen=True)
class Admission:
    """Quota that a gang holds: how many pods of each set, and of which flavors."""

    at_s: Seconds
    counts: Mapping[str, int]
    flavors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # pod set -> resource -> flavor


@dataclass(frozen=True)
class GangState:
    """What the core remembers about a gang besides its pods."""

    admission: Admission | None = None
    returns: int = 0  # how often it was sent back under the back-off rule
    requeue_at_s: Seconds | None = None
    queued_s: Seconds | None = None  # None: since it was created
    excluded_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bound:
    pod: Pod
    node: str


class Snapshot(Journaled):
    def __init__(
        self,
        *,
        nodes: Iterable[Node] = (),
        flavors: Iterable[Flavor] = (),
        cohorts: Iterable[Cohort] = (),
        queues: Iterable[Queue] = (),
        gangs: Iterable[Gang] = (),
    ) -> None:
        super().__init__()
        self._nodes: dict[str, Node] = {}
        self._free: dict[str, Requests] = {}
        self._flavors: dict[str, Flavor] = {}
        self._cohorts: dict[str, Cohort] = {}
        self._queues: dict[str, Queue] = {}
        self._tree: dict[str, QuotaTree] = {"tree": QuotaTree((), ())}
        self._usage: dict[tuple[Place, FlavorResource], int] = {}
        self._gangs: dict[str, Gang] = {}
        self._states: dict[str, GangState] = {}
        self._charges: dict[str, Charge] = {}
        self._bound: dict[str, Bound] = {}
        self._on_node: dict[str, frozenset[str]] = {}
        self._of_gang: dict[str, frozenset[str]] = {}
        self._waiting: dict[str, Pod] = {}
        self._parked: dict[str, bool] = {}
        for node in nodes:
            self.add_node(node)
        for flavor in flavors:
            self.add_flavor(flavor)
        self._set_up_queues(cohorts, queues)
        for gang in gangs:
            self.add_gang(gang)

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self._nodes

    @property
    def flavors(self) -> Mapping[str, Flavor]:
        return self._flavors

    @property
    def cohorts(self) -> Mapping[str, Cohort]:
        return self._cohorts

    @property
    def queues(self) -> Mapping[str, Queue]:
        return self._queues

    @property
    def gangs(self) -> Mapping[str, Gang]:
        return self._gangs

    @property
    def pods(self) -> Mapping[str, Bound]:
        """Pods that are on a node."""
        return self._bound

    @property
    def waiting_pods(self) -> Mapping[str, Pod]:
        """Pods of no gang that want a node."""
        return self._waiting

    @property
    def free(self) -> Mapping[str, Requests]:
        return self._free

    @property
    def quota_tree(self) -> QuotaTree:
        return self._tree["tree"]

    @property
    def usage(self) -> Mapping[tuple[Place, FlavorResource], int]:
        return self._usage

    def gang(self, name: str) -> Gang:
        return _get("Gang", self._gangs, name)

    def state_of(self, gang: str) -> GangState:
        return self._states[self.gang(gang).name]

    def pods_on(self, node: str) -> tuple[str, ...]:
        return tuple(sorted(self._on_node[_get("Node", self._nodes, node).name]))

    def pods_of(self, gang: str) -> tuple[str, ...]:
        return tuple(sorted(self._of_gang[self.gang(gang).name]))

    def running(self, gang: str) -> dict[str, int]:
        """How many pods of each pod set are on a node."""
        counts = {each.name: 0 for each in self.gang(gang).pod_sets}
        for pod in self._of_gang[gang]:
            counts[str(self._bound[pod].pod.pod_set)] += 1
        return counts

    def phase(self, gang: str) -> Phase:
        counts = self.running(gang)
        if not any(counts.values()):
            return Phase.PENDING if self._states[gang].admission is None else Phase.ADMITTED
        whole = all(counts[each.name] >= each.minimum for each in self._gangs[gang].pod_sets)
        return Phase.RUNNING if whole else Phase.PARTIAL

    def pending_gangs(self) -> tuple[str, ...]:
        """Gangs without quota and without pods."""
        return tuple(name for name in self._gangs if not self._of_gang[name] and self._states[name].admission is None)

    def is_parked(self, gang: str) -> bool:
        return gang in self._parked

    def available(self, queue: str, key: FlavorResource) -> int:
        """What the queue may still take, lending and borrowing counted; may be negative."""
        return self.quota_tree.available(("queue", _get("Queue", self._queues, queue).name), key, self._usage)

    def charge_of(self, gang: str) -> Charge:
        """The quota a gang holds."""
        return self._charges.get(self.gang(gang).name, {})

    def gpus_free(self) -> int:
        """Whole GPUs free on nodes that take new pods."""
        return sum(max(0, gpus(self._free[name])) for name, node in self._nodes.items() if _usable(node))

    def gpus_total(self) -> int:
        return sum(gpus(node.allocatable) for node in self._nodes.values() if _usable(node))

    def contents(self) -> dict[str, Any]:
        """Everything there is to know, comparable: two snapshots with equal contents decide alike."""
        return {name: dict(table) for name, table in vars(self).items() if isinstance(table, dict) and name != "_tree"}

    # -- what there is ---------------------------------------------------------------------------------------------

    @atomic
    def add_node(self, node: Node) -> None:
        _new("Node", self._nodes, node.name)
        self._put_node(node)
        self._journal.put(self._on_node, node.name, frozenset())

    @atomic
    def replace_node(self, node: Node) -> None:
        """The node as it is now; its pods stay where they are."""
        relabelled = _get("Node", self._nodes, node.name).labels != node.labels
        self._put_node(node)
        if relabelled:
            self._recount()  # pods that nobody admitted may count against another flavor now

    @atomic
    def remove_node(self, name: str) -> None:
        """The node is gone, and its pods with it."""
        for pod in self.pods_on(name):
            self.evict_pod(pod)
        self._journal.drop(self._nodes, name)
        self._journal.drop(self._free, name)
        self._journal.drop(self._on_node, name)

    def _put_node(self, node: Node) -> None:
        free: Requests = node.allocatable
        for pod in sorted(self._on_node.get(node.name, ())):
            free = less(free, self._bound[pod].pod.requests)
        self._journal.put(self._nodes, node.name, node)
        self._journal.put(self._free, node.name, free)
        self._capacity_changed()

    @atomic
    def add_flavor(self, flavor: Flavor) -> None:
        _new("Flavor", self._flavors, flavor.name)
        self._journal.put(self._flavors, flavor.name, flavor)
        self._recount()

    @atomic
    def add_cohort(self, cohort: Cohort) -> None:
        _new("Cohort", self._cohorts, cohort.name)
        self._put_quotas(cohorts=[cohort])

    @atomic
    def replace_cohort(self, cohort: Cohort) -> None:
        _get("Cohort", self._cohorts, cohort.name)
        self._put_quotas(cohorts=[cohort])

    @atomic
    def add_queue(self, queue: Queue) -> None:
        _new("Queue", self._queues, queue.name)
        self._put_quotas(queues=[queue])

    @atomic
    def replace_queue(self, queue: Queue) -> None:
        _get("Queue", self._queues, queue.name)
        self._put_quotas(queues=[queue])

    @atomic
    def remove_queue(self, name: str) -> None:
        _get("Queue", self._queues, name)
        holders = sorted(gang.name for gang in self._gangs.values() if gang.queue == name)
        if holders:
            raise Conflict("Queue", name, "gangs", f"{holders[0]} is still in it")
        self._journal.drop(self._queues, name)
        self._put_quotas()

    @atomic
    def _set_up_queues(self, cohorts: Iterable[Cohort], queues: Iterable[Queue]) -> None:
        cohorts, queues = list(cohorts), list(queues)
        for cohort in cohorts:
            _new("Cohort", self._cohorts, cohort.name)
            self._journal.put(self._cohorts, cohort.name, cohort)
        for queue in queues:
            _new("Queue", self._queues, queue.name)
            self._journal.put(self._queues, queue.name, queue)
        self._put_quotas()

    def _put_quotas(self, *, cohorts: Iterable[Cohort] = (), queues: Iterable[Queue] = ()) -> None:
        for cohort in cohorts:
            self._journal.put(self._cohorts, cohort.name, cohort)
        for queue in queues:
            self._journal.put(self._queues, queue.name, queue)
        self._journal.put(self._tree, "tree", QuotaTree(self._queues.values(), self._cohorts.values()))
        self._recount()

    def _recount(self) -> None:
        """Quotas changed, so usage reaches the cohorts by other amounts: count it anew from the gangs."""
        for key in list(self._usage):
            self._journal.drop(self._usage, key)
        for gang in sorted(self._charges):
            self._journal.drop(self._charges, gang)
        for gang in sorted(self._gangs):
            self._charge(gang)
        self._capacity_changed()

    # -- gangs -----------------------------------------------------------------------------------------------------

    @atomic
    def add_gang(self, gang: Gang) -> None:
        _new("Gang", self._gangs, gang.name)
        self._known_queue(gang)
        self._journal.put(self._gangs, gang.name, gang)
        self._journal.put(self._states, gang.name, GangState(queued_s=None))
        self._journal.put(self._of_gang, gang.name, frozenset())

    @atomic
    def replace_gang(self, gang: Gang) -> None:
        """The gang as its owner wants it now; its pods and its admission stay."""
        _get("Gang", self._gangs, gang.name)
        self._known_queue(gang)
        kept = {each.name for each in gang.pod_sets}
        for pod in self.pods_of(gang.name):
            if self._bound[pod].pod.pod_set not in kept:
                raise Conflict("Gang", gang.name, "pod_sets", f"{pod} runs in a pod set that is gone")
        admission = self._states[gang.name].admission
        if admission is not None and set(admission.counts) != kept:
            raise Conflict("Gang", gang.name, "pod_sets", "its admission names other pod sets")
        self._uncharge(gang.name)
        self._journal.put(self._gangs, gang.name, gang)
        self._charge(gang.name)
        self._capacity_changed()

    @atomic
    def remove_gang(self, name: str) -> None:
        """It finished, or was deleted: pods, quota and memory of it go."""
        self.evict(name, 0)
        self._journal.drop(self._gangs, name)
        self._journal.drop(self._states, name)
        self._journal.drop(self._of_gang, name)
        self._capacity_changed()

    @atomic
    def restore(self, name: str, state: GangState) -> None:
        """What the outside says about a gang: its admission, its back-off."""
        self.gang(name)
        if state.admission is not None:
            self._check_admission(name, state.admission)
        self._uncharge(name)
        self._journal.put(self._states, name, state)
        self._charge(name)
        self._capacity_changed()

    @atomic
    def admit(self, name: str, admission: Admission) -> None:
        """The gang holds quota from now on. Whether it may is decided by the caller."""
        self.gang(name)
        self._check_admission(name, admission)
        self._uncharge(name)
        state = replace(self._states[name], admission=admission, requeue_at_s=None)
        self._journal.put(self._states, name, state)
        self._journal.drop(self._parked, name)
        self._charge(name)

    @atomic
    def evict(
        self,
        name: str,
        now_s: Seconds,
        *,
        delay_s: Seconds = 0,
        exclude_nodes: Iterable[str] = (),
        returns: int | None = None,
    ) -> tuple[str, ...]:
        """The whole gang back to the queue, behind those already there. Says which pods it gave up."""
        gang = self.gang(name)
        if delay_s < 0:
            raise Invalid("Gang", name, "delay_s", f"{delay_s} is negative")
        gone = self.pods_of(name)
        for pod in gone:
            self._lift(pod)
        self._uncharge(name)
        before = self._states[name]
        state = GangState(
            returns=before.returns if returns is None else returns,
            requeue_at_s=now_s + delay_s if delay_s else None,
            queued_s=now_s,
            excluded_nodes=frozenset(exclude_nodes),
        )
        self._journal.put(self._states, gang.name, state)
        self._capacity_changed()
        return gone

    def park(self, name: str) -> None:
        """Nothing to be done for this gang until capacity changes."""
        self._journal.put(self._parked, self.gang(name).name, True)

    def _capacity_changed(self) -> None:
        for name in list(self._parked):
            self._journal.drop(self._parked, name)

    def _known_queue(self, gang: Gang) -> None:
        if gang.queue is not None and gang.queue not in self._queues:
            raise Unknown("Gang", gang.name, "queue", f"there is no queue {gang.queue!r}")

    def _check_admission(self, name: str, admission: Admission) -> None:
        wanted = {each.name for each in self._gangs[name].pod_sets}
        if set(admission.counts) != wanted:
            raise Invalid("Gang", name, "admission.counts", f"must name the pod sets {', '.join(sorted(wanted))}")

    # -- pods ------------------------------------------------------------------------------------------------------

    def occupy(
        self,
        node: str,
        requests: Requests,
        pod_name: str,
        gang: str | None = None,
        *,
        pod_set: str | None = None,
        owner: str | None = None,
        priority: int = 0,
    ) -> None:
        """A pod runs there already, whoever put it there."""
        pod = Pod(name=pod_name, requests=requests, gang=gang, pod_set=pod_set, owner=owner, priority=priority)
        self.put_pod(pod, node)

    @atomic
    def bind(self, pod: Pod, node: str) -> None:
        """A decision: the pod goes there, where it may and fits."""
        where = _get("Node", self._nodes, node)
        stands = barrier(where, pod)
        if stands is not None:
            raise Conflict("Pod", pod.name, "node", f"{node} is barred: {stands}")
        if not room_for(self._free[node], pod.requests):
            raise Conflict("Pod", pod.name, "node", f"{node} has no room for it")
        self.put_pod(pod, node)

    @atomic
    def put_pod(self, pod: Pod, node: str) -> None:
        """A fact: the pod is there. The node may be over-full by it."""
        _new("Pod", self._bound, pod.name)
        _get("Node", self._nodes, node)
        if pod.gang is not None:
            gang = self.gang(pod.gang)
            pod = replace(pod, pod_set=gang.pod_set(pod.pod_set).name)
            self._journal.put(self._of_gang, gang.name, self._of_gang[gang.name] | {pod.name})
        self._journal.drop(self._waiting, pod.name)
        self._journal.put(self._bound, pod.name, Bound(pod, node))
        self._journal.put(self._on_node, node, self._on_node[node] | {pod.name})
        self._journal.put(self._free, node, less(self._free[node], pod.requests))
        self._charge_pod(pod, node)

    @atomic
    def release(self, pod_name: str) -> Pod:
        """The pod left its node."""
        pod = self._lift(pod_name)
        if pod.gang is not None and self._states[pod.gang].admission is None:
            self._uncharge(pod.gang)
            self._charge(pod.gang)
        return pod

    def _lift(self, pod_name: str) -> Pod:
        bound = _get("Pod", self._bound, pod_name)
        pod, node = bound.pod, bound.node
        self._journal.drop(self._bound, pod_name)
        self._journal.put(self._on_node, node, self._on_node[node] - {pod_name})
        self._journal.put(self._free, node, less(self._free[node], pod.requests, -1))
        if pod.gang is not None:
            self._journal.put(self._of_gang, pod.gang, self._of_gang[pod.gang] - {pod_name})
        self._capacity_changed()
        return pod

    @atomic
    def wait(self, pod: Pod) -> None:
        """A pod of no gang wants a node."""
        _new("Pod", self._bound, pod.name)
        _new("Pod", self._waiting, pod.name)
        if pod.gang is not None:
            raise Invalid("Pod", pod.name, "gang", "a gang's members wait with their gang")
        self._journal.put(self._waiting, pod.name, pod)

    @atomic
    def evict_pod(self, pod_name: str) -> None:
        """The pod leaves its node; one with an owner is created again and waits for a node."""
        pod = self.release(pod_name)
        if pod.gang is None and pod.owner is not None:
            self.wait(pod)

    @atomic
    def forget_pod(self, pod_name: str) -> None:
        """The pod is gone for good, wherever it was."""
        if pod_name in self._waiting:
            self._journal.drop(self._waiting, pod_name)
        else:
            self.release(pod_name)

    # -- quota that gangs hold -------------------------------------------------------------------------------------

    def _charge_pod(self, pod: Pod, node: str) -> None:
        """One more pod of a gang that nobody admitted."""
        if pod.gang is None or self._states[pod.gang].admission is not None:
            return
        more = self._pod_usage(self._gangs[pod.gang], Bound(pod, node))
        if more:
            charge = dict(self._charges.get(pod.gang, {}))
            for key, quantity in more.items():
                charge[key] = charge.get(key, 0) + quantity
            self._journal.put(self._charges, pod.gang, charge)
            self._move_usage(pod.gang, more, 1)

    def _charge(self, name: str) -> None:
        charge = self._count_charge(self._gangs[name])
        if charge:
            self._journal.put(self._charges, name, charge)
            self._move_usage(name, charge, 1)

    def _uncharge(self, name: str) -> None:
        charge = self._charges.get(name)
        if charge:
            self._journal.drop(self._charges, name)
            self._move_usage(name, charge, -1)

    def _move_usage(self, name: str, charge: Charge, sign: int) -> None:
        place: Place = ("queue", str(self._gangs[name].queue))
        for key in sorted(charge):
            for at, changed, value in self.quota_tree.charge(place, key, sign * charge[key], self._usage):
                if value:
                    self._journal.put(self._usage, (at, changed), value)
                else:
                    self._journal.drop(self._usage, (at, changed))

    def _count_charge(self, gang: Gang) -> Charge:
        total: dict[FlavorResource, int] = {}
        admission = self._states[gang.name].admission
        if gang.queue is not None and admission is not None:
            for each in gang.pod_sets:
                flavors = admission.flavors.get(each.name, {})
                add_usage(total, self._queues[gang.queue], each.requests, admission.counts[each.name], flavors)
        elif gang.queue is not None:
            for pod in sorted(self._of_gang[gang.name]):
                for key, quantity in self._pod_usage(gang, self._bound[pod]).items():
                    total[key] = total.get(key, 0) + quantity
        return total

    def _pod_usage(self, gang: Gang, bound: Bound) -> Charge:
        total: dict[FlavorResource, int] = {}
        if gang.queue is not None:
            queue = self._queues[gang.queue]
            add_usage(total, queue, bound.pod.requests, 1, self._flavors_at(queue, self._nodes[bound.node]))
        return total

    def _flavors_at(self, queue: Queue, node: Node) -> dict[str, str]:
        """The flavors that this node is an example of, for a pod that nobody admitted."""
        found: dict[str, str] = {}
        for quota in queue.quotas:
            labels = self._flavors[quota.flavor].node_labels if quota.flavor in self._flavors else {}
            if all(node.labels.get(key) == value for key, value in labels.items()):
                found.setdefault(quota.resource, quota.flavor)
        return found

    @contextmanager
    def fork(self) -> Iterator["Snapshot"]:
        """A what-if: whatever happens inside is undone at the end."""
        mark = self.mark()
        try:
            yield self
        finally:
            self.undo(mark)


V = TypeVar("V")


def _get(kind: str, table: Mapping[str, V], name: str) -> V:
    if name not in table:
        raise Unknown(kind, name, "name", "is not in this snapshot")
    return table[name]


def _new(kind: str, table: Mapping[str, object], name: str) -> None:
    if name in table:
        raise Duplicate(kind, name, "name", "is taken")


def _usable(node: Node) -> bool:
    return node.ready and not node.unschedulable
