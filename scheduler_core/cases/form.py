"""What a case is: a cluster, a question, and what must come of it. `Answer` is what the core says to compare with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_core.fungibility import Mode
from scheduler_core.model import Gang, Node, Pod, Seconds
from scheduler_core.quota import Cohort, Flavor, LocalQueue, Queue
from scheduler_core.settings import Settings
from scheduler_core.state import DomainCount, GangState
from scheduler_core.topologies import Topology


class Ask(StrEnum):
    SCHEDULE = "schedule"
    PREEMPT = "preempt"
    FLAVORS = "flavors"
    TOPOLOGY = "topology"
    QUOTA = "quota"
    SHARE = "share"
    EXPLAIN = "explain"


@dataclass(frozen=True)
class PodSetEntry:
    """How one pod set was let in; in an expectation None is not compared."""

    name: str
    count: int | None = None
    flavors: Mapping[str, str] | None = None
    topology: tuple[DomainCount, ...] | None = None


@dataclass(frozen=True)
class Entry:
    cluster_queue: str | None = None
    pod_sets: tuple[PodSetEntry, ...] | None = None


@dataclass(frozen=True)
class ShareEntry:
    value: int | None = None
    resource: str | None = None


@dataclass(frozen=True)
class Binding:
    """The number that binds: of what, how much is wanted, and how much there is."""

    resource: str | None = None
    wanted: int | None = None
    available: int | None = None


Amounts = Mapping[str, Mapping[str, int]]  # queue or cohort -> flavor/resource -> amount


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Expected: what is None is not compared. Given: None where the question does not ask for it."""

    admitted: Mapping[str, Entry] | None = None
    preempted: Mapping[str, str | None] | None = None  # workload -> reason; None: any
    pending: tuple[str, ...] | None = None
    inadmissible: tuple[str, ...] | None = None
    mode: Mode | None = None
    borrowing: int | None = None
    available: Amounts | None = None
    potential: Amounts | None = None
    shares: Mapping[str, ShareEntry] | None = None
    reason: Mapping[str, str] | None = None
    resized: Mapping[str, Mapping[str, int]] | None = None  # elastic workload -> pod set -> its pods now
    binding: Mapping[str, Binding] | None = None
    remedy: Mapping[str, str] | None = None


EXPECTABLE: Mapping[Ask, tuple[str, ...]] = {
    Ask.QUOTA: ("available", "potential"),
    Ask.SHARE: ("shares",),
    Ask.FLAVORS: ("admitted", "mode", "borrowing"),
    Ask.TOPOLOGY: ("admitted", "reason"),
    Ask.PREEMPT: ("preempted", "mode"),
    Ask.SCHEDULE: ("admitted", "preempted", "pending", "inadmissible", "reason", "resized"),
    Ask.EXPLAIN: ("reason", "binding", "remedy"),
}


@dataclass(frozen=True)
class Workload:
    """`gang` carries the namespace in its name: two workloads may share the plain one."""

    name: str
    namespace: str
    gang: Gang
    state: GangState | None


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    ask: Ask
    expect: Answer
    settings: Settings
    now_s: Seconds
    cycles: int | None = 1  # None: until nothing changes
    topologies: tuple[Topology, ...] = ()
    flavors: tuple[Flavor, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    queues: tuple[Queue, ...] = ()
    local_queues: tuple[LocalQueue, ...] = ()
    nodes: tuple[Node, ...] = ()
    pods: tuple[tuple[Pod, str], ...] = ()  # with the node each is on
    workloads: tuple[Workload, ...] = ()
    incoming: str | None = None  # the gang's name
    source: str = ""
    tags: tuple[str, ...] = field(default=())
