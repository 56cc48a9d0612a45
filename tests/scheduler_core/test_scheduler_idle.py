"""Idle GPUs are counted again only where something changed: it is always as if all had been counted."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scheduler_core.journal import Mark
from scheduler_core.model import Node, gpus
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing import standing, with_nodes

GPU = "nvidia.com/gpu"
NAMES = ("a", "b", "c")
nodes = st.builds(
    lambda name, count, ready, unschedulable: Node(
        name=name, allocatable={GPU: count, "amd.com/gpu": 1, "pods": 9}, ready=ready, unschedulable=unschedulable
    ),
    st.sampled_from(NAMES),
    st.integers(0, 8),
    st.booleans(),
    st.booleans(),
)


class Changing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot()
        self.marks: list[Mark] = []
        self.pods = 0
        self.before = standing(self.snapshot)

    @rule(node=nodes)
    def a_node_comes_or_changes(self, node: Node) -> None:
        known = node.name in self.snapshot.nodes
        (self.snapshot.replace_node if known else self.snapshot.add_node)(node)

    @precondition(lambda self: self.snapshot.nodes)
    @rule(which=st.integers(0, 9))
    def a_node_goes(self, which: int) -> None:
        self.snapshot.remove_node(sorted(self.snapshot.nodes)[which % len(self.snapshot.nodes)])

    @precondition(lambda self: self.snapshot.nodes)
    @rule(which=st.integers(0, 9), count=st.integers(1, 9))
    def a_pod_comes(self, which: int, count: int) -> None:
        self.pods += 1
        name = sorted(self.snapshot.nodes)[which % len(self.snapshot.nodes)]
        self.snapshot.occupy(name, {GPU: count}, f"p{self.pods}")  # over-full, too

    @precondition(lambda self: self.snapshot.pods)
    @rule(which=st.integers(0, 9))
    def a_pod_goes(self, which: int) -> None:
        self.snapshot.evict_pod(sorted(self.snapshot.pods)[which % len(self.snapshot.pods)])

    @rule()
    def what_follows_may_be_taken_back(self) -> None:
        self.marks.append(self.snapshot.mark())

    @precondition(lambda self: self.marks)
    @rule(keep=st.booleans())
    def it_is_taken_back_or_kept(self, keep: bool) -> None:
        (self.snapshot.keep if keep else self.snapshot.undo)(self.marks.pop())

    @invariant()
    def it_is_as_if_all_had_been_counted(self) -> None:
        counted = {True: 0, False: 0}
        for name, node in self.snapshot.nodes.items():
            counted[node.ready and not node.unschedulable] += max(0, gpus(self.snapshot.free[name]))
        stands = with_nodes(self.before, self.snapshot)
        assert (stands.free, stands.unusable) == (counted[True], counted[False])


TestChanging = Changing.TestCase
