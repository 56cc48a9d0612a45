"""Kueue's objects as the scheduler core gets them: every field that decides who is let in, in each served version."""

from fractions import Fraction
from typing import Any

import pytest
from kueue_world import (
    GPU,
    HOST,
    NOW,
    OLD,
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

from agent.adapters.kubernetes.translate import translate
from agent.adapters.kueue.picture import picture_of
from agent.adapters.kueue.rules import KINDLY, TO_THE_LETTER, KueueRules
from agent.adapters.kueue.versions import in_v1beta2
from agent.adapters.scheduler.admitting import Admissions, admit_waiting
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import Mapped, mapped
from agent.domain.cluster import ClusterView
from scheduler_core.quota import Policy, StopPolicy, Undeclared
from scheduler_core.state import CheckState, DomainCount
from scheduler_core.topologies import Mode, Slice


def view(*objects: Json) -> ClusterView:
    return translate(objects, NOW).view


def seen(*objects: Json, rules: KueueRules = KINDLY) -> Mapped:
    return mapped(view(namespace(), flavor(), cluster_queue(), local_queue(), *objects), rules)


def let_in(*objects: Json, rules: KueueRules = KINDLY) -> Admissions:
    what = view(*objects)
    waiting = [ref for ref in what.gangs if "admission" not in (what.objects[ref].get("status") or {})]
    return admit_waiting(what, waiting, rules=rules)


def names(result: Admissions) -> list[str]:
    return sorted(ref.name for ref in result.admitted)


# -- versions ----------------------------------------------------------------------------------------------------------


def test_both_versions_come_to_the_same_core() -> None:
    rules = {"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "MayStopSearch"}
    new = {"cohortName": "all", "flavorFungibility": rules}
    new["admissionChecksStrategy"] = {"admissionChecks": [{"name": "slo"}]}
    old = {"cohort": "all", "flavorFungibility": {"whenCanBorrow": "Borrow", "whenCanPreempt": "Preempt"}}
    old["admissionChecks"] = ["slo"]
    one, other = (
        picture_of(view(flavor(), {**cluster_queue(**spec), "apiVersion": version})).queues["ClusterQueue/gpu"]
        for spec, version in ((new, "kueue.x-k8s.io/v1beta2"), (old, OLD))
    )
    assert one == other and one.checks == ("slo",) and one.cohort == "all"


def test_a_cohort_of_the_first_version_has_its_parent() -> None:
    first = made("Cohort", "team", {"parent": "all"}, version="kueue.x-k8s.io/v1alpha1")
    assert picture_of(view(first)).cohorts["team"].parent == "all"


def test_places_of_either_version_are_the_same() -> None:
    prefixed = {"individual": {"prefix": "n", "roots": ["1", "2"]}}
    suffixed = {"individual": {"roots": ["n3"], "suffix": "x"}}
    slices = [
        {"domainCount": 2, "valuesPerLevel": [{"universal": "r1"}, prefixed], "podCounts": {"individual": [1, 2]}},
        {"domainCount": 1, "valuesPerLevel": [{"universal": "r2"}, suffixed], "podCounts": {"universal": 4}},
    ]
    places = [(["r1", "n1"], 1), (["r1", "n2"], 2), (["r2", "n3x"], 4)]
    packed = {"levels": [RACK, HOST], "slices": slices}
    listed = {"levels": [RACK, HOST], "domains": [{"values": values, "count": count} for values, count in places]}
    for version, topology in (("kueue.x-k8s.io/v1beta2", packed), (OLD, listed)):
        status = {"conditions": [condition("QuotaReserved")], "admission": admission(7, topologyAssignment=topology)}
        core = seen({**workload("w", 7, 1, status=status), "apiVersion": version}).snapshot
        held = core.state_of("Workload/research/w").admission
        assert held is not None and held.topology["main"] == (
            DomainCount(("r1", "n1"), 1),
            DomainCount(("r1", "n2"), 2),
            DomainCount(("r2", "n3x"), 4),
        )


def test_words_of_the_old_version_become_the_new_ones() -> None:
    spec = {"priorityClassName": "high", "priorityClassSource": "kueue.x-k8s.io/workloadpriorityclass"}
    told = in_v1beta2({"kind": "Workload", "spec": spec, "status": {"accumulatedPastExexcutionTimeSeconds": 5}})
    assert told["spec"]["priorityClassRef"] == {
        "group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "high"}  # fmt: skip
    assert told["status"] == {"accumulatedPastExecutionTimeSeconds": 5}


# -- queues ------------------------------------------------------------------------------------------------------------


def test_a_queue_whole() -> None:
    spec = {
        "cohortName": "all",
        "queueingStrategy": "StrictFIFO",
        "stopPolicy": "HoldAndDrain",
        "preemption": {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any",
                       "borrowWithinCohort": {"policy": "LowerPriority", "maxPriorityThreshold": 7}},
        "fairSharing": {"weight": "250m"},
        "admissionChecksStrategy": {"admissionChecks": [{"name": "all"}, {"name": "some", "onFlavors": ["h100"]}]},
        "resourceGroups": [quota(8, borrowingLimit="4", lendingLimit="2")],
    }  # fmt: skip
    queue = picture_of(view(cluster_queue(**spec))).queues["ClusterQueue/gpu"]
    (one,) = queue.quotas
    assert (one.flavor, one.resource, one.nominal, one.borrowing_limit, one.lending_limit) == ("h100", GPU, 8, 4, 2)
    assert (queue.strategy, queue.stop_policy, queue.weight) == ("StrictFIFO", "HoldAndDrain", Fraction(1, 4))
    assert (queue.preemption.within_queue, queue.preemption.reclaim) == (Policy.LOWER_PRIORITY, Policy.ANY)
    assert (queue.preemption.borrow, queue.preemption.borrow_threshold) == (True, 7)
    assert queue.checks == ("all", "some")
    assert (queue.checks_for({"h100"}), queue.checks_for({"a100"})) == (("all", "some"), ("all",))


@pytest.mark.parametrize(
    ("status", "comes_in"),
    [
        ({"conditions": [condition("Active", False, "FlavorNotFound")]}, []),
        ({"conditions": [condition("Active", False, "AdmissionCheckInactive")]}, []),
        ({"conditions": [condition("Active", False, "Stopped")]}, ["w"]),  # its stop policy says otherwise by now
        ({"conditions": [condition("Active")]}, ["w"]),
    ],
)
def test_an_inactive_queue_lets_nobody_in(status: Json, comes_in: list[str]) -> None:
    assert names(let_in(flavor(), cluster_queue(status=status), local_queue(), workload("w"))) == comes_in


def test_namespaces_that_a_queue_does_not_select_stay_out() -> None:
    team = {"matchLabels": {"team": "ml"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}
    queue = cluster_queue(namespaceSelector=team)
    for labels, comes_in in (
        ({"team": "ml"}, ["w"]),
        ({"team": "law"}, []),
        ({"team": "ml", "old": "1"}, []),
        ({}, []),
    ):
        assert names(let_in(namespace(**labels), flavor(), queue, local_queue(), workload("w"))) == comes_in


@pytest.mark.parametrize("missing", ["flavor", "selector", "local queue", "namespace"])
def test_to_the_letter_what_is_missing_keeps_out_and_kindly_it_is_overlooked(missing: str) -> None:
    queue = cluster_queue()
    if missing == "selector":
        del queue["spec"]["namespaceSelector"]
    objects = {"namespace": namespace(), "flavor": flavor(), "selector": queue, "local queue": local_queue()}
    if missing != "selector":
        del objects[missing]
    there = [*objects.values(), workload("w")]
    assert names(let_in(*there)) == ["w"]
    assert names(let_in(*there, rules=TO_THE_LETTER)) == []


def test_what_no_quota_names_blocks_to_the_letter() -> None:
    asks = workload("w", spec=None, pod_set={"template": {"spec": {"containers": [
        {"name": "c", "resources": {"requests": {GPU: "1", "cpu": "1", "example.com/nic": "1"}}}]}}})  # fmt: skip
    there = (namespace(), flavor(), cluster_queue(), local_queue(), asks)
    assert names(let_in(*there)) == ["w"]
    assert names(let_in(*there, rules=TO_THE_LETTER)) == []
    overlooks = KueueRules(True, Undeclared.BLOCK, ignored_prefixes=("cpu", "example.com/"))
    assert names(let_in(*there, rules=overlooks)) == ["w"]
    only_one = KueueRules(True, Undeclared.BLOCK, ignored_prefixes=("example.com/",))
    assert names(let_in(*there, rules=only_one)) == []


def test_shares_count_where_the_queues_keep_books_of_them() -> None:
    keeps = {"fairSharing": {"weightedShare": 0}}
    there = [namespace(), flavor(), local_queue()]
    assert not mapped(view(*there, cluster_queue())).queues.rules.fair_sharing
    assert mapped(view(*there, cluster_queue(status=keeps))).queues.rules.fair_sharing


def test_a_drained_local_queue_sends_off_who_is_in() -> None:
    held = reserved("w", status={"conditions": [condition("QuotaReserved"), condition("Admitted")]})
    there = (namespace(), flavor(), cluster_queue(), local_queue(stopPolicy="HoldAndDrain"), held)
    state = mapped(view(*there)).snapshot.state_of("Workload/research/w")
    assert state.evicted is not None and state.evicted.reason == "LocalQueueStopped"


# -- topologies --------------------------------------------------------------------------------------------------------

TOPOLOGY = made("Topology", "dc", {"levels": [{"nodeLabel": RACK}, {"nodeLabel": HOST}]})


def racks(**gpus: int) -> list[Json]:
    return [node(name, count, topology__rack=f"r{name[1]}") for name, count in sorted(gpus.items())]


def placed(level: str | None, pods: int, rules: KueueRules = TO_THE_LETTER, **gpus: int) -> Admissions:
    asked = {"required": level} if level else {"unconstrained": True}
    there = (namespace(), TOPOLOGY, flavor(topology="dc"), cluster_queue(gpus=64), local_queue(), *racks(**gpus))
    return let_in(*there, workload("w", pods, 1, pod_set={"topologyRequest": asked}), rules=rules)


def test_a_gang_stands_in_one_domain_of_the_level_that_it_asks_for() -> None:
    (where,) = [each["main"] for each in placed(RACK, 6, n1a=4, n1b=4, n2a=4).places.values()]
    assert where.levels == (RACK, HOST) and sum(each.count for each in where.domains) == 6
    assert {each.values for each in where.domains} == {("r1", "n1a"), ("r1", "n1b")}
    assert names(placed(RACK, 6, n1a=4, n2a=4)) == []
    assert names(placed(None, 6, n1a=4, n2a=4)) == ["w"]


def test_a_flavor_whose_topology_is_gone_places_nobody_to_the_letter() -> None:
    there = (namespace(), flavor(topology="dc"), cluster_queue(), local_queue(), node("n1"), workload("w"))
    assert names(let_in(*there, rules=TO_THE_LETTER)) == []


@pytest.mark.parametrize(
    ("asked", "mode", "level", "slices"),
    [
        ({"required": RACK}, Mode.REQUIRED, RACK, ()),
        ({"preferred": HOST}, Mode.PREFERRED, HOST, ()),
        ({"unconstrained": True}, Mode.UNCONSTRAINED, None, ()),
        ({"podSetSliceRequiredTopology": RACK, "podSetSliceSize": 2}, Mode.UNCONSTRAINED, None, (Slice(RACK, 2),)),
        ({"required": RACK, "podsetSliceRequiredTopologyConstraints": [
            {"topology": RACK, "size": 4}, {"topology": HOST, "size": 2}]},
         Mode.REQUIRED, RACK, (Slice(RACK, 4), Slice(HOST, 2))),
    ],
)  # fmt: skip
def test_what_a_pod_set_asks_of_a_topology(asked: Json, mode: Mode, level: str | None, slices: Any) -> None:
    gang = seen(workload("w", 4, 1, pod_set={"topologyRequest": asked})).snapshot.gang("Workload/research/w")
    request = gang.pod_sets[0].topology
    assert request is not None and (request.mode, request.level, request.slices) == (mode, level, slices)
    assert request.explicit


def test_a_group_alone_asks_for_no_topology() -> None:
    asked = {"podSetGroupName": "together", "podIndexLabel": "x"}
    gang = seen(workload("w", pod_set={"topologyRequest": asked})).snapshot.gang("Workload/research/w")
    request = gang.pod_sets[0].topology
    assert request is not None and not request.explicit and request.group == "together"


def test_pods_that_lost_their_node_are_known() -> None:
    state = seen(reserved("w", status={"unhealthyNodes": [{"name": "n9"}]})).snapshot.state_of("Workload/research/w")
    assert state.unhealthy_nodes == {"n9"}


# -- workloads ---------------------------------------------------------------------------------------------------------


def test_what_it_was_charged_counts_and_what_is_done_of_it_does_not() -> None:
    charged = {"admission": admission(4, resourceUsage={GPU: "40"}), "reclaimablePods": [{"name": "main", "count": 3}]}
    snapshot = seen(reserved("w", 4, 8, status=charged)).snapshot
    assert snapshot.charge_of("Workload/research/w") == {("h100", GPU): 10}


def test_a_class_that_is_named_alone_gives_its_number() -> None:
    high = {**made("WorkloadPriorityClass", "high"), "value": 70}
    named = {"priorityClassRef": {"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "high"}}
    for spec, priority in ((named, 70), ({**named, "priority": 5}, 5)):
        assert seen(high, workload("w", spec=spec)).snapshot.gang("Workload/research/w").priority == priority


def test_a_gate_keeps_it_out_until_it_is_lifted() -> None:
    there = (namespace(), flavor(), cluster_queue(), local_queue())
    gated = workload("w", metadata={"annotations": {"kueue.x-k8s.io/admission-gated-by": "example.com/budget"}})
    assert names(let_in(*there, gated)) == [] and names(let_in(*there, workload("w"))) == ["w"]


def test_behind_a_closed_preemption_gate_it_sends_nobody_back() -> None:
    queue = cluster_queue(gpus=8, preemption={"withinClusterQueue": "LowerPriority"})
    low = reserved("low", status={"conditions": [condition("QuotaReserved"), condition("Admitted")]})
    for position, sent_back in (("Closed", 0), ("Open", 1), (None, 0)):
        status = {"preemptionGates": [{"name": "g", "position": position}]} if position else {}
        high = workload("high", spec={"priority": 9, "preemptionGates": [{"name": "g"}]}, status=status)
        result = let_in(namespace(), flavor(), queue, local_queue(), low, high)
        assert len(result.preempted) == sent_back


def test_on_hold_it_is_in_no_line() -> None:
    off = workload("w", status={"conditions": [condition("QuotaReserved", False, "OnHold")]})
    assert names(let_in(namespace(), flavor(), cluster_queue(), local_queue(), off)) == []


def test_checks_hold_its_pods_until_all_are_ready_and_admitted_means_ready() -> None:
    queue = cluster_queue(admissionChecksStrategy={"admissionChecks": [{"name": "slo"}]})
    said = ({"name": "slo", "state": "Pending"},)
    admitted = {"conditions": [condition("QuotaReserved"), condition("Admitted")]}
    for status, state in (({}, CheckState.PENDING), (admitted, CheckState.READY)):
        held = reserved("w", checks=said, status=status)
        snapshot = mapped(view(namespace(), flavor(), queue, local_queue(), held)).snapshot
        assert snapshot.state_of("Workload/research/w").checks == {"slo": state}


def test_sent_back_by_a_check_it_waits_anew() -> None:
    gone = condition("Evicted", reason="AdmissionCheck", at="2026-11-02T08:30:00Z")
    state = seen(workload("w", status={"conditions": [gone]})).snapshot.state_of("Workload/research/w")
    assert state.queued_s == NOW.timestamp() - 1800


# -- bad objects blind nothing else ------------------------------------------------------------------------------------

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


def test_who_is_sent_back_may_come_in_again_on_another_flavor() -> None:
    flavors = [{"name": name, "resources": [{"name": GPU, "nominalQuota": "8"}]} for name in ("h100", "a100")]
    groups = [{"coveredResources": [GPU], "flavors": flavors}]
    rules = {"whenCanPreempt": "MayStopSearch"}
    preempts = {"withinClusterQueue": "LowerPriority"}
    queue = cluster_queue(resourceGroups=groups, preemption=preempts, flavorFungibility=rules)
    low = reserved("low", status={"conditions": [condition("QuotaReserved"), condition("Admitted")]})
    there = (namespace(), flavor("h100", type="h100"), flavor("a100", type="a100"), queue, local_queue(), low)
    what = view(*there, workload("high", spec={"priority": 9}))
    result = admit_waiting(what, list(what.gangs))
    assert {ref.name: each.flavors["main"][GPU] for ref, each in result.admitted.items()} == {
        "high": "h100",
        "low": "a100",
    }
