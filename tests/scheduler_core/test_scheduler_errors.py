"""Bad input is named by object and field, and changes nothing."""

import pytest
from schedule_language import GPU, cluster

from scheduler_core import (
    Admission,
    Backoff,
    Cohort,
    Conflict,
    Drain,
    Duplicate,
    Flavor,
    Fungibility,
    Gang,
    GangState,
    Invalid,
    Node,
    Pod,
    PodSet,
    PreemptionRules,
    Queue,
    Quota,
    Requirement,
    Reserve,
    ResourceGroup,
    Scale,
    SetQuota,
    Settings,
    Stop,
    StopPolicy,
    Taint,
    Toleration,
    Unknown,
    explain,
    place_pods,
)
from scheduler_core.backfill_rules import Rules
from scheduler_core.changes import Remove, Requeue
from scheduler_core.quota import LocalQueue
from scheduler_core.state import DomainCount
from scheduler_core.topologies import Mode, Slice, TopologyRequest

ONE = (PodSet(count=1),)
NAN = float("nan")
CPU_AND_GPU = (Quota(resource="cpu", nominal=8), Quota(resource=GPU, nominal=8))


def asked(**topology):
    return PodSet(name="w", count=4, topology=TopologyRequest(**topology))


NOUNS = [
    (lambda: Node("n", {GPU: -1}), Invalid, "Node 'n': allocatable.nvidia.com/gpu: -1 is below 0"),
    (lambda: Node("n", {GPU: 0.5}), Invalid, "Node 'n': allocatable.nvidia.com/gpu: 0.5 is not an integer"),
    (lambda: Node("n", {GPU: True}), Invalid, "is not an integer"),
    (lambda: Node("", {}), Invalid, "Node '': name: is empty"),
    (lambda: PodSet(name="w", count=2, min_count=3), Invalid, "PodSet 'w': min_count: 3 is above count 2"),
    (lambda: PodSet(name="w", count=-2), Invalid, "PodSet 'w': count"),
    (lambda: PodSet(name="w", count=1, requests={"cpu": -5}), Invalid, "PodSet 'w': requests.cpu"),
    (lambda: PodSet(name="w", count=2, pods=("a",)), Invalid, "PodSet 'w': pods: 1 names for count 2"),
    (lambda: PodSet(name="w", count=2, pods=("a", "a")), Duplicate, "PodSet 'w': pods"),
    (lambda: Gang(name="g", pod_sets=()), Invalid, "Gang 'g': pod_sets: is empty"),
    (lambda: Gang(name="g", pod_sets=ONE * 2), Duplicate, "Gang 'g': pod_sets: two pod sets share a name"),
    (lambda: Quota(resource="cpu", nominal=-1), Invalid, "Quota 'default/cpu': nominal"),
    (lambda: Quota(resource="cpu", nominal=1, lending_limit=-1), Invalid, "lending_limit"),
    (lambda: Queue(name="q", quotas=(Quota(resource="cpu", nominal=1),) * 2), Duplicate, "Queue 'q': quotas"),
    (lambda: PodSet(name="w", count=2, min_count=0), Invalid, "PodSet 'w': min_count: 0 is below 1"),
    (
        lambda: Queue(name="q", quotas=(Quota(resource="cpu", nominal=2, borrowing_limit=1),)),
        Invalid,
        "Queue 'q': quotas.default/cpu.borrowing_limit: 1 is set without a cohort",
    ),
    (
        lambda: Queue(name="q", quotas=(Quota(resource="cpu", nominal=2, lending_limit=0),)),
        Invalid,
        "Queue 'q': quotas.default/cpu.lending_limit: 0 is set without a cohort",
    ),
    (
        lambda: Queue(name="q", cohort="c", quotas=(Quota(resource="cpu", nominal=2, lending_limit=3),)),
        Invalid,
        "Queue 'q': quotas.default/cpu.lending_limit: 3 is above the nominal 2",
    ),
    (
        lambda: Cohort(name="c", quotas=(Quota(resource="cpu", nominal=2, borrowing_limit=1),)),
        Invalid,
        "Cohort 'c': quotas.default/cpu.borrowing_limit: 1 is set without a parent",
    ),
    (
        lambda: Queue(name="q", cohort="c", preemption=PreemptionRules(borrow=True)),
        Invalid,
        "Queue 'q': preemption.borrow: who may not reclaim",
    ),
    (
        lambda: Queue(name="q", groups=(ResourceGroup(("cpu", GPU), ("a",)), ResourceGroup(("cpu",), ("b",)))),
        Duplicate,
        "Queue 'q': groups[1].resources: 'cpu' is in groups[0] already",
    ),
    (
        lambda: Queue(name="q", groups=(ResourceGroup(("cpu",), ("a",)), ResourceGroup((GPU,), ("a",)))),
        Duplicate,
        "Queue 'q': groups[1].flavors: 'a' is in groups[0] already",
    ),
    (lambda: Requirement("zone", "Near"), Invalid, "Requirement 'zone': operator"),
    (lambda: Requirement("size", "Gt", ("big",)), Invalid, "Requirement 'size': values"),
    (lambda: Backoff(base_s=-1), Invalid, "base_s"),
    (lambda: Backoff(cap_s=NAN), Invalid, "cap_s"),
    (lambda: Rules(depth=0), Invalid, "Rules 'backfill': depth: 0 is below 1"),
    (lambda: Rules(patience_s=NAN), Invalid, "Rules 'backfill': patience_s: nan is not a number of seconds"),
    (lambda: Rules(aging_s=0), Invalid, "Rules 'backfill': aging_s: 0 is not above 0"),
    (lambda: Settings(fair_strategies=("Foo",)), Invalid, "Settings 'scheduler': fair_strategies: 'Foo' is none of"),
    (lambda: Settings(heads=1.5), Invalid, "Settings 'scheduler': heads"),
    (lambda: Gang(name="g", pod_sets=ONE, priority="high"), Invalid, "Gang 'g': priority: 'high' is not an integer"),
    (lambda: Gang(name="g", pod_sets=ONE, priority=2**31), Invalid, "Gang 'g': priority: 2147483648 has no room"),
    (lambda: Gang(name="g", pod_sets=ONE, created_s="2026"), Invalid, "Gang 'g': created_s: '2026' is not a number"),
    (lambda: Gang(name="g", pod_sets=ONE, created_s=None), Invalid, "Gang 'g': created_s"),
    (lambda: Gang(name="g", pod_sets=ONE, walltime_s="1h"), Invalid, "Gang 'g': walltime_s: '1h' is not a number"),
    (lambda: Gang(name="g", pod_sets=ONE, walltime_s=NAN), Invalid, "Gang 'g': walltime_s: nan is not a number"),
    (lambda: Gang(name="g", pod_sets=ONE, walltime_s=0), Invalid, "Gang 'g': walltime_s: 0 is not above 0"),
    (lambda: Pod(name="p", priority=1.5), Invalid, "Pod 'p': priority"),
    (lambda: Pod(name="p", created_s=NAN), Invalid, "Pod 'p': created_s"),
    (lambda: Taint("a", "b", "Foo"), Invalid, "Taint 'a': effect: 'Foo' is none of NoSchedule"),
    (lambda: Toleration("a", "Foo"), Invalid, "Toleration 'a': operator: 'Foo' is none of Equal, Exists"),
    (lambda: Toleration("a", effect="Foo"), Invalid, "Toleration 'a': effect: 'Foo'"),
    (lambda: Queue(name="q", min_runtime_s=-5), Invalid, "Queue 'q': min_runtime_s: -5 is negative"),
    (lambda: Queue(name="q", stop_policy="Hold"), Invalid, "Queue 'q': stop_policy: 'Hold' is none of StopPolicy"),
    (lambda: Queue(name="q", strategy="FIFO"), Invalid, "Queue 'q': strategy: 'FIFO' is none of"),
    (
        lambda: Queue(name="q", preemption=PreemptionRules(within_queue="Sometimes")),
        Invalid,
        "Queue 'q': preemption.within_queue: 'Sometimes' is none of",
    ),
    (
        lambda: Queue(name="q", preemption=PreemptionRules(borrow_threshold="1")),
        Invalid,
        "Queue 'q': preemption.borrow_threshold",
    ),
    (
        lambda: Queue(name="q", fungibility=Fungibility(when_can_borrow="TryNext")),
        Invalid,
        "Queue 'q': fungibility.when_can_borrow: 'TryNext' is none of",
    ),
    (lambda: LocalQueue(name="l", queue="q", stop_policy="Hold"), Invalid, "LocalQueue 'l': stop_policy: 'Hold'"),
    (
        lambda: Queue(name="q", groups=(ResourceGroup((GPU,), ("nope",)),), quotas=(Quota(resource=GPU, nominal=8),)),
        Invalid,
        "Queue 'q': groups[0]: there is no quota for its nope/nvidia.com/gpu",
    ),
    (
        lambda: Queue(name="q", groups=(ResourceGroup(("cpu",), ("default",)),), quotas=CPU_AND_GPU),
        Invalid,
        "Queue 'q': quotas.default/nvidia.com/gpu: is of no group",
    ),
    (lambda: asked(mode="must", level="rack"), Invalid, "PodSet 'w': topology_request.mode: 'must' is none of"),
    (lambda: asked(mode=Mode.REQUIRED), Invalid, "PodSet 'w': topology_request.level: required needs one"),
    (lambda: asked(slices=(Slice("rack", 0),)), Invalid, "PodSet 'w': topology_request.slice_size: 0 is below 1"),
    (lambda: asked(slices=(Slice("rack", -2),)), Invalid, "PodSet 'w': topology_request.slice_size: -2 is below 1"),
    (lambda: Backoff().delay_s(0), Invalid, "returns"),
]


