"""One odd object harms nobody else: the gang that no topology can answer, the decision about a place that is not there,
cohorts as deep as they may be."""

from dataclasses import replace

import pytest
from schedule_language import GPU

from scheduler_core import (
    Admission,
    Cohort,
    Flavor,
    Gang,
    GangState,
    Invalid,
    Node,
    PodSet,
    PreemptionRules,
    Queue,
    Quota,
    Reason,
    Settings,
    Snapshot,
    Unknown,
    explain_all,
    kueue_cycle,
    run,
    what_if,
)
from scheduler_core.desk import Desk
from scheduler_core.quota import Policy
from scheduler_core.quota_tree import COHORTS_DEEP_AT_MOST
from scheduler_core.state import DomainCount, Phase
from scheduler_core.topologies import HOSTNAME, Mode, Slice, Topology, TopologyRequest


def racks(*queues):
    """Two racks of a node with 4 GPUs, and queues of 8 on them."""
    quota = (Quota(resource=GPU, nominal=8, flavor="tas"),)
    return Snapshot(
        nodes=[Node(f"n{n}", {GPU: 4}, {"rack": f"r{n}", HOSTNAME: f"n{n}"}) for n in range(2)],
        topologies=[Topology("t", ("rack", HOSTNAME))],
        flavors=[Flavor("tas", topology="t")],
        queues=[Queue(name=name, quotas=quota) for name in queues],
    )


def in_slices(name, queue, count, *slices, level="rack", mode=Mode.REQUIRED, **more):
    asks = TopologyRequest(mode=mode, level=level, slices=slices)
    return Gang(name=name, queue=queue, pod_sets=(PodSet(count=count, requests={GPU: 1}, topology=asks),), **more)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (in_slices("odd", "a", 5, Slice("rack", 2)), "slice_size: 2 does not divide the count 5"),
        (in_slices("odd", "a", 1, Slice("rack", 2)), "slice_size: 2 does not divide the count 1"),
        (in_slices("odd", "a", 4, Slice("rack", 2), level=HOSTNAME), "slice_level: lies above the level"),
        (in_slices("odd", "a", 4, Slice(HOSTNAME, 2), Slice("rack", 2)), "slice_level: layers go from coarse to fine"),
    ],
)
def test_one_gang_that_no_topology_can_answer_waits_alone_and_says_why(odd, told):
    for start in (run, as_kueue):
        snapshot = racks("a", "b")
        snapshot.add_gang(odd)
        snapshot.add_gang(in_slices("good", "b", 2))
        start(snapshot, 0)
        assert snapshot.state_of("good").admission is not None
        assert snapshot.phase("odd") is Phase.PENDING
        why = explain_all(snapshot, 0)["odd"]
        assert why.reason is Reason.TOPOLOGY_PLACEMENT_FAILED
        assert told in why.message
        assert why.remedy == "change the pod set's topology request, or its count"
        assert what_if(snapshot, [], 0).still_pending["odd"].reason is Reason.TOPOLOGY_PLACEMENT_FAILED


def as_kueue(snapshot, now_s):
    desk = Desk(snapshot, now_s)
    return kueue_cycle.cycle(desk, now_s)


def test_a_decision_names_domains_that_are_there_and_a_fact_may_outlive_them():
    snapshot = racks("a")
    snapshot.add_gang(in_slices("g", "a", 1))
    gone = Admission(0, {"main": 1}, {"main": {GPU: "tas"}}, topology={"main": (DomainCount(("r9", "n9"), 1),)})
    before = snapshot.contents()
    with pytest.raises(Unknown, match=r"Gang 'g': admission\.topology\.main: there is no domain 'r9/n9'"):
        snapshot.admit("g", gone)
    assert snapshot.contents() == before
    for values in (("r1", "n1"), ("n1",), ("r1",)):
        snapshot.admit("g", replace(gone, topology={"main": (DomainCount(values, 1),)}))
    snapshot.restore("g", GangState(gone))
    assert snapshot.state_of("g").admission == gone


def line_of_cohorts(depth):
    return [Cohort(name=f"c{n}", parent=f"c{n - 1}" if n else None) for n in range(depth)]


def test_cohorts_stand_so_deep_and_no_deeper():
    deepest = f"c{COHORTS_DEEP_AT_MOST - 1}"
    quotas = (Quota(resource=GPU, nominal=1),)
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)
    for fair in (False, True):
        queues = [Queue(name=name, cohort=deepest, quotas=quotas, preemption=rules) for name in "ab"]
        snapshot = Snapshot(cohorts=line_of_cohorts(COHORTS_DEEP_AT_MOST), queues=queues)
        one = (PodSet(count=1, requests={GPU: 1}),)
        for index, name in enumerate(("a-0", "a-1", "b-0", "b-1")):
            snapshot.add_gang(Gang(name=name, queue=name[0], pod_sets=one, created_s=index))
        settings = Settings(place=False, fair_sharing=fair)
        desk = Desk(snapshot, 9, settings)
        for _ in range(4):
            kueue_cycle.cycle(desk, 9)
        assert len(explain_all(snapshot, 9, settings)) >= 2
    with pytest.raises(Invalid, match=f"Cohort 'c{COHORTS_DEEP_AT_MOST}': parent: cohorts stand more than"):
        Snapshot(cohorts=line_of_cohorts(COHORTS_DEEP_AT_MOST + 1))
