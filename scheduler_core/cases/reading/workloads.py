"""Workloads: what they ask for, and how those that are in already were let in."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from scheduler_core.cases.fields import BadCase, Fields, chosen, read, text_at
from scheduler_core.cases.form import Workload
from scheduler_core.cases.quantities import counted_all
from scheduler_core.cases.reading.cluster import NAMESPACE, node_term, toleration
from scheduler_core.cases.times import time_of
from scheduler_core.model import Gang, PodSet, Seconds
from scheduler_core.quota import LocalQueue, StopPolicy
from scheduler_core.state import Admission, CheckState, DomainCount, Eviction, GangState
from scheduler_core.topologies import Mode, Slice, TopologyRequest

LOSES_ITS_PLACE = ("PodsReadyTimeout", "AdmissionCheck")  # sent back for this, it queues by when it was, not by age
Doors = Mapping[tuple[str, str], LocalQueue]


class WorkloadReader:
    """Needs to know which local queue leads where, what flavors there are, and the time for those that do not say."""

    def __init__(self, doors: Doors, flavors: Collection[str], now_s: Seconds) -> None:
        self._doors, self._flavors, self._now_s = doors, flavors, now_s

    def __call__(self, fields: Fields) -> Workload:
        name, namespace = fields.text("name"), fields.text("namespace", NAMESPACE)
        pod_sets = fields.each("pod_sets", pod_set)
        created_s = time_of(fields, "created_at")
        gang = Gang(
            name=f"{namespace}/{name}",
            pod_sets=pod_sets,
            priority=fields.maybe_priority("priority") or 0,
            created_s=self._now_s if created_s is None else created_s,
            active=fields.flag("active", True),
            uid=fields.text("uid", name),
            gates=frozenset(fields.texts("admission_gated_by")),
            preemption_gates=frozenset(fields.texts("preemption_gates")),
            elastic=fields.flag("elastic", False),
        )
        admitted_to, admission = self._admission(fields, gang)
        queue, local_queue = self._queue(fields, namespace, admitted_to)
        policy = self._policy_of(namespace, local_queue)
        state = self._state(fields, admission, policy)
        held = policy is not StopPolicy.NONE
        return Workload(name, namespace, replace(gang, queue=queue, local_queue=local_queue, held=held), state)

    def _policy_of(self, namespace: str, local_queue: str | None) -> StopPolicy:
        door = self._doors.get((namespace, (local_queue or "").removeprefix(f"{namespace}/")))
        return StopPolicy.NONE if door is None else door.stop_policy

    def _queue(self, fields: Fields, namespace: str, admitted_to: str | None) -> tuple[str, str | None]:
        door = fields.maybe_text("queue")
        if door is None:
            if admitted_to is None:
                raise BadCase(fields.at("queue"), "is missing")
            return admitted_to, None
        found = self._doors.get((namespace, door))
        if found is None and admitted_to is None:
            raise BadCase(fields.at("queue"), f"there is no local queue {door!r} in namespace {namespace!r}")
        return admitted_to or (found.queue if found else ""), f"{namespace}/{door}"

    def _admission(self, fields: Fields, gang: Gang) -> tuple[str | None, Admission | None]:
        return fields.maybe_one("admission", lambda inner: self._admitted(inner, gang)) or (None, None)

    def _admitted(self, fields: Fields, gang: Gang) -> tuple[str, Admission]:
        queue, at_s = fields.text("cluster_queue"), time_of(fields, "at")
        counts = {each.name: each.count for each in gang.pod_sets}
        flavors: dict[str, Mapping[str, str]] = {}
        usage: dict[str, Mapping[str, int]] = {}
        topology: dict[str, tuple[DomainCount, ...]] = {}
        for value, where in fields.items("pod_sets"):
            name, count, told, used, domains = read(value, where, _assigned)
            if name not in counts:
                raise BadCase(f"{where}.name", f"the workload has no pod set {name!r}")
            for resource, flavor in told.items():
                if flavor not in self._flavors:
                    raise BadCase(f"{where}.flavors.{resource}", f"there is no flavor {flavor!r}")
            counts[name] = counts[name] if count is None else count
            flavors[name], topology[name] = told, domains
            if used:
                usage[name] = used
        taken = {name: domains for name, domains in topology.items() if domains}
        return queue, Admission(self._now_s if at_s is None else at_s, counts, flavors, usage, taken)

    def _state(self, fields: Fields, admission: Admission | None, policy: StopPolicy) -> GangState | None:
        """One whose local queue is drained leaves before anything else happens, as one of a drained cluster queue."""
        evicted = fields.maybe_one("evicted", _eviction)
        if admission is not None and evicted is None and policy is StopPolicy.HOLD_AND_DRAIN:
            evicted = Eviction("LocalQueueStopped", self._now_s)
        told = fields.entries("admission_checks").items()
        checks = {name: chosen(CheckState, text_at(value, where), where) for name, (value, where) in told}
        requeue_at_s = time_of(fields, "requeue_at")
        unhealthy = frozenset(fields.texts("unhealthy_nodes"))
        if not (admission or evicted or unhealthy or checks) and requeue_at_s is None:
            return None
        late = admission is None and evicted is not None and evicted.reason in LOSES_ITS_PLACE
        return GangState(
            admission=admission,
            requeue_at_s=requeue_at_s,
            queued_s=evicted.at_s if evicted and late else None,
            evicted=evicted,
            unhealthy_nodes=unhealthy,
            checks=checks,
        )


def pod_set(fields: Fields) -> PodSet:
    count = fields.maybe_whole("count")
    if count is None:
        raise BadCase(fields.at("count"), "is missing")
    return PodSet(
        name=fields.text("name", "main"),
        count=count,
        min_count=fields.maybe_whole("min_count"),
        requests=counted_all(fields.entries("requests"), up=True),
        node_selector=fields.text_map("node_selector"),
        tolerations=fields.each("tolerations", toleration),
        required_node_affinity=fields.each("required_node_affinity", node_term),
        topology=fields.maybe_one("topology_request", _topology_request),
    )


def _topology_request(fields: Fields) -> TopologyRequest | None:
    """Without a mode and a slice it names a group at most."""
    told, mode = fields.has("mode"), fields.choice("mode", Mode, Mode.UNCONSTRAINED)
    level, group = fields.maybe_text("level"), fields.maybe_text("group")
    slice_level, size = fields.maybe_text("slice_level"), fields.maybe_whole("slice_size", least=1)
    if (level is None) is not (mode is Mode.UNCONSTRAINED) and not (told and level):
        raise BadCase(fields.at("level"), f"{mode} needs one" if told else "says nothing without a mode")
    if (slice_level is None) != (size is None):
        raise BadCase(fields.at("slice_size"), "slice_level and slice_size come together")
    layers = fields.each("slices", _slice)
    if layers and slice_level:
        raise BadCase(fields.at("slices"), "slice_level and slice_size say the same of one layer: give either")
    slices = (Slice(slice_level, size),) if slice_level and size else layers
    explicit = told or bool(slices)
    if not explicit and group is None:
        return None
    return TopologyRequest(mode=mode, level=level, slices=slices, group=group, explicit=explicit)


def _slice(fields: Fields) -> Slice:
    """One layer, the coarse ones before the fine ones."""
    size = fields.maybe_whole("size", least=1)
    if size is None:
        raise BadCase(fields.at("size"), "is missing")
    return Slice(fields.text("level"), size)


_Assigned = tuple[str, int | None, dict[str, str], dict[str, int], tuple[DomainCount, ...]]


def _assigned(fields: Fields) -> _Assigned:
    return (
        fields.text("name", "main"),
        fields.maybe_whole("count"),
        fields.text_map("flavors"),
        counted_all(fields.entries("usage"), up=True),
        fields.each("topology", domain),
    )


def domain(fields: Fields) -> DomainCount:
    values, count = fields.texts("domain"), fields.maybe_whole("count")
    if not values or count is None:
        raise BadCase(fields.where, "domain and count are wanted")
    return DomainCount(values, count)


def _eviction(fields: Fields) -> Eviction:
    reason, at_s = fields.text("reason"), time_of(fields, "at")
    if at_s is None:
        raise BadCase(fields.at("at"), "is missing")
    return Eviction(reason, at_s)
