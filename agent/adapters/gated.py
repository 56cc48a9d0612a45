"""Between the agent and whatever it can change: nothing passes that this process may not do now.

Four reasons close the gate: the lease is not held (by our own clock), the agent only observes, our clock and the API
server's are too far apart, or the agent is stopping. The first three hold for every write; a stop lets the step in hand
finish, whose intent is on the record already. Reads pass.
A closed gate is a fault and no refusal: nothing has been said about the step, it is taken up again by whoever may.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from agent.domain.cluster import ObjectRef
from agent.ports import Boundaries, Cluster, Fault, JsonObject, RepairSystem, WatchEvent

if TYPE_CHECKING:
    from agent.adapters.kueue.check_controller import Applier

SKEW_AT_MOST_S = (
    60.0  # what is new and what is old is told by times of both; clocks that are kept differ by milliseconds
)

T = TypeVar("T")


class GateClosed(Fault):
    """This process may not change anything now."""

    place = "lease"


class OnlyObserving(GateClosed):
    """Asking again would change nothing: a person is told instead."""

    place = "observe"
    passes = False


class ClockAstray(GateClosed):
    """Of what is judged by its age nothing can be believed."""

    place = "clock"


def _always() -> bool:
    return True


def _alike() -> float:
    return 0.0


@dataclass
class Gate(Boundaries):
    """`held`: is the lease ours at this very moment? Told of boundaries, it knows whether a step is in hand."""

    held: Callable[[], bool] = _always
    skew_s: Callable[[], float] = _alike  # how far our clock is ahead of the API server's, as it last said
    observing: bool = False
    stopping: bool = False
    _in_hand: bool = field(default=False, init=False)

    def reached(self, name: str) -> None:
        self._in_hand = name in ("intent", "effect")

    def check(self) -> None:
        """Raises GateClosed. For a dry run, too: it changes nothing, but what follows it would, and an intent first."""
        if self.observing:
            raise OnlyObserving("the agent only observes (`observe`): nothing is changed")
        if not self.held():
            raise GateClosed("the lease is not held: another agent may be acting")
        skew_s = self.skew_s()
        if abs(skew_s) > SKEW_AT_MOST_S:
            way = "ahead of" if skew_s > 0 else "behind"
            raise ClockAstray(f"this machine's clock is {abs(skew_s):.0f} s {way} the API server's: nothing is changed")
        if self.stopping and not self._in_hand:
            raise GateClosed("the agent is stopping: nothing new is begun")

    def through(self, call: Callable[[], T]) -> T:
        self.check()
        try:
            return call()
        except Fault:
            self._in_hand = False  # whatever was in hand is put off
            raise


class GatedCluster:
    """ports.Cluster."""

    def __init__(self, cluster: Cluster, gate: Gate) -> None:
        self._cluster, self._gate = cluster, gate

    def get(self, ref: ObjectRef) -> JsonObject:
        return self._cluster.get(ref)

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        return self._cluster.list(api_version, kind, namespace=namespace, labels=labels)

    def watch(self, api_version: str, kind: str, *, resource_version: str) -> Iterator[WatchEvent]:
        return self._cluster.watch(api_version, kind, resource_version=resource_version)

    def patch(
        self,
        ref: ObjectRef,
        body: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        uid: str | None = None,
        field_manager: str = "watchkeeper",
    ) -> JsonObject:
        return self._gate.through(
            lambda: self._cluster.patch(
                ref, body, subresource=subresource, dry_run=dry_run, uid=uid, field_manager=field_manager
            )
        )

    def scale(
        self, ref: ObjectRef, replicas: int, *, dry_run: bool = False, uid: str | None = None, seen: int | None = None
    ) -> JsonObject:
        return self._gate.through(lambda: self._cluster.scale(ref, replicas, dry_run=dry_run, uid=uid, seen=seen))

    def evict(self, ref: ObjectRef, *, dry_run: bool = False, uid: str | None = None) -> None:
        self._gate.through(lambda: self._cluster.evict(ref, dry_run=dry_run, uid=uid))

    def bind(self, ref: ObjectRef, node: str) -> None:
        self._gate.through(lambda: self._cluster.bind(ref, node))

    def create(self, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject:
        return self._gate.through(lambda: self._cluster.create(manifest, dry_run=dry_run))


class GatedApplier:
    """By server-side apply alone: how Kueue's admission check writes."""

    def __init__(self, cluster: "Applier", gate: Gate) -> None:
        self._cluster, self._gate = cluster, gate

    def apply(
        self,
        manifest: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        force: bool = False,
        field_manager: str = "watchkeeper",
    ) -> JsonObject:
        return self._gate.through(
            lambda: self._cluster.apply(
                manifest, subresource=subresource, dry_run=dry_run, force=force, field_manager=field_manager
            )
        )


class GatedRepairs:
    """ports.RepairSystem."""

    def __init__(self, repairs: RepairSystem, gate: Gate) -> None:
        self._repairs, self._gate = repairs, gate

    def request(self, node: str, operation: str, *, gpu_uuid: str | None, key: str) -> None:
        self._gate.through(lambda: self._repairs.request(node, operation, gpu_uuid=gpu_uuid, key=key))

    def state(self, key: str) -> Literal["unknown", "pending", "succeeded", "failed"]:
        return self._repairs.state(key)

    def withdraw(self, key: str) -> None:
        self._gate.through(lambda: self._repairs.withdraw(key))
