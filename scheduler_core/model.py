"""The nouns of scheduling, frozen: what a cluster offers and what a gang asks for.

Quantities are integers in whatever smallest unit the caller uses throughout (whole or milli-GPU, milli-CPU, bytes);
the core only adds and compares them. Times are seconds on the caller's clock. Quota nouns live in `quota.py`,
what is running and what is waiting in `snapshot.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from scheduler_core.errors import (
    Duplicate,
    Invalid,
    require_name,
    require_number,
    require_priority,
    require_whole,
    require_word,
)
from scheduler_core.topologies import TopologyRequest, require_answerable

Seconds = int | float
Requests = Mapping[str, int]

PODS = "pods"  # every pod takes one where a node or a quota counts them
UNSCHEDULABLE_TAINT_KEY = "node.kubernetes.io/unschedulable"
RESERVED_TAINT_KEY = "watchkeeper.dev/reserved-for"  # its value says which gang the node is held for


def is_gpu(resource: str) -> bool:
    """Whole devices of any vendor (`nvidia.com/gpu`, `amd.com/gpu`)."""
    return resource.endswith("/gpu")


def gpus(requests: Requests) -> int:
    return sum(quantity for resource, quantity in requests.items() if is_gpu(resource))


class TaintEffect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    NO_EXECUTE = "NoExecute"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"


_EFFECTS = tuple(str(each) for each in TaintEffect)


@dataclass(frozen=True)
class Taint:
    key: str
    value: str = ""
    effect: str = TaintEffect.NO_SCHEDULE

    def __post_init__(self) -> None:
        require_word("Taint", self.key, "effect", self.effect, _EFFECTS)


@dataclass(frozen=True)
class Toleration:
    key: str = ""  # empty with operator Exists tolerates everything
    operator: str = "Equal"  # Equal | Exists
    value: str = ""
    effect: str = ""  # empty tolerates every effect

    def __post_init__(self) -> None:
        require_word("Toleration", self.key, "operator", self.operator, ("Equal", "Exists"))
        require_word("Toleration", self.key, "effect", self.effect, ("", *_EFFECTS))

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.operator == "Exists":
            return self.key in ("", taint.key)
        return self.key == taint.key and self.value == taint.value


@dataclass(frozen=True)
class Requirement:
    """One match expression on a node label."""

    key: str
    operator: str  # In | NotIn | Exists | DoesNotExist | Gt | Lt
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.operator not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"):
            raise Invalid("Requirement", self.key, "operator", f"{self.operator!r} is unknown")
        if self.operator in ("Gt", "Lt") and not (len(self.values) == 1 and self.values[0].lstrip("-").isdigit()):
            raise Invalid("Requirement", self.key, "values", "Gt and Lt take one integer")

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator in ("NotIn", "DoesNotExist"):
            return value is None or (self.operator == "NotIn" and value not in self.values)
        if value is None or self.operator in ("Exists", "In"):
            return value is not None and (self.operator == "Exists" or value in self.values)
        if not value.lstrip("-").isdigit():
            return False
        difference = int(value) - int(self.values[0])
        return difference > 0 if self.operator == "Gt" else difference < 0


@dataclass(frozen=True)
class NodeTerm:
    """All expressions of a term must hold; of several terms, one."""

    match_expressions: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.match_expressions) and all(each.matches(labels) for each in self.match_expressions)


@dataclass(frozen=True)
class Node:
    name: str
    allocatable: Requests
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ready: bool = True
    unschedulable: bool = False

    def __post_init__(self) -> None:
        require_name("Node", self.name)
        for resource, quantity in self.allocatable.items():
            require_whole("Node", self.name, f"allocatable.{resource}", quantity)
        object.__setattr__(self, "allocatable", dict(self.allocatable))
        object.__setattr__(self, "labels", dict(self.labels))


@dataclass(frozen=True, kw_only=True)
class PodShape:
    """What one pod needs of a node; pods of one shape are interchangeable to placement."""

    requests: Requests = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    required_node_affinity: tuple[NodeTerm, ...] = ()
    excluded_nodes: frozenset[str] = frozenset()

    def _own(self, kind: str, name: str) -> None:
        require_name(kind, name)
        for resource, quantity in self.requests.items():
            require_whole(kind, name, f"requests.{resource}", quantity)
        for each in ("requests", "node_selector"):
            object.__setattr__(self, each, dict(getattr(self, each)))
        object.__setattr__(self, "excluded_nodes", frozenset(self.excluded_nodes))

    def shape(self) -> "PodShape":
        return PodShape(
            requests=self.requests,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
            required_node_affinity=self.required_node_affinity,
            excluded_nodes=self.excluded_nodes,
        )


@dataclass(frozen=True, kw_only=True)
class Pod(PodShape):
    """One pod by name: a member of a gang, or a pod of its own such as a Deployment's replica."""

    name: str
    gang: str | None = None
    pod_set: str | None = None  # may be left out where the gang has one pod set
    owner: str | None = None  # who recreates it when it is removed; None: nobody
    priority: int = 0
    created_s: Seconds = 0

    def __post_init__(self) -> None:
        self._own("Pod", self.name)
        require_priority("Pod", self.name, "priority", self.priority)
        require_number("Pod", self.name, "created_s", self.created_s, least=None)

    def named(self, name: str) -> "Pod":
        """Another such pod. What is frozen is shared, and was checked once: a gang may have hundreds of them."""
        require_name("Pod", name)
        twin = object.__new__(Pod)
        twin.__dict__.update(self.__dict__, name=name)
        return twin


