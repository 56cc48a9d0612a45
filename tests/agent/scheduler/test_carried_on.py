"""A forecast from a snapshot that was carried on is the one from a snapshot that was made anew."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.kueue.rules import KINDLY, TO_THE_LETTER, KueueRules
from agent.adapters.scheduler.carrying import carry_on
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import mapped
from agent.domain.cluster import ClusterView
from agent.ports import Feed, JsonObject, WatchEvent
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
KUEUE = "kueue.x-k8s.io/v1beta2"
NODES = 4
POD_SPEC = {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "4"}}}]}


class Cluster:
    """What a feed tells, put here by hand, and the time."""

    def __init__(self) -> None:
        self.at = NOW
        self._news: list[WatchEvent] = []
        self._version = 0
        self.views = ClusterViews(self, self)  # type: ignore[arg-type]  # a view only follows

    def now(self) -> datetime:
        return self.at

    def follow(self, kinds: Sequence[Kind], fields: str = "") -> Feed:
        return self

    def news(self) -> Sequence[WatchEvent]:
        found, self._news = self._news, []
        return found

    def look(self, *objects: JsonObject) -> ClusterView:
        for each in objects:
            self._version += 1
            made = json.loads(json.dumps(each))
            made["metadata"]["resourceVersion"] = str(self._version)
            self._news.append(WatchEvent("MODIFIED", made))
        self.at += timedelta(seconds=7)
        return self.views.take()


def obj(version: str, kind: str, name: str, namespace: str | None = "a", **parts: Any) -> JsonObject:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place, **parts.pop("meta", {})}, **parts}


def node(
    number: int, *, cordoned: bool = False, ready: str = "True", taint: bool = False, gpus: int = 8, pool: str = "x"
) -> JsonObject:
    taints = [{"key": "k", "effect": "NoSchedule"}] if taint else []
    status = {"allocatable": {"nvidia.com/gpu": str(gpus)}, "conditions": [{"type": "Ready", "status": ready}]}
    spec = {"unschedulable": cordoned, "taints": taints}
    return obj("v1", "Node", f"n-{number}", None, meta={"labels": {"pool": pool}}, spec=spec, status=status)


def queue(stop: str = "None") -> JsonObject:
    quota = {"name": "nvidia.com/gpu", "nominalQuota": "24"}
    groups = [{"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "f", "resources": [quota]}]}]
    spec = {"namespaceSelector": {}, "resourceGroups": groups, "stopPolicy": stop}
    return obj(KUEUE, "ClusterQueue", "cq", None, spec=spec)


def workload(
    name: str,
    count: int,
    *,
    admitted: bool,
    second: int = 0,
    flavor: str = "f",
    condition: str = "QuotaReserved",
    note: str = "",
) -> JsonObject:
    """`second`: of how many pods its second pod set is."""
    told = [{"type": t, "status": "True", "lastTransitionTime": "2026-11-02T08:00:00Z"} for t in (condition,)]
    sizes = {"main": count, **({"more": second} if second else {})}
    given = [{"name": each, "count": size, "flavors": {"nvidia.com/gpu": flavor}} for each, size in sizes.items()]
    status = {"conditions": told, "admission": {"clusterQueue": "cq", "podSetAssignments": given}} if admitted else {}
    sets = [{"name": each, "count": size, "template": {"spec": POD_SPEC}} for each, size in sizes.items()]
    meta = {"annotations": {"note": note}}
    return obj(KUEUE, "Workload", name, meta=meta, spec={"queueName": "q", "podSets": sets}, status=status)


def pod(
    name: str, on: str | None, gang: str | None = None, *, ready: str = "True", phase: str = "", **more: Any
) -> JsonObject:
    labels = {"kueue.x-k8s.io/pod-group-name": gang} if gang else {}
    labels |= {"kueue.x-k8s.io/podset": more["pod_set"]} if more.get("pod_set") else {}
    conditions = [{"type": "Ready", "status": ready}]
    status = {"phase": phase or ("Running" if on else "Pending"), "conditions": conditions}
    limits = {"nvidia.com/gpu": more.get("gpus", "4"), **({"example.com/fpga": "1"} if more.get("fpga") else {})}
    spec: JsonObject = {
        "containers": [{"name": "main", "resources": {"limits": limits}}],
        **({"nodeName": on} if on else {}),
    }
    if more.get("odd"):
        asked = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "Nearly"}]}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": asked}}
    meta = {"labels": labels, **({"deletionTimestamp": "2026-11-02T09:00:00Z"} if more.get("leaving") else {})}
    return obj("v1", "Pod", name, meta=meta, spec=spec, status=status)


STANDING = (
    *(node(number) for number in range(NODES)),
    obj("v1", "Namespace", "a", None),
    obj(KUEUE, "ResourceFlavor", "f", None, spec={"nodeLabels": {"pool": "x"}}),
    obj(KUEUE, "ResourceFlavor", "h", None, spec={"nodeLabels": {"pool": "y"}}),
    queue(),
    obj(KUEUE, "LocalQueue", "q", spec={"clusterQueue": "cq"}),
    workload("runs", 2, admitted=True),
    workload("waits", 5, admitted=False),
    workload("two", 1, admitted=True, second=1),
    pod("runs-0", "n-0", "runs"),
    pod("runs-1", "n-1", "runs"),
    pod("alone", "n-0"),
    pod("nowhere", None),
)
CHANGES: tuple[list[JsonObject], ...] = ([], [{"cordon": "n-1"}], [{"drain": "n-0"}], [{"uncordon": "n-2"}])

nodes = st.builds(
    node,
    st.integers(0, NODES - 1),
    cordoned=st.booleans(),
    ready=st.sampled_from(["True", "True", "False"]),
    taint=st.booleans(),
    gpus=st.sampled_from([8, 8, 4, 16]),
    pool=st.sampled_from(["x", "x", "x", "y"]),
)
others = st.sampled_from(
    [queue(), queue("Hold"), queue("HoldAndDrain"), pod("alone", None), pod("alone", "n-3"), node(NODES)]
)


workloads = st.builds(
    lambda name, count, admitted, second, flavor, condition, note: workload(
        name, count, admitted=admitted, second=second, flavor=flavor, condition=condition, note=note
    ),
    st.sampled_from(["runs", "waits", "two"]),
    st.sampled_from([2, 2, 1]),
    st.booleans(),
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["f", "f", "g", "h"]),
    st.sampled_from(["QuotaReserved", "Admitted", "PodsReady", "Finished"]),
    st.sampled_from(["", "x"]),
)
pods = st.builds(
    lambda name, on, gang, ready, phase, pod_set, gpus, fpga, leaving, odd: pod(
        name, on, gang, ready=ready, phase=phase, pod_set=pod_set, gpus=gpus, fpga=fpga, leaving=leaving, odd=odd
    ),
    st.sampled_from(["runs-0", "runs-1", "alone", "nowhere", "two-0", "two-1", "new"]),
    st.sampled_from([None, "n-0", "n-1", "n-9"]),
    st.sampled_from([None, "runs", "two", "waits"]),
    st.sampled_from(["True", "False"]),
    st.sampled_from(["", "", "Pending", "Running", "Succeeded"]),
    st.sampled_from(["", "main", "more"]),
    st.sampled_from(["4", "4", "2"]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, True]),
    st.sampled_from([False, False, False, True]),
)
jobs = st.builds(
    lambda size, gang, seconds: obj(
        "batch/v1",
        "Job",
        "own",
        meta={"labels": {"kueue.x-k8s.io/queue-name": "q"} if gang else {}},
        spec={"parallelism": size, "completions": size, "activeDeadlineSeconds": seconds},
        status={"startTime": "2026-11-02T08:00:00Z", "active": size},
    ),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from([7200, 9000]),
)
whole_looks = st.lists(
    st.lists(st.one_of(pods, pods, pods, nodes, others, workloads, jobs), max_size=4), min_size=1, max_size=8
)


def agree(looks: list[list[JsonObject]], rules: KueueRules) -> None:
    """Whatever is carried on has the contents of what is made anew."""
    cluster = Cluster()
    before = cluster.look(*STANDING)
    seen = mapped(before, rules)
    for look in looks:
        view = cluster.look(*look)
        anew = mapped(view, rules)
        if not carry_on(seen, before, view, rules):
            seen = mapped(view, rules)
        assert seen.snapshot.contents() == anew.snapshot.contents()
        assert (seen.queues, seen.left_out, seen.by_time) == (anew.queues, anew.left_out, anew.by_time)
        before = view


@tried(200)
@given(whole_looks, st.sampled_from([KINDLY, TO_THE_LETTER]))
def test_a_snapshot_that_is_carried_on_has_the_contents_of_one_that_is_made_anew(
    looks: list[list[JsonObject]], rules: KueueRules
) -> None:
    agree(looks, rules)


@pytest.mark.parametrize(
    "looks",
    [
        [[workload("runs", 2, admitted=True, condition="PodsReady")]],
        [[workload("runs", 2, admitted=True, condition="PodsReady", flavor=flavor)] for flavor in ("f", "h")],
        [[pod("two-0", "n-2", "two"), pod("two-1", "n-3", "two")], [pod("two-0", "n-2", "two", phase="Succeeded")]],
        [[pod("alone", "n-0", fpga=True)], [pod("alone", "n-1", fpga=True)]],
        [[pod("alone", "n-0", odd=True)], [pod("alone", "n-1", odd=True)], [pod("alone", "n-1")]],
        [[pod("nowhere", None, odd=True)], [pod("nowhere", None)], [pod("nowhere", "n-9")]],
        [[pod("runs-1", "n-1", "runs", leaving=True)]],
    ],
    ids=["quota", "flavors", "pod sets", "what no node has", "odd", "odd and waiting", "leaving"],
)
def test_what_a_snapshot_is_made_of_besides(looks: list[list[JsonObject]]) -> None:
    agree(looks, KINDLY)


@tried(60)
@given(st.lists(st.lists(st.one_of(nodes, nodes, others, pods, workloads), max_size=3), min_size=1, max_size=6))
def test_a_forecast_that_is_carried_on_is_the_one_that_is_made_anew(looks: list[list[JsonObject]]) -> None:
    cluster, carried = Cluster(), SchedulerForecaster()
    for look in ([*STANDING], *looks):
        view = cluster.look(*look)
        for changes in CHANGES:
            assert said(carried, view, changes) == said(SchedulerForecaster(), view, changes)


def said(forecaster: SchedulerForecaster, view: ClusterView, changes: list[JsonObject]) -> object:
    """Its forecast, or why there is none."""
    try:
        return forecaster.what_if(view, changes)
    except ValueError as why:
        return str(why)


@pytest.fixture
def mappings(monkeypatch: pytest.MonkeyPatch) -> list[ClusterView]:
    """The views that were mapped whole."""
    made: list[ClusterView] = []

    def counted(view: ClusterView, rules: KueueRules) -> Any:
        made.append(view)
        return mapped(view, rules)

    monkeypatch.setattr("agent.adapters.scheduler.forecaster.mapped", counted)
    return made


def test_cordons_are_followed_and_what_they_hide_comes_back(mappings: list[ClusterView]) -> None:
    cluster, carried = Cluster(), SchedulerForecaster()
    free = []
    for cordoned in (False, True, False):
        view = cluster.look(*(STANDING if not mappings else ()), node(2, cordoned=cordoned))
        told = carried.what_if(view, [{"cordon": "n-3"}]).gpus
        assert told is not None
        free.append((told.before.free, told.before.unusable, told.after.unusable))
    assert len(mappings) == 1
    assert free[0] == free[2]
    assert free[1] == (free[0][0] - 8, free[0][1] + 8, free[0][2] + 8)


@pytest.mark.parametrize(
    "change",
    [
        pod("alone", None),
        pod("alone", "n-0", phase="Succeeded"),
        pod("another", "n-2"),
        pod("runs-1", "n-3", "runs"),
        pod("runs-1", "n-1", "runs", ready="False"),
        workload("runs", 2, admitted=True, note="x"),
        workload("runs", 3, admitted=True),
        workload("runs", 2, admitted=False),
        workload("runs", 2, admitted=True, condition="Finished"),
        workload("another", 1, admitted=False),
        obj("apps/v1", "Deployment", "d", spec={"replicas": 2}),
        obj("batch/v1", "Job", "j", spec={}, status={"active": 1}),
    ],
)
def test_what_leaves_the_queues_as_they_are_is_carried_on(change: JsonObject, mappings: list[ClusterView]) -> None:
    cluster, carried = Cluster(), SchedulerForecaster()
    carried.what_if(cluster.look(*STANDING), [])
    view = cluster.look(change)
    for changes in CHANGES:
        assert carried.what_if(view, changes) == SchedulerForecaster().what_if(view, changes)
    assert mappings[1:] == [view] * len(CHANGES)  # those to compare with


@pytest.mark.parametrize("change", [node(2, pool="y"), queue("Hold"), node(NODES), pod("alone", "n-0", odd=True)])
def test_what_is_more_than_a_nodes_own_word_is_mapped_anew(change: JsonObject, mappings: list[ClusterView]) -> None:
    cluster, carried = Cluster(), SchedulerForecaster()
    carried.what_if(cluster.look(*STANDING), [])
    carried.what_if(cluster.look(change), [])
    assert len(mappings) == 2


def test_what_is_sent_back_as_of_now_is_mapped_at_every_look(mappings: list[ClusterView]) -> None:
    """A LocalQueue that is drained: since when its gangs are on their way back is the time of the look."""
    cluster, carried = Cluster(), SchedulerForecaster()
    drained = obj(KUEUE, "LocalQueue", "q", spec={"clusterQueue": "cq", "stopPolicy": "HoldAndDrain"})
    carried.what_if(cluster.look(*STANDING, drained), [])
    view = cluster.look(node(2, cordoned=True))
    assert carried.what_if(view, []) == SchedulerForecaster().what_if(view, [])
    assert len(mappings) == 3


def test_another_configuration_of_kueue_is_mapped_anew(mappings: list[ClusterView]) -> None:
    cluster, rules = Cluster(), [KINDLY, TO_THE_LETTER]
    carried = SchedulerForecaster(kueue=lambda: rules[0])
    carried.what_if(cluster.look(*STANDING), [])
    del rules[0]
    carried.what_if(cluster.look(), [])
    assert len(mappings) == 2
