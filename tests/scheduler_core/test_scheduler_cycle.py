"""Who gets in, in which order, and that a gang gets in whole."""

import pytest
from schedule_language import GPU, cluster

from scheduler_core import (
    Activate,
    Admission,
    Flavor,
    FlavorResource,
    GangState,
    Node,
    Phase,
    PodSet,
    Queue,
    Quota,
    Reason,
    Settings,
    Stop,
    StopPolicy,
    Strategy,
    Taint,
    Toleration,
    Undeclared,
)


def test_a_gang_starts_whole_or_not_at_all():
    world = cluster().nodes(3).queue("q").gang("big", pods=4, queue="q").gang("small", pods=3, queue="q", created_s=1)
    result = world.run()
    assert [each.gang for each in result.admitted] == ["small"]
    assert world.snapshot.pods_of("big") == ()
    assert world.nodes_of("small") == ["gpu-0", "gpu-1", "gpu-2"]


def test_an_assignment_names_every_pod_its_node_and_its_flavor():
    world = cluster().nodes(2).queue("q")
    world.gang_of("g", PodSet(count=2, requests={GPU: 8}, pods=("g-worker-a", "g-worker-b")), queue="q")
    (assignment,) = world.run().admitted
    assert assignment.pods == {"g-worker-a": "gpu-0", "g-worker-b": "gpu-1"}
    assert assignment.flavors == {"main": {GPU: "default"}}


def test_higher_priority_first_then_the_longer_wait_then_the_name():
    world = cluster().nodes(1).queue("q")
    for name, priority, created_s in (("d", 0, 5), ("c", 0, 5), ("b", 0, 1), ("a", 9, 9)):
        world.gang(name, queue="q", priority=priority, created_s=created_s)
    started = []
    for _ in range(4):
        (assignment,) = world.run().admitted
        started.append(assignment.gang)
        world.snapshot.remove_gang(assignment.gang)
    assert started == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("strategy", "running"), [(Strategy.STRICT_FIFO, set()), (Strategy.BEST_EFFORT_FIFO, {"small"})]
)
def test_a_head_that_does_not_fit_blocks_only_a_strict_queue(strategy, running):
    world = cluster().nodes(2).queue("q", strategy=strategy)
    world.gang("big", pods=3, queue="q").gang("small", queue="q", created_s=1).run()
    assert world.running_gangs() == running


def test_who_stays_within_the_own_quota_goes_before_who_borrows():
    world = cluster().nodes(1).cohort("all").queue("a", 0, cohort="all").queue("b", 8, cohort="all")
    world.gang("borrower", queue="a").gang("owner", queue="b", created_s=5).run()
    assert world.running_gangs() == {"owner"}


def test_a_cycle_takes_one_gang_of_every_queue():
    world = cluster().nodes(4).queue("a").queue("b")
    world.gang("a1", queue="a").gang("a2", queue="a", created_s=1).gang("b1", queue="b")
    assert {each.gang for each in world.cycle().admitted} == {"a1", "b1"}
    assert {each.gang for each in world.cycle().admitted} == {"a2"}


def test_a_parked_gang_is_tried_again_when_capacity_changes():
    world = cluster().nodes(1).queue("q").gang("first", queue="q").gang("second", queue="q", created_s=1)
    assert world.run().parked == ("second",)
    assert not world.run().changed
    world.snapshot.remove_gang("first")
    assert [each.gang for each in world.run().admitted] == ["second"]


def test_a_pod_that_leaves_is_such_a_change():
    world = cluster().nodes(1).pod("notebook", "gpu-0").queue("q").gang("g", queue="q")
    assert world.run().parked == ("g",)
    world.snapshot.release("notebook")
    assert [each.gang for each in world.run().admitted] == ["g"]


def test_partial_admission_takes_the_most_that_fits_above_the_minimum():
    world = cluster().nodes(5).queue("q", 32).gang("g", pods=8, at_least=2, queue="q")
    (assignment,) = world.run().admitted
    assert (assignment.counts, len(world.nodes_of("g"))) == ({"main": 4}, 4)
    assert world.snapshot.available("q", next(iter(world.snapshot.charge_of("g")))) == 0


def test_the_pod_sets_of_a_gang_share_one_quota():
    world = cluster().nodes(2).queue("q", 12)
    both = (PodSet(name="leader", count=1, requests={GPU: 8}), PodSet(name="worker", count=1, requests={GPU: 8}))
    world.gang_of("g", *both, queue="q").run()
    assert world.running_gangs() == set()
    assert world.why("g").reason is Reason.EXCEEDS_MAX_QUOTA
    assert (world.why("g").wanted, world.why("g").available) == (16, 12)


def test_a_gang_of_no_pods_is_no_trouble():
    world = cluster().nodes(1).queue("q").gang("g", pods=0, queue="q")
    world.run()
    assert world.running_gangs() == {"g"}


def test_a_stuck_gang_is_completed_before_anybody_new_starts():
    world = (
        cluster()
        .nodes(3)
        .queue("q", 24)
        .gang("stuck", pods=3, queue="q", created_s=9)
        .running("stuck", "gpu-0", "gpu-1")
    )
    world.gang("new", queue="q", priority=0)
    result = world.run()
    assert [each.gang for each in result.completed] == ["stuck"]
    assert (world.running_gangs(), result.admitted) == ({"stuck"}, ())


