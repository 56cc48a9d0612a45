"""The cluster as the scheduler sees it: what there is, what runs where, who is waiting. The only mutable thing here.

Facts come in (`add_*`, `occupy`, `admit`), decisions come in (`bind`, `admit`, `evict`), and `mark`/`undo` take back
whatever happened in between. `occupy` believes the caller, even about a node that is over-full; `bind` does not.
A gang holds quota for what it was admitted with; one that runs without admission, for the pods that run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from scheduler_core.eligibility import barrier
from scheduler_core.errors import Conflict, Invalid, Unknown, require_number, require_whole
from scheduler_core.journal import atomic
from scheduler_core.model import Gang, Node, Pod, Requests, Seconds
from scheduler_core.occupancy import Occupancy
from scheduler_core.placement import less, room_for
from scheduler_core.quota import DEFAULT_FLAVOR, Cohort, Flavor, Queue
from scheduler_core.quota_tree import QuotaTree
from scheduler_core.state import Admission, Bound, GangState, changed
from scheduler_core.tables import get, is_domain, require_new
from scheduler_core.topologies import Topology


class Snapshot(Occupancy):
    def __init__(
        self,
        *,
        nodes: Iterable[Node] = (),
        topologies: Iterable[Topology] = (),
        flavors: Iterable[Flavor] = (),
        cohorts: Iterable[Cohort] = (),
        queues: Iterable[Queue] = (),
        gangs: Iterable[Gang] = (),
    ) -> None:
        super().__init__()
        for node in nodes:
            self.add_node(node)
        for topology in topologies:
            self.add_topology(topology)
        for flavor in flavors:
            self.add_flavor(flavor)
        self._set_up_queues(cohorts, queues)
        for gang in gangs:
            self.add_gang(gang)

    # -- what there is ---------------------------------------------------------------------------------------------

    @atomic
    def add_node(self, node: Node) -> None:
        require_new("Node", self._nodes, node.name)
        self._put_node(node)
        self._journal.put(self._on_node, node.name, frozenset())

    @atomic
    def replace_node(self, node: Node) -> None:
        """The node as it is now; its pods stay where they are."""
        relabelled = get("Node", self._nodes, node.name).labels != node.labels
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
    def add_topology(self, topology: Topology) -> None:
        require_new("Topology", self._topologies, topology.name)
        self._journal.put(self._topologies, topology.name, topology)

    @atomic
    def add_flavor(self, flavor: Flavor) -> None:
        require_new("Flavor", self._flavors, flavor.name)
        if flavor.topology is not None and flavor.topology not in self._topologies:
            raise Unknown("Flavor", flavor.name, "topology", f"there is no topology {flavor.topology!r}")
        self._journal.put(self._flavors, flavor.name, flavor)
        self._recount()

    @atomic
    def add_cohort(self, cohort: Cohort) -> None:
        require_new("Cohort", self._cohorts, cohort.name)
        self._put_quotas(cohorts=[cohort])

    @atomic
    def replace_cohort(self, cohort: Cohort) -> None:
        get("Cohort", self._cohorts, cohort.name)
        self._put_quotas(cohorts=[cohort])

    @atomic
    def add_queue(self, queue: Queue) -> None:
        require_new("Queue", self._queues, queue.name)
        self._put_quotas(queues=[queue])

    @atomic
    def replace_queue(self, queue: Queue) -> None:
        get("Queue", self._queues, queue.name)
        self._put_quotas(queues=[queue])

    @atomic
    def remove_queue(self, name: str) -> None:
        get("Queue", self._queues, name)
        holders = sorted(gang.name for gang in self._gangs.values() if gang.queue == name)
        if holders:
            raise Conflict("Queue", name, "gangs", f"{holders[0]} is still in it")
        self._journal.drop(self._queues, name)
        self._put_quotas()

    @atomic
    def _set_up_queues(self, cohorts: Iterable[Cohort], queues: Iterable[Queue]) -> None:
        cohorts, queues = list(cohorts), list(queues)
        for cohort in cohorts:
            require_new("Cohort", self._cohorts, cohort.name)
            self._journal.put(self._cohorts, cohort.name, cohort)
        for queue in queues:
            require_new("Queue", self._queues, queue.name)
            self._journal.put(self._queues, queue.name, queue)
        places: list[Queue | Cohort] = [*cohorts, *queues]
        for place in places:
            self._known_flavors(place)
        self._put_quotas()

    def _known_flavors(self, place: Queue | Cohort) -> None:
        for quota in place.quotas:
            if quota.flavor not in self._flavors and quota.flavor != DEFAULT_FLAVOR:
                why = f"there is no flavor {quota.flavor!r}"
                raise Unknown(type(place).__name__, place.name, f"quotas.{quota.key}", why)

    def _put_quotas(self, *, cohorts: Iterable[Cohort] = (), queues: Iterable[Queue] = ()) -> None:
        for cohort in cohorts:
            self._known_flavors(cohort)
            self._journal.put(self._cohorts, cohort.name, cohort)
        for queue in queues:
            self._known_flavors(queue)
            self._journal.put(self._queues, queue.name, queue)
        self._journal.put(self._tree, "tree", QuotaTree(self._queues.values(), self._cohorts.values()))
        self._recount()

    # -- gangs: what is not `atomic` writes nothing before its last check, so there is nothing to take back -----------

    def add_gang(self, gang: Gang) -> None:
        require_new("Gang", self._gangs, gang.name)
        self._known_queue(gang)
        self._journal.put(self._gangs, gang.name, gang)
        self._journal.put(self._states, gang.name, GangState(queued_s=None))
        self._journal.put(self._of_gang, gang.name, frozenset())
        self._journal.put(self._counts, gang.name, {})

    @atomic
    def replace_gang(self, gang: Gang) -> None:
        """The gang as its owner wants it now; its pods and its admission stay."""
        get("Gang", self._gangs, gang.name)
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

    def remove_gang(self, name: str) -> None:
        """It finished, or was deleted: pods, quota and memory of it go."""
        self._give_up(self.gang(name).name)
        self._journal.drop(self._gangs, name)
        self._journal.drop(self._states, name)
        self._journal.drop(self._of_gang, name)
        self._journal.drop(self._counts, name)
        self._capacity_changed()

    def restore(self, name: str, state: GangState) -> None:
        """What the outside says about a gang: its admission, its back-off."""
        self.gang(name)
        same = state.admission is self._states[name].admission
        if state.admission is not None and not same:
            self._check_admission(name, state.admission)
        if not same:
            self._uncharge(name)
        self._journal.put(self._states, name, state)
        if not same:
            self._charge(name)
        self._capacity_changed()

    def admit(self, name: str, admission: Admission) -> None:
        """The gang holds quota from now on. Whether it may is decided by the caller."""
        self.gang(name)
        self._check_admission(name, admission)
        self._known_domains(name, admission)
        self._uncharge(name)
        state = changed(self._states[name], admission=admission, requeue_at_s=None)
        self._journal.put(self._states, name, state)
        self._journal.drop(self._parked, name)
        self._charge(name)

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
        require_number("Gang", name, "delay_s", delay_s)
        gone, before = self._give_up(name), self._states[name]
        state = GangState(
            returns=before.returns if returns is None else returns,
            requeue_at_s=now_s + delay_s if delay_s else None,
            queued_s=now_s,
            excluded_nodes=frozenset(exclude_nodes),
        )
        self._journal.put(self._states, gang.name, state)
        self._capacity_changed()
        return gone

    def _give_up(self, name: str) -> tuple[str, ...]:
        """Its nodes and its quota."""
        gone = self.pods_of(name)
        if gone:
            self._lift(gone)
        self._uncharge(name)
        return gone

    def park(self, name: str) -> None:
        """Nothing to be done for this gang until capacity changes."""
        self._journal.put(self._parked, self.gang(name).name, True)

    def _known_queue(self, gang: Gang) -> None:
        if gang.queue is not None and gang.queue not in self._queues:
            raise Unknown("Gang", gang.name, "queue", f"there is no queue {gang.queue!r}")

    def _check_admission(self, name: str, admission: Admission) -> None:
        wanted = {each.name for each in self._gangs[name].pod_sets}
        if set(admission.counts) != wanted:
            raise Invalid("Gang", name, "admission.counts", f"must name the pod sets {', '.join(sorted(wanted))}")
        gang = self._gangs[name]
        for each in gang.pod_sets:
            count, field = admission.counts[each.name], f"admission.counts.{each.name}"
            require_whole("Gang", name, field, count)
            if count > each.count and not gang.elastic:  # an elastic one was made smaller, and gives the rest up
                raise Invalid("Gang", name, field, f"{count} is above the pod set's count {each.count}")
        for pod_set, chosen in admission.flavors.items():
            for resource, flavor in chosen.items():
                if flavor not in self._flavors and flavor != DEFAULT_FLAVOR:
                    field = f"admission.flavors.{pod_set}.{resource}"
                    raise Unknown("Gang", name, field, f"there is no flavor {flavor!r}")
        for pod_set, usage in admission.usage.items():
            for resource, amount in usage.items():
                require_whole("Gang", name, f"admission.usage.{pod_set}.{resource}", amount)
        self._check_places(name, admission)

    def _check_places(self, name: str, admission: Admission) -> None:
        for pod_set, parts in admission.topology.items():
            field = f"admission.topology.{pod_set}"
            if pod_set not in admission.counts:
                raise Invalid("Gang", name, field, "the gang has no such pod set")
            for part in parts:
                require_whole("Gang", name, field, part.count)
            told = sum(part.count for part in parts)
            if parts and told != admission.counts[pod_set]:
                why = f"{told} pods in its domains, and {admission.counts[pod_set]} admitted"
                raise Invalid("Gang", name, field, why)

    def _known_domains(self, name: str, admission: Admission) -> None:
        """Of a decision; of what the outside tells (`restore`) a domain may be gone with its nodes since."""
        for pod_set, parts in admission.topology.items():
            flavors = [self._flavors.get(each) for each in admission.flavors.get(pod_set, {}).values()]
            topologies = [self._topologies[each.topology] for each in flavors if each is not None and each.topology]
            for part in parts if topologies else ():
                if not is_domain(topologies[0], part.values, self._nodes):
                    why = f"there is no domain {'/'.join(part.values)!r}"
                    raise Unknown("Gang", name, f"admission.topology.{pod_set}", why)

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
        if node not in self._nodes:
            raise Unknown("Pod", pod.name, "node", f"there is no node {node!r}")
        stands = barrier(self._nodes[node], pod)
        if stands is not None:
            raise Conflict("Pod", pod.name, "node", f"{node} is barred: {stands}")
        if not room_for(self._free[node], pod.requests):
            raise Conflict("Pod", pod.name, "node", f"{node} has no room for it")
        self.put_pod(pod, node)

    @atomic
    def bind_members(self, like: Pod, places: Mapping[str, str]) -> None:
        """A decision for many pods of one gang's pod set at once, all like this one: pod -> node."""
        gang = self.gang(str(like.gang))
        like = replace(like, pod_set=gang.pod_set(like.pod_set).name)
        for node in dict.fromkeys(places.values()):
            if node not in self._nodes:
                raise Unknown("Pod", like.name, "node", f"there is no node {node!r}")
            stands = barrier(self._nodes[node], like)
            if stands is not None:
                raise Conflict("Pod", like.name, "node", f"{node} is barred: {stands}")
        self._seat(like, places)
        self._join(gang.name, str(like.pod_set), places.keys())
        if self._states[gang.name].admission is None:
            for node in places.values():
                self._charge_pod(like, node)

    @atomic
    def put_pod(self, pod: Pod, node: str) -> None:
        """A fact: the pod is there. The node may be over-full by it."""
        require_new("Pod", self._bound, pod.name)
        if node not in self._nodes:
            raise Unknown("Pod", pod.name, "node", f"there is no node {node!r}")
        if pod.gang is not None:
            if pod.gang not in self._gangs:
                raise Unknown("Pod", pod.name, "gang", f"there is no gang {pod.gang!r}")
            gang = self.gang(pod.gang)
            pod = replace(pod, pod_set=gang.pod_set(pod.pod_set).name)
            self._join(gang.name, str(pod.pod_set), {pod.name})
        self._journal.drop(self._waiting, pod.name)
        self._journal.put(self._bound, pod.name, Bound(pod, node))
        self._journal.put(self._on_node, node, self._on_node[node] | {pod.name})
        self._journal.put(self._free, node, less(self._free[node], pod.requests))
        self._charge_pod(pod, node)

    @atomic
    def release(self, pod_name: str) -> Pod:
        """The pod left its node."""
        pod = get("Pod", self._bound, pod_name).pod
        self._lift((pod_name,))
        if pod.gang is not None and self._states[pod.gang].admission is None:
            self._uncharge(pod.gang)
            self._charge(pod.gang)
        return pod

    @atomic
    def wait(self, pod: Pod) -> None:
        """A pod of no gang wants a node."""
        require_new("Pod", self._bound, pod.name)
        require_new("Pod", self._waiting, pod.name)
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


__all__ = ["Admission", "Bound", "GangState", "Snapshot"]
