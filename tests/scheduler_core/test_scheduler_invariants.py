"""What must hold on every cluster that can be drawn, whatever happens to it."""

from itertools import islice

from hypothesis import given, strategies as st
from schedule_language import GPU, cluster

from scheduler_core import (
    Activate,
    Cohort,
    Cordon,
    Drain,
    FlavorResource,
    Gang,
    Phase,
    PodSet,
    Remove,
    Requeue,
    Stop,
    StopPolicy,
    Strategy,
    Uncordon,
    apply_all,
    run,
    what_if,
)
from scheduler_core.snapshot import Snapshot
from tests.tried import tried

KEY = FlavorResource("default", GPU)
few = tried(120)


@st.composite
def pod_sets(draw, name):
    count = draw(st.integers(1, 4))
    least = draw(st.none() | st.integers(1, count))
    return PodSet(name=name, count=count, min_count=least, requests={GPU: draw(st.integers(0, 4))})


@st.composite
def worlds(draw):
    world = cluster()
    for index in range(draw(st.integers(1, 4))):
        world.node(f"n{index}", draw(st.integers(0, 8)))
    world.cohort("root").cohort("sub", "root", quota=draw(st.integers(0, 4)))
    limit = st.none() | st.integers(0, 8)
    for index in range(draw(st.integers(1, 3))):
        nominal, above = draw(st.integers(0, 12)), draw(st.sampled_from([None, "root", "sub"]))
        world.queue(
            f"q{index}",
            nominal,
            borrowing_limit=draw(limit if above else st.none()),
            lending_limit=draw(st.none() | st.integers(0, nominal) if above else st.none()),
            cohort=above,
            strategy=draw(st.sampled_from(Strategy)),
        )
    queues = st.sampled_from([*sorted(world.snapshot.queues), None])
    for index in range(draw(st.integers(1, 6))):
        gang = Gang(
            name=f"g{index}",
            pod_sets=tuple(draw(pod_sets(name)) for name in ("leader", "worker")[: draw(st.integers(1, 2))]),
            queue=draw(queues),
            priority=draw(st.integers(0, 2)),
            created_s=draw(st.integers(0, 5)),
        )
        world.snapshot.add_gang(gang)
    return world


@st.composite
def worlds_and_changes(draw):
    world = draw(worlds())
    node, gang = st.sampled_from(sorted(world.snapshot.nodes)), st.sampled_from(sorted(world.snapshot.gangs))
    queue = st.sampled_from(sorted(world.snapshot.queues))
    change = st.one_of(
        st.builds(Cordon, node),
        st.builds(Uncordon, node),
        st.builds(Drain, node),
        st.builds(Requeue, gang, st.none() | st.integers(0, 99), st.lists(node, max_size=1).map(tuple)),
        st.builds(Activate, gang, st.booleans()),
        st.builds(Stop, queue, st.sampled_from(StopPolicy)),
    )
    return world, draw(st.lists(change, max_size=4))


def check(snapshot: Snapshot) -> None:
    for name, gang in snapshot.gangs.items():  # a gang is whole or absent
        assert snapshot.phase(name) in (Phase.PENDING, Phase.RUNNING)
        assert len(snapshot.pods_of(name)) <= gang.count
    for name, node in snapshot.nodes.items():  # no node is oversubscribed, and free is what is not used
        used = sum(snapshot.pods[pod].pod.requests.get(GPU, 0) for pod in snapshot.pods_on(name))
        assert 0 <= snapshot.free[name][GPU] == node.allocatable[GPU] - used
    for pod, bound in snapshot.pods.items():
        assert pod in snapshot.pods_on(bound.node)
        assert bound.node not in bound.pod.excluded_nodes
    check_quota(snapshot)


def check_quota(snapshot: Snapshot) -> None:
    tree = snapshot.quota_tree
    for name, queue in snapshot.queues.items():
        assert snapshot.available(name, KEY) >= 0
        used = sum(
            snapshot.pods[pod].pod.requests[GPU]
            for gang in snapshot.gangs.values()
            if gang.queue == name
            for pod in snapshot.pods_of(gang.name)
        )
        assert snapshot.usage.get((("queue", name), KEY), 0) == used
        assert used <= tree.potential(("queue", name), KEY)
        quota = queue.quotas[0]
        if quota.borrowing_limit is not None and queue.cohort is not None:
            assert used <= quota.nominal + quota.borrowing_limit
        if quota.lending_limit is not None and queue.cohort is not None:  # what is never lent stays there to be had
            assert snapshot.available(name, KEY) >= max(0, quota.nominal - quota.lending_limit) - used


