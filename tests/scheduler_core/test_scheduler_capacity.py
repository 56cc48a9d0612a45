"""The matrix says what the tables say, node by node, whatever was written to them and taken back."""

from hypothesis import given, strategies as st
from schedule_language import GPU

from scheduler_core import Node, NodeTerm, Pod, PodShape, Requirement, Snapshot, Taint, Toleration
from scheduler_core.eligibility import barrier
from scheduler_core.model import PODS, gpus
from scheduler_core.placement import Demand, fit, place, room_for
from scheduler_core.policies import POLICIES
from tests.tried import tried

NAMES = [f"n{index}" for index in range(5)]
UNCOUNTED = 2**62  # as much as anybody could want: what callers say of a resource that a node does not tell of
kinds = st.sampled_from([GPU, "amd.com/gpu", "cpu", PODS])
quantities = st.dictionaries(kinds, st.integers(0, 9), max_size=3)
offered = st.dictionaries(kinds, st.integers(0, 9), max_size=3) | st.just({GPU: 8, "cpu": UNCOUNTED})
labels = st.dictionaries(st.sampled_from(["zone", "size"]), st.sampled_from(["1", "2", "x"]), max_size=2)
taints = st.lists(
    st.builds(Taint, st.sampled_from(["a", "b"]), st.just(""), st.sampled_from(["NoSchedule", "PreferNoSchedule"])),
    max_size=2,
).map(tuple)
requirements = st.one_of(
    st.builds(Requirement, st.sampled_from(["zone", "size"]), st.sampled_from(["In", "NotIn"]), st.just(("1", "x"))),
    st.builds(Requirement, st.just("zone"), st.sampled_from(["Exists", "DoesNotExist"])),
    st.builds(Requirement, st.just("size"), st.sampled_from(["Gt", "Lt"]), st.just(("1",))),
)
shapes = st.builds(
    PodShape,
    requests=quantities,
    node_selector=labels,
    tolerations=st.lists(st.sampled_from([Toleration("a"), Toleration(operator="Exists")]), max_size=1).map(tuple),
    required_node_affinity=st.lists(st.builds(NodeTerm, st.lists(requirements, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
    excluded_nodes=st.frozensets(st.sampled_from(NAMES), max_size=2),
)


def node_called(name):
    return st.builds(Node, st.just(name), offered, labels, taints, ready=st.booleans(), unschedulable=st.booleans())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), st.sampled_from(NAMES).flatmap(node_called)),
        st.tuples(st.just("gone"), st.sampled_from(NAMES)),
        st.tuples(st.just("pod"), st.tuples(st.sampled_from(NAMES), quantities)),
        st.tuples(st.just("undo"), st.booleans()),
        st.tuples(st.just("look"), st.none()),
    ),
    max_size=12,
)


def check(snapshot, wanted):
    for shape in wanted:
        pods = dict(zip(snapshot.capacity.names, snapshot.capacity.pods(shape).tolist(), strict=True))
        told = {
            name: 0 if barrier(node, shape) else room_for(snapshot.free[name], shape.requests)
            for name, node in snapshot.nodes.items()
        }
        assert pods == told
    free = dict(zip(snapshot.capacity.names, snapshot.capacity.free.gpus().tolist(), strict=True))
    assert free == {name: gpus(snapshot.free[name]) for name in snapshot.nodes}


@tried(200)
@given(st.lists(shapes, min_size=1, max_size=3), steps)
def test_the_matrix_follows_the_tables(wanted, told):
    snapshot, marks = Snapshot(), []
    for number, (kind, what) in enumerate(told):
        if kind == "node":
            (snapshot.replace_node if what.name in snapshot.nodes else snapshot.add_node)(what)
        elif kind == "gone" and what in snapshot.nodes:
            snapshot.remove_node(what)
        elif kind == "pod" and what[0] in snapshot.nodes:
            snapshot.put_pod(Pod(name=f"p{number}", requests=what[1]), what[0])
        elif kind == "undo" and what:
            marks.append(snapshot.mark())
        elif kind == "undo" and marks:
            snapshot.undo(marks.pop())
        elif kind == "look":
            check(snapshot, wanted)
    check(snapshot, wanted)


@tried(200)
@given(
    st.lists(quantities, min_size=1, max_size=5),
    st.lists(st.tuples(quantities, st.integers(0, 6)), min_size=1, max_size=3),
    st.sampled_from(POLICIES),
)
def test_what_is_placed_fits_and_is_whole(nodes, wanted, named):
    """Whatever the policy, and the same on nodes of the caller's own as on a snapshot's."""
    snapshot = Snapshot(nodes=[Node(f"n{index}", each) for index, each in enumerate(nodes)])
    demands = [Demand(str(index), PodShape(requests=each), count) for index, (each, count) in enumerate(wanted)]
    placed = fit(snapshot.capacity.space(), demands, named[1])
    assert placed == place(snapshot.nodes, snapshot.free, demands, named[1])
    if placed is None:
        return
    for demand in demands:
        assert len(placed[demand.key]) == demand.count
        for number, node in enumerate(placed[demand.key]):
            snapshot.bind(Pod(name=f"{demand.key}-{number}", requests=demand.shape.requests), node)