def test_an_admitted_gang_without_pods_is_placed_under_the_quota_it_holds():
    world = cluster().nodes(2).queue("q", 16).gang("g", pods=2, queue="q")
    world.snapshot.restore("g", GangState(Admission(0, {"main": 2})))
    assert world.snapshot.phase("g") is Phase.ADMITTED
    world.run()
    assert world.running_gangs() == {"g"}


def test_admission_by_quota_alone_leaves_the_pods_to_somebody_else():
    world = cluster(Settings(place=False)).nodes(1).queue("q", 32)
    world.gang("a", pods=2, queue="q").gang("b", pods=4, queue="q")
    assert [each.gang for each in world.run().admitted] == ["a"]
    assert world.snapshot.phase("a") is Phase.ADMITTED
    assert world.why("b").reason is Reason.WAITING_FOR_QUOTA


def test_hold_admits_nothing_new_and_hold_and_drain_takes_back():
    world = cluster().nodes(4).queue("q").gang("old", queue="q")
    world.run()
    Stop("q", StopPolicy.HOLD).apply(world.snapshot, 0)
    world.gang("new", queue="q").run()
    assert world.running_gangs() == {"old"}
    Stop("q", StopPolicy.HOLD_AND_DRAIN).apply(world.snapshot, 0)
    assert world.run().drained == ("old",)
    assert world.running_gangs() == set()
    Stop("q", StopPolicy.NONE).apply(world.snapshot, 0)
    world.run()
    assert world.running_gangs() == {"old", "new"}


def test_a_gang_that_is_switched_off_gives_up_what_it_has():
    world = cluster().nodes(2).queue("q").gang("g", pods=2, queue="q")
    world.run()
    Activate("g", False).apply(world.snapshot, 0)
    assert world.run().drained == ("g",)
    assert (world.snapshot.pods_of("g"), world.snapshot.charge_of("g")) == ((), {})


def test_a_gang_runs_when_every_pod_set_has_its_minimum():
    world = cluster().nodes(3, gpus=1)
    sets = (PodSet(name="leader", count=1, requests={GPU: 1}), PodSet(name="worker", count=2, requests={GPU: 1}))
    world.gang_of("g", *sets)
    world.snapshot.occupy("gpu-0", {GPU: 1}, "l", "g", pod_set="leader")
    assert world.snapshot.phase("g") is Phase.PARTIAL
    world.run()
    assert world.snapshot.phase("g") is Phase.RUNNING


def test_pods_that_nobody_admitted_count_against_the_flavor_of_their_node():
    world = two_flavors().gang("g", pods=2, queue="q").running("g", "f")
    assert dict(world.snapshot.charge_of("g")) == {FlavorResource("fast", GPU): 8}
    world.snapshot.replace_node(Node("f", {GPU: 8}, labels={"pool": "cheap"}))
    assert dict(world.snapshot.charge_of("g")) == {FlavorResource("cheap", GPU): 8}


def test_single_pods_that_wait_find_a_node_by_priority():
    world = cluster().node("n", 1).waits("a").waits("z", priority=5)
    assert world.run().placed == {"z": "n"}
    assert set(world.snapshot.waiting_pods) == {"a"}


# -- flavors -----------------------------------------------------------------------------------------------------------


def two_flavors(**more):
    world = cluster().flavor("cheap", pool="cheap").flavor("fast", pool="fast")
    world.node("c", 8, labels={"pool": "cheap"}).node("f", 8, labels={"pool": "fast"})
    return world.queue("q", {"cheap": 8, "fast": 8}, **more)


def test_the_first_flavor_with_quota_is_taken_and_its_nodes_are_used():
    world = two_flavors().gang("a", queue="q").gang("b", queue="q", created_s=1)
    world.run()
    assert (world.nodes_of("a"), world.nodes_of("b")) == (["c"], ["f"])


def test_a_node_selector_chooses_the_flavor():
    world = two_flavors().gang("a", queue="q", node_selector={"pool": "fast"})
    world.run()
    assert world.nodes_of("a") == ["f"]


def test_a_flavor_whose_nodes_are_full_gives_way_to_the_next():
    world = two_flavors().pod("stranger", "c").gang("a", queue="q")
    world.run()
    assert world.nodes_of("a") == ["f"]


def test_a_flavor_brings_its_tolerations():
    taint = Taint("spot", "yes")
    world = cluster().node("n", 8, taints=(taint,))
    world.snapshot.add_flavor(Flavor("spot", node_taints=(taint,), tolerations=(Toleration("spot", "Exists"),)))
    world.queue("q", {"spot": 8}).gang("g", queue="q").run()
    assert world.running_gangs() == {"g"}


def test_a_resource_without_quota_blocks_or_is_ignored_as_the_queue_says():
    for undeclared, started in ((Undeclared.BLOCK, set()), (Undeclared.IGNORE, {"g"})):
        world = cluster().node("n", 8, resources={"cpu": 4})
        world.snapshot.add_queue(Queue(name="q", quotas=(Quota(resource=GPU, nominal=8),), undeclared=undeclared))
        world.gang_of("g", PodSet(count=1, requests={GPU: 1, "cpu": 1}), queue="q").run()
        assert world.running_gangs() == started
