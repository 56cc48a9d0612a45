"""Bad objects of Kueue blind nothing else: each costs itself and what hangs on it."""

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
