"""Objects that come, change and go, the views that follow them, and how they are drawn: for test_patching.py."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.translate import translate
from agent.adapters.kubernetes.views import ClusterViews
from agent.domain.cluster import ClusterView
from agent.domain.pod_index import PodIndex
from agent.ports import Feed, JsonObject, WatchEvent

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
