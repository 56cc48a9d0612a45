"""The remedy of a pending gang, done to the letter, lets the gang in; done by one less anywhere, it does not."""

from dataclasses import replace
from itertools import product

from hypothesis import given, strategies as st
from quota_trees import lawful

from scheduler_core import (
    Admission,
    Cohort,
    Explanation,
    Flavor,
    Gang,
    GangState,
    Node,
    PodSet,
    Queue,
    Quota,
    Settings,
    Snapshot,
    Topology,
    TopologyMode,
    TopologyRequest,
    explain,
)
from scheduler_core.desk import Desk
from scheduler_core.explanation import Reason
from scheduler_core.fungibility import Mode
from scheduler_core.kueue_cycle import decide
from scheduler_core.quota_levers import Lever, Means
from scheduler_core.state import DomainCount
from tests.tried import tried

GPU, CPU, RACK, HOST = "nvidia.com/gpu", "cpu", "rack", "kubernetes.io/hostname"
BY_QUOTA = Settings(place=False)
LIMITS = st.none() | st.integers(0, 6)


def lets_in(snapshot: Snapshot) -> bool:
    return decide(Desk(snapshot, 0, BY_QUOTA), "g", 0).mode is Mode.FIT


def why(snapshot: Snapshot) -> Explanation:
    found = explain(snapshot, "g", 0, BY_QUOTA)
    assert found is not None
    return found


# -- quota -------------------------------------------------------------------------------------------------------------


@st.composite
def quotas(draw: st.DrawFn, above: str | None) -> tuple[Quota, ...]:
    made = st.builds(
        Quota, nominal=st.integers(0, 8), borrowing_limit=LIMITS, lending_limit=LIMITS, resource=st.just("")
    )
    return tuple(lawful(replace(draw(made), resource=resource), "queue", above) for resource in (CPU, GPU))


@st.composite
def shared(draw: st.DrawFn) -> Snapshot:
    cohorts = [Cohort(name="root"), Cohort(name="sub", parent="root")]
    above = {name: draw(st.sampled_from(["root", "sub", None])) for name in "abc"}
    queues = [Queue(name=name, cohort=above[name], quotas=draw(quotas(above[name]))) for name in "abc"]
    snapshot = Snapshot(cohorts=cohorts, queues=queues)
    for number in range(draw(st.integers(0, 4))):
        requests = {CPU: draw(st.integers(0, 4)), GPU: draw(st.integers(0, 4))}
        gang = Gang(
            name=f"h{number}", queue=draw(st.sampled_from("abc")), pod_sets=(PodSet(count=1, requests=requests),)
        )
        snapshot.add_gang(gang)
        snapshot.restore(gang.name, GangState(Admission(0, {"main": 1})))
    requests = {CPU: draw(st.integers(1, 8)), GPU: draw(st.integers(0, 8))}
    pods = PodSet(count=draw(st.integers(1, 2)), requests=requests)
    snapshot.add_gang(Gang(name="g", queue=draw(st.sampled_from("abc")), pod_sets=(pods,)))
    return snapshot


def moved(snapshot: Snapshot, levers: tuple[Lever, ...]) -> bool:
    """Would it be let in, were these limits raised and that usage ended?"""
    with snapshot.fork():
        for lever in levers:
            kind, name = lever.place
            if lever.means is Means.USAGE:
                _end(snapshot, name, lever)
                continue
            field = {Means.BORROWING: "borrowing_limit", Means.LENDING: "lending_limit", Means.NOMINAL: "nominal"}
            place = snapshot.queues[name] if kind == "queue" else snapshot.cohorts[name]
            own = place.quotas
            if not any(each.key == lever.key for each in own):
                own = (*own, Quota(resource=lever.key.resource, flavor=lever.key.flavor, nominal=0))
            more = tuple(
                _raised(each, field[lever.means], lever.amount) if each.key == lever.key else each for each in own
            )
            put = snapshot.replace_queue if kind == "queue" else snapshot.replace_cohort
            put(replace(place, quotas=more))  # type: ignore[type-var, arg-type]
        return lets_in(snapshot)


