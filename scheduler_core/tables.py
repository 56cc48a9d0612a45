"""The tables behind a snapshot and how they are read. `Holdings` and `Snapshot` write them, through the journal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Self, TypeVar

from scheduler_core.capacity import Capacity
from scheduler_core.errors import Duplicate, Unknown
from scheduler_core.idle import Idle, takes_pods
from scheduler_core.journal import Journaled, Mark
from scheduler_core.model import Gang, Node, Pod, Requests, gpus
from scheduler_core.quota import Cohort, Flavor, FlavorResource, Queue
from scheduler_core.quota_tree import Place, QuotaTree
from scheduler_core.state import Bound, Charge, GangState, Phase
from scheduler_core.topologies import Topology
from scheduler_core.watched import Watched

V = TypeVar("V")


def get(kind: str, table: Mapping[str, V], name: str) -> V:
    try:
        return table[name]
    except KeyError:
        raise Unknown(kind, name, "name", "is not in this snapshot") from None


def require_new(kind: str, table: Mapping[str, object], name: str) -> None:
    if name in table:
        raise Duplicate(kind, name, "name", "is taken")


def is_domain(topology: Topology, values: Sequence[str], nodes: Mapping[str, Node]) -> bool:
    """Does any node stand there? A host may be named alone."""
    levels = topology.levels
    if not 0 < len(values) <= len(levels):
        return False
    ways = [list(zip(levels, values, strict=False))]
    if len(values) == 1 and topology.ends_at_hosts:
        ways.append([(levels[-1], values[0])])
    likely = nodes.get(values[-1])  # hosts are called as their nodes nearly always
    there = chain([likely] if likely is not None else [], nodes.values())
    return any(all(node.labels.get(level) == value for level, value in way) for node in there for way in ways)


class Tables(Journaled):
    def __init__(self) -> None:
        super().__init__()
        self._nodes: Watched[str, Node] = Watched()
        self._free: Watched[str, Requests] = Watched()
        self.capacity = Capacity(self._nodes, self._free)  # the same as a matrix: how many pods of a shape fit where
        self.idle = Idle(self._nodes, self._free)
        self._flavors: dict[str, Flavor] = {}
        self._topologies: dict[str, Topology] = {}
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
        self._counts: dict[str, Mapping[str, int]] = {}  # gang -> pod set -> its pods that are on a node
        self._waiting: dict[str, Pod] = {}
        self._parked: dict[str, bool] = {}

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self._nodes

    @property
    def flavors(self) -> Mapping[str, Flavor]:
        return self._flavors

    @property
    def topologies(self) -> Mapping[str, Topology]:
        return self._topologies

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
        return get("Gang", self._gangs, name)

    def state_of(self, gang: str) -> GangState:
        return get("Gang", self._states, gang)

    def pods_on(self, node: str) -> tuple[str, ...]:
        return tuple(sorted(self._on_node[get("Node", self._nodes, node).name]))

    def pods_of(self, gang: str) -> tuple[str, ...]:
        return tuple(sorted(self._of_gang[self.gang(gang).name]))

    def has_pods(self, gang: str) -> bool:
        """Any of its pods is on a node."""
        return bool(get("Gang", self._counts, gang))

    def running(self, gang: str) -> dict[str, int]:
        """How many pods of each pod set are on a node."""
        counts = get("Gang", self._counts, gang)
        return {each.name: counts.get(each.name, 0) for each in self.gang(gang).pod_sets}

    def phase(self, gang: str) -> Phase:
        try:  # asked for every gang at every look, so without a call
            counts = self._counts[gang]
        except KeyError:
            raise Unknown("Gang", gang, "name", "is not in this snapshot") from None
        if not counts and self._states[gang].admission is None:
            return Phase.PENDING
        if all(counts.get(each.name, 0) >= each.minimum for each in self._gangs[gang].pod_sets):
            return Phase.RUNNING
        return Phase.PARTIAL if counts else Phase.ADMITTED

    def pending_gangs(self) -> tuple[str, ...]:
        """Gangs without quota and without pods."""
        return tuple(name for name in self._gangs if not self._of_gang[name] and self._states[name].admission is None)

    def leaving_gangs(self) -> tuple[str, ...]:
        """Sent back, and their quota not given up yet."""
        return tuple(n for n, state in self._states.items() if state.evicted and state.admission is not None)

    def is_parked(self, gang: str) -> bool:
        return gang in self._parked

    def available(self, queue: str, key: FlavorResource) -> int:
        """What the queue may still take, lending and borrowing counted; may be negative."""
        return self.quota_tree.available(("queue", get("Queue", self._queues, queue).name), key, self._usage)

    def charge_of(self, gang: str) -> Charge:
        """The quota a gang holds."""
        return self._charges.get(gang, {}) if gang in self._gangs else get("Gang", {}, gang)

    def unchanged(self, mark: Mark) -> bool:
        """Since the mark, nothing was written but who is not tried again."""
        return self._journal.written(mark) <= {id(self._parked)}

    def only_nodes_changed(self, mark: Mark) -> bool:
        """Since the mark, nothing was written but nodes, what is free on them, and who is not tried again."""
        return self._journal.written(mark) <= {id(self._nodes), id(self._free), id(self._parked)}

    def gpus_free(self) -> int:
        """Whole GPUs free on nodes that take new pods."""
        return sum(max(0, gpus(self._free[name])) for name, node in self._nodes.items() if takes_pods(node))

    def gpus_total(self) -> int:
        return sum(gpus(node.allocatable) for node in self._nodes.values() if takes_pods(node))

    def contents(self) -> dict[str, Any]:
        """Everything there is to know, comparable: two snapshots with equal contents decide alike."""
        return {name: dict(table) for name, table in vars(self).items() if isinstance(table, dict) and name != "_tree"}

    @contextmanager
    def fork(self) -> Iterator[Self]:
        """A what-if: whatever happens inside is undone at the end."""
        mark = self.mark()
        try:
            yield self
        finally:
            self.undo(mark)
