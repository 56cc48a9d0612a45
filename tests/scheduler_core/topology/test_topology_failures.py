"""Why not: Kueue's words, what came closest, what binds, and whether it is only scattered."""

from topology_language import GPU, HOST, RACK, TAINTED, THREE, data_centre, gang, host, one_rack, placed, refused

from scheduler_core.model import NodeTerm, PodShape, Requirement, Taint, Toleration
from scheduler_core.topology import Capacity, Cause, Forest, Topology


def centre_of(*nodes, levels=THREE, **more) -> Capacity:
    return Capacity.of(Forest.of(Topology("default", levels), nodes, **more))


def test_some_fit_and_none_fit() -> None:
    assert (
        refused(one_rack(1), gang(2, required="rack")).message
        == 'topology "default" allows to fit only 1 out of 2 pod(s)'
    )
    failure = refused(one_rack(0), gang(2, required="rack"))
    assert failure.message == (
        'topology "default" doesn\'t allow to fit any of 2 pod(s). '
        'Total nodes: 1; excluded: resource "nvidia.com/gpu": 1'
    )
    assert failure.cause is Cause.DOES_NOT_FIT and (failure.fits, failure.wanted) == (0, 2)


def test_every_barrier_is_counted_once_in_the_order_of_kueue() -> None:
    centre = centre_of(
        host("x1", 4, taints=TAINTED, labels={"zone": "b"}),
        host("x2", 4, labels={"zone": "b"}),
        host("x3", 4, labels={"zone": "a", "arch": "old"}),
        host("x4", 0, labels={"zone": "a", "arch": "new"}),
        host("x5", 9, labels={"zone": "a", "arch": "new"}, ready=False),
        host("x6", 9, labels={"zone": "a", "arch": "new"}, unschedulable=True),
    )
    new = (NodeTerm((Requirement("arch", "In", ("new",)),)),)
    shape = PodShape(requests={GPU: 1}, node_selector={"zone": "a"}, required_node_affinity=new)
    assert refused(centre, gang(1, required="rack", shape=shape)).message == (
        'topology "default" doesn\'t allow to fit any of 1 pod(s). Total nodes: 4; excluded: affinity: 1, '
        'nodeSelector: 1, resource "nvidia.com/gpu": 1, taint "gpu=broken:NoSchedule": 1'
    )


def test_taints_that_are_tolerated_or_only_discourage_keep_nobody_out() -> None:
    soft = host("x1", 2, taints=(Taint("spot", "", "PreferNoSchedule"),))
    hard = host("x2", 2, taints=(Taint("spot", "", "NoExecute"),))
    assert placed(centre_of(soft, hard), gang(2, required="rack")) == {"x1": 2}
    tolerant = PodShape(requests={GPU: 1}, tolerations=(Toleration("spot", "Exists"),))
    assert placed(centre_of(soft, hard), gang(4, required="rack", shape=tolerant)) == {"x1": 2, "x2": 2}


def test_where_leaves_are_racks_nodes_are_not_asked() -> None:
    centre = centre_of(host("x1", 4, taints=TAINTED), levels=THREE[:2])
    assert placed(centre, gang(4, required="rack", shape=PodShape(requests={GPU: 1}, node_selector={"a": "b"}))) == {
        "r1": 4
    }


def test_nodes_that_are_kept_away_from() -> None:
    shape = PodShape(requests={GPU: 1}, excluded_nodes=frozenset({"x1", "elsewhere"}))
    assert placed(one_rack(4, 2), gang(2, required="rack", shape=shape)) == {"x2": 2}
    assert refused(one_rack(4, 2), gang(3, required="rack", shape=shape)).excluded == (("excludedNode", 1),)


def test_no_domains() -> None:
    failure = refused(centre_of(), gang(1, required="rack"))
    assert (failure.cause, failure.message) == (Cause.NO_DOMAINS, f"no topology domains at level: {RACK}")
    unlabelled = host("x1", 4)
    centre = centre_of(unlabelled, node_labels={"pool": "gpu"})
    assert refused(centre, gang(1)).message == f"no topology domains at level: {HOST}"


def test_what_came_closest_and_what_binds_there() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 3, "x2": 2}, "r2": {"x3": 4}}, "b2": {"r3": {"x4": 4}}})
    failure = refused(centre, gang(8, required="rack"))
    assert (failure.closest_level, failure.closest, failure.fits) == (RACK, ("b1", "r1"), 5)
    assert failure.binding == GPU
    assert failure.fits_without_topology and failure.fits_in_sum


def test_pods_that_are_too_large_for_what_is_left_of_each_host() -> None:
    pairs = PodShape(requests={GPU: 2})
    failure = refused(one_rack(3, 3, 2), gang(4, required="rack", shape=pairs))
    assert not failure.fits_without_topology and failure.fits_in_sum, "8 GPUs are free, a pair at a time only 6"
    assert (failure.fits, failure.binding) == (3, GPU)


def test_a_full_cluster_has_nothing_in_sum() -> None:
    failure = refused(one_rack(1, 1), gang(4, preferred="host"))
    assert not failure.fits_in_sum and not failure.fits_without_topology
    assert (failure.closest, failure.fits) == ((), 2)


def test_a_resource_that_no_node_has() -> None:
    failure = refused(one_rack(4), gang(1, required="rack", shape=PodShape(requests={"tpu": 1})))
    assert failure.message.endswith('excluded: resource "tpu": 1') and failure.binding == "tpu"


def test_pods_count_where_a_node_counts_them() -> None:
    centre = centre_of(host("x1", 8, also={"pods": 3}))
    assert placed(centre, gang(3, required="host")) == {"x1": 3}
    failure = refused(centre, gang(4, required="host"))
    assert failure.binding == "pods"


def test_more_used_than_there_is_counts_as_none() -> None:
    rack = one_rack(2, 4)
    rack.occupy([("x1", {GPU: 5}), ("gone", {GPU: 1})])
    assert refused(rack, gang(5, required="rack")).fits == 4