@dataclass(frozen=True, kw_only=True)
class PodSet(PodShape):
    name: str = "main"
    count: int
    min_count: int | None = None  # None: all of them
    pods: tuple[str, ...] = ()  # the members' names; left out, they are <gang>-<pod set>-<index>
    topology: TopologyRequest | None = None

    def __post_init__(self) -> None:
        self._own("PodSet", self.name)
        require_whole("PodSet", self.name, "count", self.count)
        if self.min_count is not None:
            require_whole("PodSet", self.name, "min_count", self.min_count, least=1)
            if self.min_count > self.count:
                raise Invalid("PodSet", self.name, "min_count", f"{self.min_count} is above count {self.count}")
        if self.pods and len(self.pods) != self.count:
            raise Invalid("PodSet", self.name, "pods", f"{len(self.pods)} names for count {self.count}")
        if len(set(self.pods)) != len(self.pods):
            raise Duplicate("PodSet", self.name, "pods", "a member is named twice")
        if self.topology is not None:
            require_answerable(self.name, self.topology)

    @property
    def minimum(self) -> int:
        return self.count if self.min_count is None else self.min_count


@dataclass(frozen=True, kw_only=True)
class Gang:
    """Pods that start together or not at all."""

    name: str
    pod_sets: tuple[PodSet, ...]
    queue: str | None = None  # None: no quota applies, only capacity
    priority: int = 0
    created_s: Seconds = 0
    active: bool = True
    held: bool = False  # the way into its queue is closed to it; what it has it keeps
    excluded_nodes: frozenset[str] = frozenset()
    uid: str = ""  # breaks the last tie between gangs; empty: the name does
    local_queue: str | None = None  # whose usage it counts to, where several share one queue
    gates: frozenset[str] = frozenset()  # it is not looked at before all of these are lifted
    preemption_gates: frozenset[str] = frozenset()  # closed ones: nobody is sent back for it before all are lifted
    walltime_s: Seconds | None = (
        None  # it must have ended so long after its start; None: nobody knows, it may run for ever
    )
    elastic: bool = False  # once admitted it grows to its count and may be shrunk to its minimum

    def __post_init__(self) -> None:
        require_name("Gang", self.name)
        require_priority("Gang", self.name, "priority", self.priority)
        require_number("Gang", self.name, "created_s", self.created_s, least=None)
        if self.walltime_s is not None:
            require_number("Gang", self.name, "walltime_s", self.walltime_s)
            if self.walltime_s == 0:
                raise Invalid("Gang", self.name, "walltime_s", "0 is not above 0")
        if not self.pod_sets:
            raise Invalid("Gang", self.name, "pod_sets", "is empty")
        names = [each.name for each in self.pod_sets]
        if len(set(names)) != len(names):
            raise Duplicate("Gang", self.name, "pod_sets", "two pod sets share a name")
        members = [pod for each in self.pod_sets for pod in each.pods]
        if len(set(members)) != len(members):
            raise Duplicate("Gang", self.name, "pod_sets", "two pod sets share a pod's name")
        object.__setattr__(self, "excluded_nodes", frozenset(self.excluded_nodes))
        object.__setattr__(self, "gates", frozenset(self.gates))
        object.__setattr__(self, "preemption_gates", frozenset(self.preemption_gates))

    @property
    def minimum(self) -> int:
        return sum(each.minimum for each in self.pod_sets)

    @property
    def count(self) -> int:
        return sum(each.count for each in self.pod_sets)

    def pod_set(self, name: str | None) -> PodSet:
        """The pod set of that name, or the only one there is."""
        if name is None and len(self.pod_sets) == 1:
            return self.pod_sets[0]
        for each in self.pod_sets:
            if each.name == name:
                return each
        raise Invalid("Gang", self.name, "pod_sets", f"has no pod set {name!r}")

    def members(self, pod_set: PodSet) -> Iterable[str]:
        """One after the other: there may be far more of them than anybody will ever ask for."""
        return pod_set.pods or (f"{self.name}-{pod_set.name}-{index}" for index in range(pod_set.count))

    def with_active(self, active: bool) -> "Gang":
        return replace(self, active=active)
