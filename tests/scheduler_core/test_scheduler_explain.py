"""Why is it pending? Each row: a cluster, and the reason, the number that binds and the remedy."""

from dataclasses import replace

import pytest
from schedule_language import GPU, cluster

from scheduler_core import (
    Activate,
    Cordon,
    Flavor,
    Gang,
    NodeTerm,
    PodSet,
    Reason,
    Requeue,
    Requirement,
    Settings,
    Stop,
    StopPolicy,
    Strategy,
)
from scheduler_core.backfill_rules import Rules
from scheduler_core.explain import explain_pod
from scheduler_core.quota import Policy, PreemptionRules
from scheduler_core.topologies import Mode, Topology, TopologyRequest


def suspended():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    Activate("g", False).apply(world.snapshot, 0)
    return world


def held():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    Stop("q", StopPolicy.HOLD).apply(world.snapshot, 0)
    return world


def gated():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    world.snapshot.replace_gang(replace(world.snapshot.gang("g"), gates=frozenset({"budget"})))
    return world


def backing_off():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    Requeue("g", delay_s=30).apply(world.snapshot, 0)
    return world


def behind_head():
    world = cluster().nodes(2).queue("q", strategy=Strategy.STRICT_FIFO)
    return world.gang("first", pods=3, queue="q").gang("g", queue="q", created_s=1)


def behind_reservation():
    """All but one node will do for `large` in 100 s; `g` fits now, and nobody knows when it ends."""
    world = cluster(Settings(backfill=Rules())).nodes(2).queue("q")
    world.snapshot.add_gang(
        Gang(name="runs", pod_sets=(PodSet(count=1, requests={GPU: 8}),), queue="q", walltime_s=100)
    )
    world.run()
    return world.gang("large", pods=2, queue="q", created_s=1).gang("g", queue="q", created_s=2)


def no_flavor():
    world = cluster().flavor("a100", gpu="a100").node("n", 8, labels={"gpu": "a100"})
    return world.queue("q", {"a100": 8}).gang("g", queue="q", node_selector={"gpu": "h100"})


def undeclared():
    return cluster().nodes(1).queue("q").gang_of("g", PodSet(count=1, requests={"cpu": 1}), queue="q")


def too_much():
    world = cluster().nodes(8).cohort("all").queue("q", 8, borrowing_limit=8, cohort="all")
    return world.queue("other", 64, cohort="all").gang("g", pods=3, queue="q")


def waiting():
    world = cluster().nodes(8).cohort("all").queue("q", 32, cohort="all").queue("r", 0, cohort="all")
    return world.gang("small", queue="q").gang("large", pods=2, queue="r").gang("g", pods=3, queue="q", created_s=1)


def others_leave():
    """The queue sends the lower priority back, and that is enough."""
    lower = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)
    world = cluster(Settings(place=False)).nodes(2).queue("q", 16, preemption=lower)
    world.gang("low", pods=2, queue="q", priority=-1).run()
    return world.gang("g", pods=2, queue="q")


def racks():
    """16 GPUs are free, 8 in either rack, and it wants them in one."""
    world = cluster(Settings(place=False))
    world.snapshot.add_topology(Topology("dc", ("rack", "kubernetes.io/hostname")))
    world.snapshot.add_flavor(Flavor("default", topology="dc"))
    for name in ("a", "b"):
        world.node(name, labels={"rack": f"r-{name}", "kubernetes.io/hostname": name})
    one_rack = TopologyRequest(mode=Mode.REQUIRED, level="rack")
    return world.queue("q").gang_of("g", PodSet(count=2, requests={GPU: 8}, topology=one_rack), queue="q")


def excluded():
    world = cluster().nodes(2).queue("q").gang("g", pods=2, queue="q")
    Requeue("g", delay_s=0, exclude_nodes=("gpu-1",)).apply(world.snapshot, 0)
    return world


def cordoned():
    world = cluster().nodes(2).queue("q").gang("g", pods=2, queue="q")
    Cordon("gpu-1").apply(world.snapshot, 0)
    return world


def no_node():
    term = NodeTerm((Requirement("rack", "In", ("r7",)),))
    return cluster().nodes(2).queue("q").gang("g", queue="q", required_node_affinity=(term,))


def too_large():
    return cluster().nodes(3, gpus=4).queue("q").gang("g", gpus=8, queue="q")


def scattered():
    return cluster().nodes(2).pod("x", "gpu-0", 4).pod("y", "gpu-1", 4).queue("q").gang("g", queue="q")


def too_few():
    return cluster().nodes(2).pod("x", "gpu-0", 4).queue("q").gang("g", pods=2, queue="q")


