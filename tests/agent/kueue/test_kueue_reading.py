"""Kueue's objects as the scheduler core gets them: every field that decides who is let in, in each served version."""

from fractions import Fraction

import pytest
from kueue_reading import let_in, names, seen, view
from kueue_world import (
    GPU,
    HOST,
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
    quota,
    reserved,
    workload,
)

from agent.adapters.kueue.picture import picture_of
from agent.adapters.kueue.rules import TO_THE_LETTER, KueueRules
from agent.adapters.kueue.versions import in_v1beta2
from agent.adapters.scheduler.admitting import admit_waiting
from agent.adapters.scheduler.mapping import mapped
from scheduler_core.quota import Policy, Undeclared
from scheduler_core.state import DomainCount

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