def _raised(quota: Quota, field: str, amount: int) -> Quota:
    return replace(quota, **{field: getattr(quota, field) + amount})


def _end(snapshot: Snapshot, queue: str, lever: Lever) -> None:
    left = lever.amount
    for name, gang in sorted(snapshot.gangs.items()):
        held = snapshot.charge_of(name).get(lever.key, 0)
        if gang.queue == queue and held and left:
            less, left = min(held, left), left - min(held, left)
            usage = {
                key.resource: amount - (less if key == lever.key else 0)
                for key, amount in snapshot.charge_of(name).items()
            }
            snapshot.restore(name, GangState(Admission(0, {"main": 1}, usage={"main": usage})))
    assert left == 0, "more than there is cannot end"


@given(shared())
@tried(500)
def test_quota(snapshot: Snapshot) -> None:
    found = why(snapshot)
    if found.reason is Reason.FITS:
        assert lets_in(snapshot)
    elif found.reason is Reason.WAITING_FOR_QUOTA:
        assert moved(snapshot, found.levers)
        for index, lever in enumerate(found.levers):
            less = (*found.levers[:index], replace(lever, amount=lever.amount - 1), *found.levers[index + 1 :])
            assert not moved(snapshot, less)
    else:
        assert found.reason is Reason.EXCEEDS_MAX_QUOTA, found
        for name in sorted(snapshot.gangs):
            if name != "g":
                snapshot.remove_gang(name)
        assert not lets_in(snapshot) and moved(snapshot, found.levers)
        for index, lever in enumerate(found.levers):
            less = (*found.levers[:index], replace(lever, amount=lever.amount - 1), *found.levers[index + 1 :])
            assert not moved(snapshot, less)


# -- topology ----------------------------------------------------------------------------------------------------------


@st.composite
def racks(draw: st.DrawFn) -> Snapshot:
    """One to five hosts in two racks, gangs on some of them, and a gang of one or two pod sets."""
    snapshot = Snapshot(topologies=[Topology("dc", (RACK, HOST))], flavors=[Flavor("default", topology="dc")])
    queue = Queue(name="q", quotas=(Quota(resource=GPU, nominal=1000),))
    snapshot.add_queue(queue)
    for number in range(draw(st.integers(1, 5))):
        name, size, rack = f"x{number}", draw(st.integers(1, 6)), draw(st.sampled_from(["r1", "r2"]))
        snapshot.add_node(Node(name, {GPU: size}, {RACK: rack, HOST: name}))
        if taken := draw(st.integers(0, size)):
            holder = Gang(name=f"h{number}", queue="q", pod_sets=(PodSet(count=1, requests={GPU: taken}),))
            snapshot.add_gang(holder)
            topology = {"main": (DomainCount((name,), 1),)}
            snapshot.restore(
                holder.name, GangState(Admission(0, {"main": 1}, {"main": {GPU: "default"}}, {}, topology))
            )
    mode, level = draw(
        st.sampled_from([(TopologyMode.REQUIRED, RACK), (TopologyMode.PREFERRED, HOST), (TopologyMode.REQUIRED, HOST)])
    )
    request = TopologyRequest(mode=mode, level=level)
    pod_sets = [
        PodSet(name=name, count=draw(st.integers(1, 4)), requests={GPU: draw(st.integers(1, 4))}, topology=request)
        for name in ("one", "two")[: draw(st.integers(1, 2))]
    ]
    snapshot.add_gang(Gang(name="g", queue="q", pod_sets=tuple(pod_sets)))
    return snapshot


def freed(snapshot: Snapshot, lacking: tuple[tuple[str, str, int], ...]) -> bool:
    """What comes free on a node is as good as so much more of it."""
    with snapshot.fork():
        for name, resource, amount in lacking:
            node = snapshot.nodes[name]
            more = {**node.allocatable, resource: node.allocatable[resource] + amount}
            snapshot.replace_node(replace(node, allocatable=more))
        return lets_in(snapshot)