@few
@given(worlds_and_changes())
def test_gangs_are_whole_nodes_hold_and_quota_is_kept_after_anything(given_world):
    world, changes = given_world
    world.run(0)
    check(world.snapshot)
    for step, change in enumerate(changes, start=1):
        change.apply(world.snapshot, 10 * step)
        world.run(10 * step)
        check(world.snapshot)


@few
@given(worlds_and_changes())
def test_a_what_if_says_what_then_happens_and_leaves_no_trace(given_world):
    world, changes = given_world
    world.run(0)
    before = world.snapshot.contents()
    effect = what_if(world.snapshot, changes, 5)
    assert world.snapshot.contents() == before
    apply_all(world.snapshot, changes, 5)
    run(world.snapshot, 5)
    assert effect.gangs_running_after == len(world.running_gangs())
    assert set(effect.still_pending) == set(world.snapshot.gangs) - world.running_gangs()
    assert effect.gpus_free_after == world.snapshot.gpus_free()


@few
@given(worlds(), st.randoms(use_true_random=False))
def test_the_same_cluster_gets_the_same_answer_whatever_order_it_was_told_in(world, chance):
    told = world.snapshot
    parts = [list(each.values()) for each in (told.nodes, told.queues, told.gangs)]
    for part in parts:
        chance.shuffle(part)
    nodes, queues, gangs = parts
    other = Snapshot(nodes=nodes, cohorts=told.cohorts.values(), queues=queues, gangs=gangs)
    assert run(other, 0) == run(told, 0)
    assert other.contents() == told.contents()


@few
@given(worlds_and_changes())
def test_a_run_settles_and_what_is_left_has_a_reason_that_is_not_that_it_fits(given_world):
    world, changes = given_world
    apply_all(world.snapshot, changes, 0)
    world.run(0)
    assert not world.run(0).changed
    for name in sorted(set(world.snapshot.gangs) - world.running_gangs()):
        assert str(world.why(name).reason) != "Fits"


@few
@given(worlds())
def test_undo_after_removal_restores_order_and_all(world):
    world.run(0)
    before = world.snapshot.contents()
    with world.snapshot.fork() as fork:
        for name in sorted(fork.gangs):
            Remove(gang=name).apply(fork, 0)
        for name in sorted(fork.nodes):
            fork.remove_node(name)
        assert not fork.pods
        assert not fork.usage
    assert world.snapshot.contents() == before
    assert run(world.snapshot, 0) == run(world.snapshot, 0)


@st.composite
def stuck_worlds(draw):
    """Pods of gangs run here and there, put by somebody who knows nothing of gangs; nodes may be over-full."""
    world = draw(worlds())
    node = st.sampled_from(sorted(world.snapshot.nodes))
    for name, gang in sorted(world.snapshot.gangs.items()):
        for pod_set in gang.pod_sets:
            for member in islice(gang.members(pod_set), draw(st.integers(0, pod_set.count))):
                world.snapshot.occupy(draw(node), pod_set.requests, member, name, pod_set=pod_set.name)
    return world


@few
@given(stuck_worlds(), st.data())
def test_what_runs_already_is_believed_completed_whole_or_left_alone(world, data):
    snapshot = world.snapshot
    before = {name: (snapshot.phase(name), snapshot.pods_of(name)) for name in snapshot.gangs}
    free = {name: snapshot.free[name][GPU] for name in snapshot.nodes}
    contents = snapshot.contents()
    with snapshot.fork():
        Requeue(data.draw(st.sampled_from(sorted(before))), 0).apply(snapshot, 0)
        world.run()
    assert snapshot.contents() == contents
    world.run()
    for name, (phase, pods) in before.items():
        assert set(pods) <= set(snapshot.pods_of(name))
        if snapshot.phase(name) is not Phase.RUNNING:
            assert (snapshot.phase(name), snapshot.pods_of(name)) == (phase, pods)
    for name in snapshot.nodes:
        assert snapshot.free[name][GPU] >= min(0, free[name])
    used = {name: snapshot.usage.get((("queue", name), KEY), 0) for name in snapshot.queues}
    snapshot.add_cohort(Cohort(name="another"))  # whatever makes the core count anew must find the same
    assert used == {name: snapshot.usage.get((("queue", name), KEY), 0) for name in snapshot.queues}
