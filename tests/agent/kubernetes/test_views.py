"""A view follows the cluster through its watch: in the simulated world, and through a server that speaks one kind."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from time import process_time

import pytest

from agent.adapters.kubernetes.mirror import UNSERVED_RETRY_S
from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.cluster import SimulatedCluster
from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import ObjectStore, Origin
from agent.ports import ClusterFault, ClusterUnavailable, JsonObject, NotFound, WatchEvent

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
Take = Callable[["World"], ClusterViews]


class World:
    """The simulated API server with the handles that these tests turn."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.store = ObjectStore(7, self.clock)
        self.faults = FaultBoard(self.clock)
        self.cluster = SimulatedCluster(self.store, self.clock, self.faults, [])

    def load(self, *objects: JsonObject) -> "World":
        for each in objects:
            self.store.create(each, Origin.LOADED)
        return self


def node(name: str) -> JsonObject:
    status = {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def pod(name: str, gpus: str = "1") -> JsonObject:
    resources = {"limits": {"nvidia.com/gpu": gpus}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "law"},
        "spec": {"nodeName": "n-1", "containers": [{"name": "main", "resources": resources}]},
        "status": {"phase": "Running"},
    }


class ByKind:
    """The simulated API server as the live one speaks: each kind by itself."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.list = cluster.list
        self.watch = cluster.watch


def by_kind(world: World) -> ClusterViews:
    return ClusterViews(ByKind(world.cluster), world.clock)  # type: ignore[arg-type]


def in_one_answer(world: World) -> ClusterViews:
    return ClusterViews(world.cluster, world.clock)


both = pytest.mark.parametrize("views_of", [by_kind, in_one_answer])


@both
def test_a_view_follows_what_is_added_changed_and_deleted(views_of: Take) -> None:
    world = World().load(node("n-1"), pod("a"))
    views = views_of(world)
    assert set(views.take().nodes) == {"n-1"}
    world.load(node("n-2"))
    world.store.merge(key_of(node("n-1")), {"spec": {"unschedulable": True}}, Origin.WORLD)
    world.store.remove(key_of(pod("a")), Origin.WORLD)
    seen = views.take()
    assert [(n.name, n.unschedulable) for n in seen.nodes.values()] == [("n-1", True), ("n-2", False)]
    assert not seen.pods


@both
def test_a_view_carries_the_time_of_the_look_even_when_nothing_changed(views_of: Take) -> None:
    world = World().load(node("n-1"))
    views = views_of(world)
    first = views.take()
    world.clock.pass_by(timedelta(seconds=30))
    second = views.take()
    assert (first.taken_at, second.taken_at) == (START, START + timedelta(seconds=30))
    assert second.nodes is first.nodes


@both
def test_a_server_that_does_not_answer_gives_no_view(views_of: Take) -> None:
    world = World().load(node("n-1"))
    views = views_of(world)
    views.take()
    world.faults.inject("apiserver", "down", START + timedelta(minutes=1))
    with pytest.raises(ClusterUnavailable):
        views.take()
    world.clock.pass_by(timedelta(minutes=2))
    assert set(views.take().nodes) == {"n-1"}


@both
def test_a_malformed_object_is_left_out_and_told_once(views_of: Take) -> None:
    world = World().load(node("n-1"), pod("good"), pod("bad", gpus="eight"))
    told: list[str] = []
    views = views_of(world)
    views._on_malformed = lambda error: told.append(str(error))
    assert [name for _, name in views.take().pods] == ["good"]
    world.load(pod("another"))
    assert [name for _, name in views.take().pods] == ["another", "good"]
    assert told == [
        "Pod/law/bad: spec.containers[0].resources.limits.nvidia.com/gpu: expected a quantity, found 'eight'"
    ]
    assert [str(error) for error in views.malformed] == told
    world.store.replace(key_of(pod("bad")), {**world.store.of_kind("", "Pod")[1], **pod("bad")}, Origin.WORLD)
    assert [name for _, name in views.take().pods] == ["another", "bad", "good"]
    assert not views.malformed


@both
def test_one_object_in_two_api_versions_counts_once(views_of: Take) -> None:
    workload: JsonObject = {
        "apiVersion": "kueue.x-k8s.io/v1beta1",
        "kind": "Workload",
        "metadata": {"name": "w", "namespace": "law"},
        "spec": {"podSets": [{"name": "main", "count": 4}]},
    }
    assert [g.minimum for g in views_of(World().load(workload)).take().gangs.values()] == [4]


@both
def test_a_look_at_an_unchanged_cluster_is_cheap(views_of: Take) -> None:
    world = World().load(*(node(f"n-{i}") for i in range(100)), *(pod(f"p-{i}") for i in range(500)))
    views = views_of(world)
    views.take()
    spent = []
    for _ in range(5):
        start = process_time()
        views.take()
        spent.append(process_time() - start)
    assert min(spent) < 0.010


class OneKindServer:
    """Serves Pods alone, as a server without our CRDs would; forgets its past when told to."""

    def __init__(self) -> None:
        self.serves_pods = False
        self.pods: list[JsonObject] = []
        self.forgotten = False
        self.lists: list[str] = []

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        self.lists.append(kind)
        if kind != "Pod" or not self.serves_pods:
            raise NotFound(f"{api_version} {kind} is not served")
        return [{**p, "metadata": {**p["metadata"], "resourceVersion": "5"}} for p in self.pods]

    def watch(self, api_version: str, kind: str, *, resource_version: str) -> Iterator[WatchEvent]:
        if self.forgotten:
            self.forgotten = False
            gone = ClusterFault("too old resource version")
            gone.status = 410
            raise gone
        return iter(())


def test_kinds_that_are_not_served_are_left_out_and_asked_for_again_later() -> None:
    server, clock = OneKindServer(), SimulatedClock(START)
    server.pods = [pod("a")]
    views = ClusterViews(server, clock)  # type: ignore[arg-type] # a view only reads
    assert not views.take().pods
    server.serves_pods = True
    clock.pass_by(timedelta(seconds=UNSERVED_RETRY_S - 1))
    assert not views.take().pods
    clock.pass_by(timedelta(seconds=1))
    assert set(views.take().pods) == {("law", "a")}


def test_a_server_that_forgot_its_past_is_listed_anew() -> None:
    server, clock = OneKindServer(), SimulatedClock(START)
    server.serves_pods, server.pods = True, [pod("a")]
    views = ClusterViews(server, clock)  # type: ignore[arg-type] # a view only reads
    views.take()
    server.pods, server.forgotten = [pod("b")], True
    assert set(views.take().pods) == {("law", "b")}


class TwoVersionServer(OneKindServer):
    """Serves Kueue's Workloads in both API versions, as a server that converts does."""

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        if kind != "Workload" or not api_version.startswith("kueue"):
            raise NotFound(f"{api_version} {kind} is not served")
        metadata = {"name": "w", "namespace": "law", "resourceVersion": "5"}
        return [{"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {"podSets": [{"count": 4}]}}]


def test_of_two_spellings_of_one_object_the_preferred_one_counts() -> None:
    views = ClusterViews(TwoVersionServer(), SimulatedClock(START))  # type: ignore[arg-type]
    assert [gang.ref.api_version for gang in views.take().gangs.values()] == ["kueue.x-k8s.io/v1beta2"]
