"""What the agent may do to a cluster, as data that can be applied to a snapshot: the vocabulary of a what-if.

Each change is small, validates by what it calls, and leaves the snapshot as it was when it raises (`_whole`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from scheduler_core.errors import Invalid, Unknown, require_whole
from scheduler_core.model import RESERVED_TAINT_KEY, Gang, Node, Pod, Seconds, Taint, Toleration
from scheduler_core.quota import DEFAULT_FLAVOR, Quota, StopPolicy
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot

C = TypeVar("C")
P = ParamSpec("P")


class Change(Protocol):
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None: ...


def _whole(
    apply: Callable[Concatenate[C, Snapshot, P], None],
) -> Callable[Concatenate[C, Snapshot, P], None]:
    """For changes that write more than once: all of it, or, after an error, nothing."""

    def whole(self: C, snapshot: Snapshot, /, *args: P.args, **kwargs: P.kwargs) -> None:
        mark = snapshot.mark()
        try:
            apply(self, snapshot, *args, **kwargs)
        except BaseException:
            snapshot.undo(mark)
            raise
        snapshot.keep(mark)

    return update_wrapper(whole, apply)


@dataclass(frozen=True)
class Requeue:
    """The whole gang back to its queue. Without a delay of its own it waits as the back-off rule says."""

    gang: str
    delay_s: Seconds | None = None
    exclude_nodes: tuple[str, ...] = ()

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        for node in self.exclude_nodes:
            if node not in snapshot.nodes:
                raise Unknown("Requeue", self.gang, "exclude_nodes", f"there is no node {node!r}")
        returns = snapshot.state_of(self.gang).returns + 1
        delay_s = settings.backoff.delay_s(returns) if self.delay_s is None else self.delay_s
        snapshot.evict(self.gang, now_s, delay_s=delay_s, exclude_nodes=self.exclude_nodes, returns=returns)
        if settings.backoff.exhausted(returns):
            Activate(self.gang, False).apply(snapshot, now_s)


@dataclass(frozen=True)
class Activate:
    """Switch a gang on or off; off, it gives up what it has."""

    gang: str
    active: bool = True

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.replace_gang(snapshot.gang(self.gang).with_active(self.active))


@dataclass(frozen=True)
class Cordon:
    node: str
    cordoned: bool = True

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        if self.node not in snapshot.nodes:
            raise Unknown("Node", self.node, "name", "is not in this snapshot")
        snapshot.replace_node(replace(snapshot.nodes[self.node], unschedulable=self.cordoned))


@dataclass(frozen=True)
class Uncordon:
    node: str

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        Cordon(self.node, False).apply(snapshot, now_s)


@dataclass(frozen=True)
class Mend:
    """The node is back in service: ready, and open to new pods."""

    node: str

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        if self.node not in snapshot.nodes:
            raise Unknown("Node", self.node, "name", "is not in this snapshot")
        snapshot.replace_node(replace(snapshot.nodes[self.node], ready=True, unschedulable=False))


@dataclass(frozen=True)
class Reserve:
    """The nodes take new pods of this gang alone."""

    gang: str
    nodes: tuple[str, ...]

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        taint = Taint(RESERVED_TAINT_KEY, self.gang)
        for node in self.nodes:
            if node not in snapshot.nodes:
                raise Unknown("Reserve", self.gang, "nodes", f"there is no node {node!r}")
            held = snapshot.nodes[node]
            snapshot.replace_node(replace(held, taints=(*held.taints, taint)))
        gang, toleration = snapshot.gang(self.gang), Toleration(RESERVED_TAINT_KEY, value=self.gang)
        pod_sets = (replace(each, tolerations=(*each.tolerations, toleration)) for each in gang.pod_sets)
        snapshot.replace_gang(replace(gang, pod_sets=tuple(pod_sets)))


@dataclass(frozen=True)
class Drain:
    """Cordon; gangs with a pod there go back whole; other pods leave, and those with an owner look for a node."""

    node: str
    delay_s: Seconds | None = 0

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        Cordon(self.node).apply(snapshot, now_s)
        for name in snapshot.pods_on(self.node):
            if name not in snapshot.pods:
                continue  # it left with its gang
            gang = snapshot.pods[name].pod.gang
            if gang is None:
                snapshot.evict_pod(name)
            else:
                Requeue(gang, self.delay_s, (self.node,)).apply(snapshot, now_s, settings)


@dataclass(frozen=True)
class Remove:
    """A gang or a pod ends for good (it finished, or was deleted)."""

    gang: str | None = None
    pod: str | None = None

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        if (self.gang is None) == (self.pod is None):
            raise Invalid("Remove", str(self.gang or self.pod or ""), "gang", "give a gang or a pod, and not both")
        if self.gang is not None:
            snapshot.remove_gang(self.gang)
        if self.pod is not None:
            snapshot.forget_pod(self.pod)


@dataclass(frozen=True)
class Evict:
    """One pod leaves its node; its owner, if it has one, creates it again."""

    pod: str

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.evict_pod(self.pod)


@dataclass(frozen=True)
class Scale:
    """An owner of single pods to so many replicas: waiting pods go first, then the last by name."""

    owner: str
    replicas: int

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        require_whole("Scale", self.owner, "replicas", self.replicas)
        running = sorted(name for name, bound in snapshot.pods.items() if bound.pod.owner == self.owner)
        waiting = sorted(name for name, pod in snapshot.waiting_pods.items() if pod.owner == self.owner)
        existing = [*running, *waiting]
        if not existing:
            raise Unknown("Scale", self.owner, "owner", "owns no pod here, so the shape of its pods is not known")
        for name in existing[self.replicas :]:
            snapshot.forget_pod(name)
        like = _pod(snapshot, existing[0]) if self.replicas > len(existing) else None
        index = 0
        while like is not None and len(existing) < self.replicas:
            name = f"{self.owner}-{index}"
            index += 1
            if name not in snapshot.pods and name not in snapshot.waiting_pods:
                snapshot.wait(replace(like, name=name))
                existing.append(name)


def _pod(snapshot: Snapshot, name: str) -> Pod:
    return snapshot.pods[name].pod if name in snapshot.pods else snapshot.waiting_pods[name]


@dataclass(frozen=True)
class Stop:
    """Hold or resume a queue."""

    queue: str
    stop_policy: StopPolicy

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        if self.queue not in snapshot.queues:
            raise Unknown("Queue", self.queue, "name", "is not in this snapshot")
        snapshot.replace_queue(replace(snapshot.queues[self.queue], stop_policy=self.stop_policy))


@dataclass(frozen=True)
class Hold:
    """Closes or opens one gang's way into its queue; with `drain` it gives up what it has."""

    gang: str
    held: bool = True
    drain: bool = False

    @_whole
    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.replace_gang(replace(snapshot.gang(self.gang), held=self.held))
        if self.drain:
            snapshot.evict(self.gang, now_s)