@pytest.mark.parametrize(("make", "kind", "told"), NOUNS)
def test_nouns_check_themselves(make, kind, told):
    with pytest.raises(kind) as caught:
        make()
    assert told in str(caught.value)


CALLS = [
    (lambda s: s.add_node(Node("gpu-0", {})), Duplicate, "Node 'gpu-0': name"),
    (lambda s: s.add_queue(Queue(name="q")), Duplicate, "Queue 'q': name"),
    (lambda s: s.add_cohort(Cohort(name="c")), Duplicate, "Cohort 'c': name"),
    (lambda s: s.replace_cohort(Cohort(name="c", parent="c")), Invalid, "Cohort 'c': parent"),
    (lambda s: s.add_queue(Queue(name="r", cohort="nowhere")), Unknown, "Queue 'r': cohort"),
    (lambda s: s.add_flavor(Flavor("")), Invalid, "Flavor ''"),
    (lambda s: s.add_gang(Gang(name="g", pod_sets=ONE)), Duplicate, "Gang 'g': name"),
    (lambda s: s.add_gang(Gang(name="h", pod_sets=ONE, queue="nowhere")), Unknown, "Gang 'h': queue"),
    (lambda s: s.replace_gang(Gang(name="g", pod_sets=(PodSet(name="x", count=1),))), Conflict, "Gang 'g': pod_sets"),
    (lambda s: s.remove_queue("q"), Conflict, "Queue 'q': gangs: g is still in it"),
    (lambda s: s.occupy("gpu-9", {}, "p"), Unknown, "Pod 'p': node: there is no node 'gpu-9'"),
    (lambda s: s.occupy("gpu-9", {}, "p", "g"), Unknown, "Pod 'p': node: there is no node 'gpu-9'"),
    (lambda s: s.bind(Pod(name="p"), "gpu-9"), Unknown, "Pod 'p': node: there is no node 'gpu-9'"),
    (
        lambda s: s.bind_members(Pod(name="w", gang="g"), {"p": "gpu-1", "r": "gpu-9"}),
        Unknown,
        "Pod 'w': node: there is no node 'gpu-9'",
    ),
    (lambda s: s.occupy("gpu-0", {GPU: -1}, "p"), Invalid, "Pod 'p': requests"),
    (lambda s: s.occupy("gpu-0", {}, "g-main-0", "g"), Duplicate, "Pod 'g-main-0'"),
    (lambda s: s.occupy("gpu-0", {}, "p", "nobody"), Unknown, "Pod 'p': gang: there is no gang 'nobody'"),
    (lambda s: s.occupy("gpu-0", {}, "p", "g", pod_set="other"), Invalid, "Gang 'g': pod_sets"),
    (lambda s: s.bind(Pod(name="p", requests={GPU: 9}), "gpu-1"), Conflict, "Pod 'p': node: gpu-1 has no room"),
    (lambda s: s.bind(Pod(name="p", node_selector={"a": "b"}), "gpu-1"), Conflict, "NodeSelector"),
    (lambda s: s.release("p"), Unknown, "Pod 'p'"),
    (lambda s: s.wait(Pod(name="p", gang="g")), Invalid, "Pod 'p': gang"),
    (lambda s: s.restore("g", GangState(Admission(0, {"x": 1}))), Invalid, "Gang 'g': admission.counts"),
    (
        lambda s: s.restore("g", GangState(Admission(0, {"main": 3}))),
        Invalid,
        "Gang 'g': admission.counts.main: 3 is above the pod set's count 2",
    ),
    (lambda s: s.admit("g", Admission(0, {"main": 3})), Invalid, "Gang 'g': admission.counts.main: 3 is above"),
    (lambda s: s.admit("g", Admission(0, {"main": -1})), Invalid, "Gang 'g': admission.counts.main: -1 is below 0"),
    (
        lambda s: s.admit("g", Admission(0, {"main": 2}, {"main": {GPU: "nowhere"}})),
        Unknown,
        "Gang 'g': admission.flavors.main.nvidia.com/gpu: there is no flavor 'nowhere'",
    ),
    (
        lambda s: s.admit("g", Admission(0, {"main": 2}, usage={"main": {GPU: -1}})),
        Invalid,
        "Gang 'g': admission.usage.main.nvidia.com/gpu: -1 is below 0",
    ),
    (lambda s: SetQuota("q", GPU, lending_limit=65).apply(s, 0), Invalid, "Queue 'q': quotas.default/nvidia.com/gpu"),
    (
        lambda s: s.add_queue(Queue(name="r", quotas=(Quota(resource="x", nominal=1, flavor="f"),))),
        Unknown,
        "Queue 'r': quotas.f/x: there is",
    ),
    (lambda s: s.evict("g", 0, delay_s=-1), Invalid, "Gang 'g': delay_s"),
    (lambda s: s.evict("h", 0), Unknown, "Gang 'h'"),
    (lambda s: place_pods(s, [Pod(name="p"), Pod(name="p")]), Duplicate, "Pod 'p': name: is twice"),
    (lambda s: Requeue("g", exclude_nodes=("gpu-9",)).apply(s, 0), Unknown, "exclude_nodes"),
    (lambda s: Remove().apply(s, 0), Invalid, "Remove"),
    (lambda s: Scale("web", 2).apply(s, 0), Unknown, "Scale 'web': owner"),
    (lambda s: SetQuota("q", "cpu", nominal=1).apply(s, 0), Unknown, "default/cpu"),
    (lambda s: Stop("r", StopPolicy.HOLD).apply(s, 0), Unknown, "Queue 'r'"),
    (lambda s: Stop("q", "Hold").apply(s, 0), Invalid, "Queue 'q': stop_policy: 'Hold' is none of"),
    (lambda s: Scale("web", 2.5).apply(s, 0), Invalid, "Scale 'web': replicas: 2.5 is not an integer"),
    (lambda s: Reserve("g", ("gpu-0", "gpu-9")).apply(s, 0), Unknown, "Reserve 'g': nodes: there is no node 'gpu-9'"),
    (lambda s: Reserve("nobody", ("gpu-0",)).apply(s, 0), Unknown, "Gang 'nobody': name"),
    (lambda s: Drain("gpu-0", delay_s=-1).apply(s, 0), Invalid, "Gang 'g': delay_s: -1 is negative"),
    (lambda s: Drain("gpu-0", delay_s=NAN).apply(s, 0), Invalid, "Gang 'g': delay_s: nan is not a number"),
    (lambda s: explain(s, "nobody", 0), Unknown, "Gang 'nobody': name"),
    (lambda s: s.running("nobody"), Unknown, "Gang 'nobody': name"),
    (
        lambda s: s.restore("g", GangState(Admission(0, {"main": 1}, topology={"main": (DomainCount(("r",), 5),)}))),
        Invalid,
        "Gang 'g': admission.topology.main: 5 pods in its domains, and 1 admitted",
    ),
    (
        lambda s: s.restore("g", GangState(Admission(0, {"main": 1}, topology={"x": ()}))),
        Invalid,
        "Gang 'g': admission.topology.x: the gang has no such pod set",
    ),
]


@pytest.mark.parametrize(("call", "kind", "told"), CALLS)
def test_a_refused_call_leaves_everything_as_it_was(call, kind, told):
    world = cluster().nodes(2).cohort("c").queue("q", cohort="c").gang("g", pods=2, queue="q").running("g", "gpu-0")
    before = world.snapshot.contents()
    with pytest.raises(kind) as caught:
        call(world.snapshot)
    assert told in str(caught.value)
    assert world.snapshot.contents() == before


def test_facts_may_overfill_a_node_and_what_is_free_then_is_negative():
    world = cluster().node("n", 8).pod("p", "n", 8)
    world.snapshot.replace_node(Node("n", {GPU: 7}))
    assert (world.snapshot.free["n"][GPU], world.snapshot.gpus_free()) == (-1, 0)


def test_a_mark_is_good_once():
    snapshot = cluster().snapshot
    mark = snapshot.mark()
    snapshot.undo(mark)
    with pytest.raises(RuntimeError, match="already"):
        snapshot.undo(mark)
