"""Where Kueue's topologies place a gang, and what its gates and checks keep from it."""

from typing import Any

import pytest
from kueue_reading import let_in, names, seen, view
from kueue_world import (
    HOST,
    NOW,
    RACK,
    Json,
    cluster_queue,
    condition,
    flavor,
    local_queue,
    made,
    namespace,
    node,
    reserved,
    workload,
)

from agent.adapters.kueue.rules import TO_THE_LETTER, KueueRules
from agent.adapters.scheduler.admitting import Admissions
from agent.adapters.scheduler.mapping import mapped
from scheduler_core.state import CheckState
from scheduler_core.topologies import Mode, Slice

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


# -- gates and checks --------------------------------------------------------------------------------------------------


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