@dataclass(frozen=True)
class SetQuota:
    """New amounts for one flavor and resource of a queue; what is not given stays as it is."""

    queue: str
    resource: str
    flavor: str = DEFAULT_FLAVOR
    nominal: int | None = None
    borrowing_limit: int | None = None
    lending_limit: int | None = None

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        if self.queue not in snapshot.queues:
            raise Unknown("Queue", self.queue, "name", "is not in this snapshot")
        queue = snapshot.queues[self.queue]
        given = {
            name: value
            for name in ("nominal", "borrowing_limit", "lending_limit")
            if (value := getattr(self, name)) is not None
        }
        quotas = [replace(each, **given) if self._is(each) else each for each in queue.quotas]
        if not any(self._is(each) for each in quotas):
            raise Unknown("Queue", self.queue, "quotas", f"has none for {self.flavor}/{self.resource}")
        snapshot.replace_queue(replace(queue, quotas=tuple(quotas)))

    def _is(self, quota: Quota) -> bool:
        return (quota.flavor, quota.resource) == (self.flavor, self.resource)


@dataclass(frozen=True)
class Submit:
    """What if this gang came?"""

    gang: Gang

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.add_gang(self.gang)


@dataclass(frozen=True)
class AddNode:
    node: Node

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.add_node(self.node)


@dataclass(frozen=True)
class RemoveNode:
    node: str

    def apply(self, snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> None:
        snapshot.remove_node(self.node)


def apply_all(snapshot: Snapshot, changes: Sequence[Change], now_s: Seconds, settings: Settings = DEFAULTS) -> None:
    """All of them in order, or, after an error, none."""
    mark = snapshot.mark()
    try:
        for change in changes:
            change.apply(snapshot, now_s, settings)
    except BaseException:
        snapshot.undo(mark)
        raise
    snapshot.keep(mark)