def stuck():
    world = cluster().nodes(3).pod("x", "gpu-2", 1).queue("q").gang("g", pods=3, queue="q")
    return world.running("g", "gpu-0", "gpu-1")


def fits():
    return cluster().nodes(1).queue("q").gang("g", queue="q")


CASES = [
    (suspended, Reason.SUSPENDED, 0, 0, "activate it"),
    (held, Reason.SUSPENDED, 0, 0, "resume the queue"),
    (gated, Reason.HELD, 0, 0, "lift budget"),
    (backing_off, Reason.BACKING_OFF, 0, 0, "wait until 30"),
    (behind_head, Reason.BEHIND_HEAD, 0, 0, "see why first waits"),
    (behind_reservation, Reason.BEHIND_RESERVATION, 0, 0, "a walltime of at most 100 s"),
    (no_flavor, Reason.NO_MATCHING_FLAVOR, 0, 0, "flavor that suits"),
    (undeclared, Reason.NO_MATCHING_FLAVOR, 0, 0, "quota for cpu"),
    (too_much, Reason.EXCEEDS_MAX_QUOTA, 24, 16, "by 8"),
    (
        waiting,
        Reason.WAITING_FOR_QUOTA,
        24,
        8,
        "16 default/nvidia.com/gpu in queue r must come free, held by large; or raise the nominal quota of cohort all",
    ),
    (others_leave, Reason.WAITING_FOR_PREEMPTED, 16, 0, "the next cycle sends them back"),
    (
        racks,
        Reason.TOPOLOGY_PLACEMENT_FAILED,
        2,
        1,
        "add nodes with room for 1 more pods of main in r-a; were it empty, it would hold 1 pods at most",
    ),
    (excluded, Reason.NODES_EXCLUDED, 0, 0, "allow it on gpu-1"),
    (cordoned, Reason.NODES_UNAVAILABLE, 0, 0, "bring back gpu-1"),
    (no_node, Reason.NO_MATCHING_NODE, 0, 0, "add nodes that match"),
    (too_large, Reason.POD_TOO_LARGE, 8, 4, "ask for less"),
    (scattered, Reason.FRAGMENTED, 8, 8, "free 4 more nvidia.com/gpu on gpu-0, or move what is there"),
    (too_few, Reason.INSUFFICIENT_CAPACITY, 16, 12, "free 4 more nvidia.com/gpu"),
    (stuck, Reason.INSUFFICIENT_CAPACITY, 8, 7, "free 1 more nvidia.com/gpu"),
]


@pytest.mark.parametrize(("build", "reason", "wanted", "available", "remedy"), CASES)
def test_why_a_gang_is_pending(build, reason, wanted, available, remedy):
    world = build()
    if build is not racks:  # today's run places without a topology; the admission cycle does not
        world.run()
    explanation = world.why("g")
    assert explanation.reason is reason, explanation
    assert (explanation.wanted, explanation.available) == (wanted, available)
    assert remedy in explanation.remedy


def test_nothing_in_the_way_is_said_too_and_a_running_gang_has_nothing_to_explain():
    world = fits()
    assert world.why("g").reason is Reason.FITS
    world.run()
    assert world.why("g") is None


def test_every_reason_has_a_case():
    assert {reason for _, reason, *_ in CASES} | {Reason.FITS} == set(Reason)


def test_scattered_gpus_name_the_nodes_they_lie_on():
    assert scattered().why("g").nodes == ("gpu-0", "gpu-1")


def test_an_exclusion_of_ours_is_told_before_a_cordon():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    Requeue("g", delay_s=0, exclude_nodes=("gpu-0",)).apply(world.snapshot, 0)
    Cordon("gpu-1").apply(world.snapshot, 0)
    assert world.why("g").reason is Reason.NODES_EXCLUDED


def test_a_gang_that_holds_quota_and_lacks_nodes_is_explained_even_where_others_bind_its_pods():
    world = cluster(Settings(place=False)).nodes(1).queue("q").gang("g", pods=2, queue="q")
    world.run()
    assert world.why("g").reason is Reason.INSUFFICIENT_CAPACITY


def test_a_cordoned_node_that_would_not_help_is_no_remedy():
    world = cordoned().node("cpu", 0, unschedulable=True, labels={"kind": "cpu"})
    world.gang("h", pods=2, queue="q", node_selector={})
    assert "gpu-1" in world.why("h").remedy


def test_a_single_pod_is_explained_in_the_same_words():
    world = cluster().node("a", 4).node("b", 4).pod("x", "a", 3).pod("y", "b", 3).waits("w", gpus=2)
    explanation = explain_pod(world.snapshot, world.snapshot.waiting_pods["w"])
    assert (explanation.reason, explanation.resource, explanation.available) == (Reason.FRAGMENTED, GPU, 2)
