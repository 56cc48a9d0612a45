"""Bad objects of Kueue blind nothing else: each costs itself and what hangs on it."""

import time

import pytest
from kueue_reading import let_in, names, view
from kueue_world import (
    GPU,
    HOST,
    RACK,
    Json,
    admission,
    cluster_queue,
    condition,
    flavor,
    local_queue,
    made,
    namespace,
    node,
    quota,
    reserved,
    workload,
)

from agent.adapters.kueue.rules import TO_THE_LETTER
from agent.adapters.scheduler.admitting import admit_waiting
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import mapped
from scheduler_core.quota import StopPolicy

BAD_QUEUES: list[Json] = [
    {"stopPolicy": "Sometimes"},
    {"queueingStrategy": 7},
    {"resourceGroups": "all"},
    {"resourceGroups": [{"flavors": [{"resources": []}]}]},
    {"resourceGroups": [quota(8, lendingLimit="9")], "cohortName": "all"},
    {"resourceGroups": [quota(8, borrowingLimit="9")]},
    {"resourceGroups": [quota(-1)]},
    {"resourceGroups": [quota(8), quota(8)]},
    {"preemption": {"withinClusterQueue": "Perhaps"}},
    {"preemption": []},
    {"fairSharing": {"weight": "heavy"}},
    {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
    {"admissionChecksStrategy": {"admissionChecks": [{}]}},
]


@pytest.mark.parametrize("spec", BAD_QUEUES, ids=str)
def test_a_queue_that_the_webhook_would_refuse_lets_nobody_in_and_blinds_nothing_else(spec: Json) -> None:
    broken = cluster_queue("broken", **spec)
    there = (namespace(), flavor(), cluster_queue(), local_queue(), broken, local_queue("to-broken", "broken"))
    what = view(*there, workload("w"), workload("lost", spec={"queueName": "to-broken"}))
    result = admit_waiting(what, list(what.gangs))
    assert names(result) == ["w"]
    assert [ref.name for ref in mapped(what).queues.unreadable] == ["broken"]
    assert SchedulerForecaster().what_if(what, []) is not None


@pytest.mark.parametrize(
    "odd",
    [
        made("ResourceFlavor", "odd", {"nodeLabels": ["a"]}),
        made("ResourceFlavor", "odd", {"nodeTaints": [{}], "tolerations": "all"}),
        made("Topology", "odd", {"levels": []}),
        made("Topology", "odd", {"levels": [{"nodeLabel": HOST}, {"nodeLabel": RACK}]}),
        made("Topology", "odd", {"levels": [{"nodeLabel": RACK}, {"nodeLabel": RACK}]}),
        made("Cohort", "odd", {"parentName": 5}),
        made("Cohort", "odd", {"resourceGroups": [quota(1, borrowingLimit="1")]}),
        made("LocalQueue", "odd", {"stopPolicy": "Maybe"}, "research"),
        made("LocalQueue", "odd", {"clusterQueue": None}, "research"),
        {**made("WorkloadPriorityClass", "odd"), "value": "high"},
        made("AdmissionCheck", "odd", {"controllerName": 5}),
        made("ClusterQueue", "odd", None),
        {**made("ClusterQueue", "odd"), "spec": "none"},
        made("SomethingNew", "odd", {"x": 1}),
        cluster_queue("odd", somethingNew={"a": 1}),
    ],
    ids=lambda odd: f"{odd['kind']} {odd['spec']}",
)
def test_one_odd_object_leaves_the_others_as_they_are(odd: Json) -> None:
    there = (namespace(), flavor(), cluster_queue(), local_queue(), workload("w"), odd)
    assert names(let_in(*there)) == ["w"] and names(let_in(*there, rules=TO_THE_LETTER)) == ["w"]


@pytest.mark.parametrize(
    "change",
    [
        {"pod_set": {"minCount": 9}},
        {"pod_set": {"count": -1}},
        {"pod_set": {"topologyRequest": {"required": 5}}},
        {"pod_set": {"topologyRequest": {"podSetSliceRequiredTopology": RACK, "podSetSliceSize": 0}}},
        {"pod_set": {"template": {"spec": {"nodeSelector": "n1"}}}},
        {"pod_set": {"template": {"spec": {"tolerations": ["all"]}}}},
        {"spec": {"preemptionGates": [{}]}},
        {"spec": {"priority": "high"}},
        {"status": {"reclaimablePods": [{"name": "main", "count": "two"}]}},
        {"status": {"conditions": [condition("QuotaReserved")], "admission": admission(9)}},
        {"status": {"conditions": [condition("QuotaReserved")], "admission": admission(1, flavors={GPU: 5})}},
        {"status": {"conditions": [condition("QuotaReserved")], "admission": {"podSetAssignments": "main"}}},
        {"status": {"conditions": [condition("QuotaReserved")], "admission": admission(1, resourceUsage={GPU: "x"})}},
        {"status": {"conditions": [condition("QuotaReserved")],
                    "admission": admission(1, topologyAssignment={"slices": [{"domainCount": 2**30}]})}},
        {"status": {"conditions": [condition("QuotaReserved")],
                    "admission": admission(1, topologyAssignment={"slices": [{"domainCount": 2}]})}},
        {"status": {"admissionChecks": "none", "unhealthyNodes": 5, "requeueState": {"requeueAt": "soon"}}},
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_workload_stops_nobody_else(change: Json) -> None:
    what = view(namespace(), flavor(), cluster_queue(gpus=64), local_queue(), workload("odd", **change), workload("w"))
    waiting = [ref for ref in what.gangs if ref.name == "w"]
    assert [ref.name for ref in admit_waiting(what, waiting, rules=TO_THE_LETTER).admitted] == ["w"]
    assert SchedulerForecaster(kueue=lambda: TO_THE_LETTER).what_if(what, []) is not None


def test_cohorts_in_a_circle_let_nobody_in_below_them() -> None:
    circle = [made("Cohort", name, {"parentName": parent}) for name, parent in (("a", "b"), ("b", "a"))]
    round_about = cluster_queue("round", cohortName="a", resourceGroups=[quota(8, borrowingLimit="2")])
    there = (namespace(), flavor(), cluster_queue(), local_queue(), *circle, round_about, local_queue("in", "round"))
    what = view(*there, workload("w"), workload("lost", spec={"queueName": "in"}))
    assert names(admit_waiting(what, list(what.gangs))) == ["w"]
    queue = next(each for each in mapped(what).queues.queues if each.name == "ClusterQueue/round")
    assert queue.stop_policy is StopPolicy.HOLD


def test_queues_below_a_cohort_that_nobody_can_read_let_nobody_in() -> None:
    broken = made("Cohort", "team", {"resourceGroups": "all"})
    there = (namespace(), flavor(), cluster_queue(cohortName="team"), local_queue(), broken, workload("w"))
    assert names(let_in(*there)) == []


def test_half_a_kueue_is_no_kueue() -> None:
    what = view(namespace(), node("n1"), workload("w"))
    assert names(admit_waiting(what, list(what.gangs), rules=TO_THE_LETTER)) == []
    assert SchedulerForecaster(kueue=lambda: TO_THE_LETTER).what_if(what, []).gangs_started == ()


@pytest.mark.parametrize("least", [None, 1])
def test_a_gang_of_two_thousand_million_pods_costs_no_more_than_another(least: int | None) -> None:
    """With a least count it is searched for the largest size that fits, and what of it holds quota looks for nodes."""
    many = workload("many", 2**31 - 1, pod_set={} if least is None else {"minCount": least})
    there = (namespace(), flavor(), cluster_queue(gpus=24), local_queue(), node("n1"), node("n2"), node("n3"))
    began_s = time.process_time()
    told = SchedulerForecaster(kueue=lambda: TO_THE_LETTER).what_if(view(*there, many, workload("w")), [])
    assert time.process_time() - began_s < 5  # it takes milliseconds; listing its pods took all there was of memory
    assert told.gpus is not None and told.gpus.after.free == (16 if least is None else 0)


NAME = "x" * 10_000
CHAIN = [made("Cohort", f"c{i}", {"parentName": f"c{i + 1}"}) for i in range(5000)]
GONE = [{"apiVersion": "batch/v1", "kind": "Job", "name": "gone", "uid": "u", "controller": True}]


@pytest.mark.parametrize(
    "odd",
    [
        [workload(NAME)],
        [cluster_queue(NAME), local_queue(NAME, NAME), workload("odd", spec={"queueName": NAME})],
        [workload("odd", gpus=-5), workload("odder", spec={"priority": -(2**40)})],
        [cluster_queue(name, 2**62, cohortName="c") for name in ("big", "bigger")],
        [cluster_queue("heavy", fairSharing={"weight": "-1"}, status={"fairSharing": {"weightedShare": 1}})],
        [cluster_queue("deep", cohortName="c0"), *CHAIN],
        [made("Cohort", "me", {"parentName": "me"}), cluster_queue("self", cohortName="me")],
        [{key: value for key, value in workload("odd", 9).items() if key != "status"}],
        [{**workload("odd"), "status": [], "spec": []}],
        [{**workload("odd"), "metadata": {"name": "odd", "namespace": "lab", "labels": 5, "ownerReferences": "x"}}],
        [workload("odd", 9, metadata={"ownerReferences": GONE})],
        [{**each, "apiVersion": "kueue.x-k8s.io/v9"} for each in (workload("odd"), cluster_queue("odd"))],
        [workload("odd", status={"conditions": [5, None, {"type": ["a"]}, {"type": "QuotaReserved", "status": True}]})],
        [workload("odd", status={"conditions": [{"type": {"a": 1}, "status": "True"}]})],
        [workload("odd", 9, status={"requeueState": {"count": 2**62, "requeueAt": "9999-12-31T23:59:59Z"}})],
        [made("Topology", "deep", {"levels": [{"nodeLabel": f"l{i}"} for i in range(10_000)]})],
    ],
    ids=lambda odd: f"{odd[0]['kind']} {str(odd[0])[:60]}",
)  # fmt: skip
def test_what_nobody_would_write_costs_itself_and_no_time(odd: list[Json]) -> None:
    what = view(
        namespace(), flavor(), cluster_queue(gpus=16), local_queue(), node("n1"), node("n2"), *odd, workload("w")
    )
    began_s = time.process_time()
    told = SchedulerForecaster(kueue=lambda: TO_THE_LETTER).what_if(what, [])
    assert "Workload/research/w" in told.gangs_started
    assert time.process_time() - began_s < 5


def test_a_node_that_does_not_say_how_many_pods_it_takes_is_not_filled_with_all_of_them() -> None:
    bare = made("Node", "bare", version="v1", status={"allocatable": {}, "conditions": []})
    began_s = time.process_time()
    what = view(namespace(), flavor(), cluster_queue(gpus=8), local_queue(), bare, reserved("many", 2**31 - 1, 0))
    assert SchedulerForecaster(kueue=lambda: TO_THE_LETTER).what_if(what, []).gpus is not None
    assert time.process_time() - began_s < 20  # a second or two for as many as a cluster has at all