@given(racks())
@tried(500)
def test_topology(snapshot: Snapshot) -> None:
    found, gang = why(snapshot), snapshot.gang("g")
    if found.reason is Reason.FITS:
        assert lets_in(snapshot)
        return
    assert not lets_in(snapshot)
    if found.reason is Reason.POD_TOO_LARGE:
        assert max(node.allocatable[GPU] for node in snapshot.nodes.values()) == found.available < found.wanted
        assert "free" not in found.remedy
    elif found.lacking:
        assert freed(snapshot, found.lacking)
        assert all(
            sum(each[2] for each in found.lacking if each[0] == name) <= snapshot.nodes[name].allocatable[GPU]
            for name, _, _ in found.lacking
        ), "no more can come free than there is"
        if len(gang.pod_sets) == 1:
            for index, (name, resource, amount) in enumerate(found.lacking):
                less = (*found.lacking[:index], (name, resource, amount - 1), *found.lacking[index + 1 :])
                assert not freed(snapshot, less)
    else:
        assert "free" not in found.remedy and "add nodes" in found.remedy
        for name in sorted(snapshot.gangs):
            if name != "g" and len(gang.pod_sets) == 1:
                snapshot.remove_gang(name)
        assert len(gang.pod_sets) > 1 or not lets_in(snapshot), "the empty cluster does not hold it either"


# -- nodes, without a topology -----------------------------------------------------------------------------------------


@st.composite
def nodes(draw: st.DrawFn) -> Snapshot:
    snapshot = Snapshot()
    for number in range(draw(st.integers(1, 4))):
        sizes = {GPU: draw(st.integers(0, 5)), CPU: draw(st.integers(0, 5))}
        snapshot.add_node(Node(f"x{number}", sizes))
        snapshot.occupy(f"x{number}", {each: draw(st.integers(0, size)) for each, size in sizes.items()}, f"p{number}")
    requests = {GPU: draw(st.integers(1, 4)), CPU: draw(st.integers(0, 3))}
    snapshot.add_gang(Gang(name="g", pod_sets=(PodSet(count=draw(st.integers(1, 4)), requests=requests),)))
    return snapshot


def starts(snapshot: Snapshot, lacking: tuple[tuple[str, str, int], ...] = ()) -> bool:
    with snapshot.fork():
        for name, resource, amount in lacking:
            node = snapshot.nodes[name]
            more = {**node.allocatable, resource: node.allocatable[resource] + amount}
            snapshot.replace_node(replace(node, allocatable=more))
        return explain(snapshot, "g", 0) == FITS


FITS = Explanation(Reason.FITS, "nothing stands in its way", "the next cycle starts it")


@given(nodes())
@tried(500)
def test_nodes(snapshot: Snapshot) -> None:
    found = explain(snapshot, "g", 0)
    assert found is not None
    if found.lacking:
        assert starts(snapshot, found.lacking)
        for index, (name, resource, amount) in enumerate(found.lacking):
            less = (*found.lacking[:index], (name, resource, amount - 1), *found.lacking[index + 1 :])
            assert not starts(snapshot, less)
        return
    assert "free" not in found.remedy
    if found.reason is not Reason.FITS:
        for name in snapshot.nodes:
            for pod in snapshot.pods_on(name):
                snapshot.forget_pod(pod)
        assert not starts(snapshot), "the empty nodes do not hold it either"


@given(nodes())
@tried(300)
def test_no_smaller_amount_of_the_one_scarce_resource_would_do(snapshot: Snapshot) -> None:
    """Of GPUs alone, what is told is the least over all ways to free some."""
    (pods,) = snapshot.gang("g").pod_sets
    only = replace(pods, requests={GPU: pods.requests[GPU]})
    snapshot.replace_gang(replace(snapshot.gang("g"), pod_sets=(only,)))
    found = explain(snapshot, "g", 0)
    assert found is not None
    if found.lacking:
        used = {name: node.allocatable[GPU] - snapshot.free[name][GPU] for name, node in snapshot.nodes.items()}
        total = sum(amount for _, _, amount in found.lacking)
        for way in product(*(range(amount + 1) for amount in used.values())):
            if sum(way) == total - 1:
                assert not starts(snapshot, tuple((name, GPU, amount) for name, amount in zip(used, way, strict=True)))
