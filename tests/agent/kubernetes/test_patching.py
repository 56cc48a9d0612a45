"""Whatever changes, in whatever order: the view that was carried on is the one that is made anew, to the last entry."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.translate import translate
from agent.adapters.kubernetes.views import ClusterViews
from agent.domain.cluster import ClusterView
from agent.domain.pod_index import PodIndex
from agent.ports import Feed, JsonObject, WatchEvent
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
BROKEN = "eight"


class Followed:
    """A feed whose news are put here by hand."""

    def __init__(self) -> None:
        self.news_now: list[WatchEvent] = []

    def follow(self, kinds: Sequence[Kind], fields: str = "") -> Feed:
        return self

    def news(self) -> Sequence[WatchEvent]:
        found, self.news_now = self.news_now, []
        return found


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class World:
    """Objects by name, the views that follow them, and the view made anew."""

    def __init__(self) -> None:
        self.feed, self.clock = Followed(), Clock()
        self.views = ClusterViews(self.feed, self.clock)  # type: ignore[arg-type]  # a view only follows
        self.objects: dict[tuple[str, str], JsonObject] = {}
        self._version = 0

    def put(self, *objects: JsonObject) -> None:
        for each in objects:
            self._version += 1
            made = json.loads(json.dumps(each))
            made["metadata"]["resourceVersion"] = str(self._version)
            self.objects[made["kind"], made["metadata"]["name"]] = made
            self.feed.news_now.append(WatchEvent("MODIFIED", made))

    def drop(self, kind: str, name: str) -> None:
        gone = self.objects.pop((kind, name), None)
        if gone is not None:
            self.feed.news_now.append(WatchEvent("DELETED", gone))

    def anew(self) -> ClusterView:
        return translate(self.objects.values(), self.clock.at).view

    def agree(self) -> None:
        seen, anew = self.views.take(), self.anew()
        assert seen == anew
        assert [list(each) for each in _tables(seen)] == [list(each) for each in _tables(anew)]
        index = PodIndex(anew.pods)
        assert (seen.index.by_owner, seen.index.by_node) == (index.by_owner, index.by_node)


def _tables(view: ClusterView) -> list[Any]:
    return [view.nodes, view.pods, view.workloads, view.gangs, view.disruptions, view.namespaces, view.objects]


def meta(name: str, namespace: str | None = "a", **more: Any) -> JsonObject:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def owned_by(kind: str, name: str, api_version: str) -> list[JsonObject]:
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": "u", "controller": True}]


def node(name: str, *, cordoned: bool = False, gpus: str = "8") -> JsonObject:
    status = {"allocatable": {"nvidia.com/gpu": gpus}, "conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"unschedulable": cordoned}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta(name, None), "spec": spec, "status": status}


OWNERS = {
    "none": [],
    "job": owned_by("Job", "j", "batch/v1"),
    "set": owned_by("StatefulSet", "r", "apps/v1"),
    "node": owned_by("Node", "n-0", "v1"),
    "pod": owned_by("Pod", "p-0", "v1"),
    "third": owned_by("Pod", "p-3", "v1"),
    "free": owned_by("Job", "f", "batch/v1"),
    "deployed": owned_by("ReplicaSet", "d-1", "apps/v1"),
    "deployment": owned_by("Deployment", "d", "apps/v1"),
}


def pod(
    name: str, owner: str = "none", *, on: str | None = "n-0", phase: str = "Running", group: str = "", **named: str
) -> JsonObject:
    spec = {"containers": [{"resources": {"limits": {"nvidia.com/gpu": named.pop("gpus", "1")}}}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(name, ownerReferences=OWNERS[owner], labels=named),
        "spec": {**spec, **({"nodeName": on} if on else {}), **({"schedulingGroup": {"podGroupName": group}})},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]},
    }


STANDING: tuple[JsonObject, ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": meta("a", None)},
    {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta("j", labels={"kueue.x-k8s.io/queue-name": "q"}),
        "spec": {"parallelism": 2, "completions": 2, "completionMode": "Indexed"},
    },
    {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": meta("w", ownerReferences=OWNERS["job"]),
        "spec": {"podSets": [{"name": "main", "count": 2}]},
    },
    {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": meta("g"),
        "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}},
    },
    {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta("r", ownerReferences=OWNERS["pod"]), "spec": {}},
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta("b"),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}},
    },
)
NAMES = {
    "none": {},
    "prebuilt": {"kueue.x-k8s.io/prebuilt-workload-name": "w"},
    "group": {"kueue.x-k8s.io/pod-group-name": "w"},
    "app": {"app": "x"},
}

pods = st.builds(
    lambda number, owner, on, phase, group, names, gpus: pod(
        f"p-{number}", owner, on=on, phase=phase, group=group, gpus=gpus, **NAMES[names]
    ),
    st.integers(0, 4),
    st.sampled_from(sorted(OWNERS.keys() - {"deployment"})),
    st.sampled_from([None, "n-0", "n-1"]),
    st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
    st.sampled_from(["", "", "", "g", "h"]),
    st.sampled_from(sorted(NAMES)),
    st.sampled_from(["1", "1", "1", "1", BROKEN]),
)
nodes = st.builds(
    lambda number, cordoned, gpus: node(f"n-{number}", cordoned=cordoned, gpus=gpus),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["8", "8", "8", BROKEN]),
)


def job(name: str, *, queue: str = "", parallelism: int = 2, klass: str = "", failed: bool = False) -> JsonObject:
    notes = {"watchkeeper.dev/class": klass} if klass else {}
    labels = {"kueue.x-k8s.io/queue-name": queue} if queue else {}
    conditions = [{"type": "Failed", "status": "True"}] if failed else []
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta(name, labels=labels, annotations=notes),
        "spec": {"parallelism": parallelism, "completions": parallelism},
        "status": {"conditions": conditions},
    }


def workload(owner: str = "job", count: int = 2, *, active: bool = True, finished: bool = False) -> JsonObject:
    conditions = [{"type": "Finished", "status": "True"}] if finished else []
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": meta("w", ownerReferences=OWNERS[owner]),
        "spec": {"podSets": [{"name": "main", "count": count}], "active": active},
        "status": {"conditions": conditions},
    }


def group(name: str, least: int = 2, owner: str = "none", api_version: str = "scheduling.k8s.io/v1beta1") -> JsonObject:
    return {
        "apiVersion": api_version,
        "kind": "PodGroup",
        "metadata": meta(name, ownerReferences=OWNERS[owner]),
        "spec": {"schedulingPolicy": {"gang": {"minCount": least}}},
    }


def apps(kind: str, name: str, owner: str = "none", klass: str = "", replicas: int = 1) -> JsonObject:
    notes = {"watchkeeper.dev/class": klass} if klass else {}
    metadata = meta(name, ownerReferences=OWNERS[owner], annotations=notes)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": replicas}}


def budget(name: str, least: int, told: int | None) -> JsonObject:
    status = {} if told is None else {"disruptionsAllowed": told}
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "x"}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta(name), "spec": spec} | {
        "status": status
    }


def namespace(name: str, note: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name, None, annotations={"note": note})}


KLASSES = st.sampled_from(["", "notebook", "serving"])
further = st.one_of(
    st.builds(
        job,
        st.sampled_from(["j", "f"]),
        queue=st.sampled_from(["", "q"]),
        parallelism=st.integers(1, 2),
        klass=KLASSES,
        failed=st.booleans(),
    ),
    st.builds(
        workload,
        st.sampled_from(["job", "job", "free", "none"]),
        st.integers(0, 2),
        active=st.booleans(),
        finished=st.booleans(),
    ),
    st.builds(group, st.sampled_from(["g", "h"]), st.integers(0, 2), st.sampled_from(["none", "none", "free", "pod"])),
    st.builds(apps, st.just("StatefulSet"), st.just("r"), st.sampled_from(["none", "pod"]), KLASSES, st.integers(0, 2)),
    st.builds(apps, st.just("ReplicaSet"), st.just("d-1"), st.sampled_from(["none", "deployment"]), KLASSES),
    st.builds(apps, st.just("Deployment"), st.just("d"), st.just("none"), KLASSES, st.integers(0, 2)),
    st.builds(apps, st.just("ControllerRevision"), st.just("r-1"), st.just("none")),
    st.builds(budget, st.sampled_from(["b", "c"]), st.integers(0, 2), st.sampled_from([None, 0, 1])),
    st.builds(namespace, st.sampled_from(["a", "z"]), st.sampled_from(["", "x"])),
)
FURTHER_GONE = (
    ("Job", "f"),
    ("PodGroup", "h"),
    ("ReplicaSet", "d-1"),
    ("Deployment", "d"),
    ("ControllerRevision", "r-1"),
    ("PodDisruptionBudget", "c"),
    ("Namespace", "z"),
)
gone = st.tuples(st.sampled_from(["Pod", "Node"]), st.integers(0, 4)).map(lambda f: (f[0], f"{f[0][0].lower()}-{f[1]}"))
others = st.one_of(
    st.sampled_from(STANDING),
    st.sampled_from([(each["kind"], each["metadata"]["name"]) for each in STANDING]),
    st.sampled_from(FURTHER_GONE),
    further,
    further,
    further,
)
looks = st.lists(st.lists(st.one_of(pods, pods, pods, nodes, gone, others, others), max_size=4), max_size=8)


@tried(150)
@given(looks)
def test_a_view_that_is_carried_on_is_the_one_that_is_made_anew(looks: list[list[Any]]) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"), pod("p-2", "set"))
    world.agree()
    for look in looks:
        for each in look:
            if isinstance(each, tuple):
                world.drop(*each)
            else:
                world.put(each)
        world.clock.at += timedelta(seconds=1)
        world.agree()


def test_what_is_told_of_a_node_leaves_the_rest_the_very_same() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"))
    before = world.views.take()
    world.put(node("n-1", cordoned=True))
    after = world.views.take()
    assert after.nodes["n-1"].unschedulable
    assert not before.nodes["n-1"].unschedulable
    assert after.pods is before.pods
    assert after.index is before.index
    assert after.beside_nodes is before.beside_nodes


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.put(pod("p-1", "job", phase="Failed")),
        lambda world: world.put(pod("p-9")),
        lambda world: world.drop("Pod", "p-1"),
        lambda world: world.drop("Job", "j"),
        lambda world: world.drop("Node", "n-1"),
        lambda world: world.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta("another", None)}),
    ],
)
def test_whatever_else_changes_is_more_than_nodes(change: Any) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"))
    before = world.views.take()
    change(world)
    after = world.views.take()
    assert before.beside_nodes is not None
    assert after.beside_nodes is not before.beside_nodes
    world.agree()


@pytest.mark.parametrize(
    "after",
    [pod("p-1", group="g"), pod("p-1", **NAMES["prebuilt"]), pod("p-1", "job"), pod("p-1", **NAMES["app"])],
)
def test_a_pod_that_says_something_else_of_its_gang(after: JsonObject) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-1"), pod("p-2", group="g"))
    world.agree()
    for each in (after, pod("p-1"), after):
        world.put(each)
        world.agree()


def test_a_pod_that_comes_before_the_pod_that_owns_it_is_of_the_job_above_both() -> None:
    world = World()
    world.put(*STANDING, node("n-0"))
    world.agree()
    world.put(pod("p-1", "third"), pod("p-3", "job"))
    world.agree()
    world.drop("Pod", "p-3")
    world.put(pod("p-4", "third"))
    world.agree()


def test_a_pod_that_owns_a_workload_says_what_that_is_for() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-0"))
    world.agree()
    told = pod("p-0")
    told["metadata"]["annotations"] = {"watchkeeper.dev/class": "notebook"}
    world.put(told)
    world.agree()


def test_a_view_that_was_handed_out_stays_as_it_was() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-1", "job"))
    before, anew = world.views.take(), world.anew()
    world.put(node("n-0", cordoned=True), pod("p-1", "job", phase="Failed"), pod("p-3", "job"))
    world.agree()
    assert before == anew
    assert before.index.by_owner == PodIndex(anew.pods).by_owner


def admitted(status: str) -> JsonObject:
    made = workload()
    made["status"]["conditions"] = [{"type": "Admitted", "status": status}]
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.put(admitted("True")),
        lambda world: world.put(job("j", queue="q", parallelism=1)),
        lambda world: world.put(group("g", 1)),
        lambda world: world.put(apps("StatefulSet", "r", "pod", "notebook")),
        lambda world: world.put(apps("Deployment", "e")),
        lambda world: world.drop("PodDisruptionBudget", "b"),
        lambda world: world.put(node("n-7")),
        lambda world: world.drop("Node", "n-1"),
        lambda world: world.put(pod("p-6", "free", group="g")),
        lambda world: world.drop("Pod", "p-4"),
        lambda world: world.put(pod("p-7", group="g")),
    ],
)
def test_what_changes_often_in_a_large_cluster_is_carried_on(change: Any) -> None:
    world = World()
    world.put(*STANDING, job("f"), node("n-0"), node("n-1"), pod("p-1", "job"))
    world.put(pod("p-4", "free", group="g"), pod("p-5", "free", group="g"))
    before = world.views.take()
    change(world)
    after = world.views.take()
    assert after.namespaces is before.namespaces  # which are read anew where all is brought together
    world.agree()


def test_pods_of_one_group_under_several_owners_claim_them_in_the_order_of_their_names() -> None:
    world = World()
    world.put(*STANDING, job("f"), group("h"), pod("p-2", "free", group="g"))
    world.agree()
    world.put(pod("p-1", "set", group="g"))
    world.agree()
    world.put(pod("p-0", "free", group="h"))
    world.agree()
    world.drop("Pod", "p-2")
    world.drop("Pod", "p-0")
    world.agree()


def labelled(made: JsonObject, **labels: str) -> JsonObject:
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def renamed(made: JsonObject, name: str, owners: list[JsonObject]) -> JsonObject:
    return {**made, "metadata": {**made["metadata"], "name": name, "ownerReferences": owners}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([pod("p-2", "free", group="g"), pod("p-1", "free", group="h")], pod("p-00", "free", group="g")),
        ([renamed(workload(), "w-2", OWNERS["job"])], workload(finished=True)),
        ([workload("job"), pod("p-0", "free")], renamed(workload(), "w", OWNERS["job"] + OWNERS["free"])),
        ([("Job", "f"), renamed(workload(), "job-f-0a1b2", [])], job("f")),
        ([("Job", "f"), workload("none")], labelled(job("f"), **NAMES["prebuilt"])),
        ([apps("Deployment", "e")], ("Deployment", "e")),
        ([apps("ReplicaSet", "d-2")], apps("ReplicaSet", "d-2", "deployment")),
    ],
    ids=["whose", "finished", "owners", "claimed before it came", "prebuilt", "gone", "owned"],
)
def test_what_says_more_than_of_itself(first: list[Any], then: Any) -> None:
    world = World()
    world.put(*STANDING, job("f"), group("h"), node("n-0"), pod("p-1", "job"))
    world.agree()
    for each in (*first, then):
        if isinstance(each, tuple):
            world.drop(*each)
        else:
            world.put(each)
        world.agree()
