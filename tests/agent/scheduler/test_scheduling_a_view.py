"""The scheduler core on a view of Kubernetes objects: what it sees there, whom it places, what it foresees."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from agent.adapters.kubernetes.translate import view_of
from agent.adapters.scheduler.admitting import admit_waiting
from agent.adapters.scheduler.binding import place_waiting
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.scheduler.queues import queues_of
from agent.domain.cluster import ClusterView, ObjectRef
from scheduler_core.quota import FlavorResource, Fungibility, Preference, WhenCan
from scheduler_core.state import Phase

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KUEUE = "kueue.x-k8s.io/v1beta2"
Json = dict[str, Any]


def view(*objects: Json) -> ClusterView:
    return view_of(objects, NOW)


def named(api_version: str, kind: str, name: str, spec: Json, namespace: str | None = "a", **more: Any) -> Json:
    metadata: Json = {"name": name, **more.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, **more}


def node(name: str, gpus: int = 8, spec: Json | None = None, **labels: str) -> Json:
    status = {"allocatable": {"nvidia.com/gpu": str(gpus)}, "conditions": [{"type": "Ready", "status": "True"}]}
    return named("v1", "Node", name, spec or {}, None, metadata={"labels": labels}, status=status)


def pod_spec(gpus: int, **more: Any) -> Json:
    limits = {"nvidia.com/gpu": str(gpus), "cpu": "500m", "memory": "1Gi"}
    return {"containers": [{"name": "main", "resources": {"requests": limits}}], **more}


def pod(name: str, on: str | None = None, gang: str | None = None, gpus: int = 8, **spec: Any) -> Json:
    owner = {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Gang", "name": gang or "", "controller": True}
    metadata = {"ownerReferences": [owner]} if gang else {}
    made = {**pod_spec(gpus, **spec), **({"nodeName": on} if on else {})}
    return named("v1", "Pod", name, made, metadata=metadata, status={"phase": "Running" if on else "Pending"})


def gang(name: str, pods: int, gpus: int = 8, priority: int = 0, least: int | None = None, **more: Any) -> Json:
    pod_set = {"name": "main", "count": pods, "template": {"spec": pod_spec(gpus)}}
    if least is not None:
        pod_set["minCount"] = least
    spec = {"queue": "q", "priority": priority, "podSets": [pod_set]}
    return named("watchkeeper.dev/v1alpha1", "Gang", name, spec, **more)


def queue(gpus: int, **more: Any) -> Json:
    quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": gpus, **more}
    return named("watchkeeper.dev/v1alpha1", "Queue", "q", {"quotas": [quota]}, None)


def ref(kind: str, name: str) -> ObjectRef:
    version = "v1" if kind == "Pod" else "watchkeeper.dev/v1alpha1"
    return ObjectRef(api_version=version, kind=kind, namespace="a", name=name)


def placed(seen: ClusterView) -> dict[str, str]:
    waiting = [each for each in seen.pods.values() if each.node is None]
    return {each.name: on for each, on in place_waiting(seen, waiting).nodes.items()}


def test_a_snapshot_knows_nodes_gangs_and_what_they_hold() -> None:
    seen = snapshot_of(
        view(
            node("n1"),
            node("n2"),
            queue(32),
            gang("whole", 1),
            gang("stuck", 2),
            pod("w-0", "n1", "whole", 4),
            pod("s-0", "n1", "stuck", 4),
        )
    )
    assert seen.gpus_free() == 8
    assert seen.phase("Gang/a/whole") is Phase.RUNNING and seen.phase("Gang/a/stuck") is Phase.PARTIAL
    assert seen.available("Queue/q", FlavorResource("default", "nvidia.com/gpu")) == 32 - 8


def test_a_pod_on_its_way_out_holds_its_node_and_counts_for_nobody() -> None:
    leaving = pod("g-0", "n1", "g")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-02T09:00:00Z"
    seen = snapshot_of(view(node("n1"), queue(8), gang("g", 1), leaving))
    assert seen.gpus_free() == 0 and seen.phase("Gang/a/g") is Phase.PENDING


def test_quantities_are_counted_in_whole_units() -> None:
    seen = snapshot_of(view(node("n1"), pod("p", "n1", gpus=3)))
    requests = seen.pods["a/p"].pod.requests
    assert (requests["cpu"], requests["memory"], requests["nvidia.com/gpu"]) == (500, 2**30, 3)
    assert seen.free["n1"]["nvidia.com/gpu"] == 5


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, "n1"),
        ({"nodeSelector": {"zone": "b"}}, "n2"),
        ({"tolerations": [{"key": "fault", "operator": "Exists"}], "nodeSelector": {"zone": "c"}}, "n3"),
        ({"nodeSelector": {"zone": "c"}}, None),
        ({"nodeSelector": {"zone": "d"}}, None),
        ({"affinity": ("kubernetes.io/hostname", "NotIn", ["n1"])}, "n2"),
        ({"affinity": ("zone", "In", ["b", "c"])}, "n2"),
    ],
)
def test_where_a_pod_may_go(spec: Json, where: str | None) -> None:
    if "affinity" in spec:
        key, operator, values = spec["affinity"]
        terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        spec = {"affinity": {"nodeAffinity": required}}
    tainted = node("n3", spec={"taints": [{"key": "fault", "effect": "NoSchedule"}]}, zone="c")
    closed = node("n4", spec={"unschedulable": True}, zone="d")
    seen = view(node("n1", zone="a"), node("n2", zone="b"), tainted, closed, pod("p", **spec))
    assert placed(seen).get("p") == where


def test_a_gang_is_placed_whole_or_not_at_all() -> None:
    members = [pod(f"g-{index}", None, "g") for index in range(3)]
    two = [node("n1"), node("n2")]
    assert placed(view(*two, queue(64), gang("g", 3), *members)) == {}
    everybody = placed(view(*two, node("n3"), queue(64), gang("g", 3), *members))
    assert sorted(everybody.values()) == ["n1", "n2", "n3"]


def test_what_a_stuck_gang_lacks_is_placed_when_that_makes_it_whole() -> None:
    parts = [gang("g", 3), pod("g-0", "n1", "g"), pod("g-1", None, "g")]
    assert placed(view(node("n1"), node("n2"), node("n3"), queue(64), *parts)) == {}
    whole = placed(view(node("n1"), node("n2"), node("n3"), queue(64), *parts, pod("g-2", None, "g")))
    assert sorted(whole.values()) == ["n2", "n3"]


def test_the_more_important_goes_first() -> None:
    low, high = gang("low", 1, priority=1), gang("high", 1, priority=9)
    seen = view(node("n1"), queue(64), low, high, pod("l", None, "low"), pod("h", None, "high"))
    assert placed(seen) == {"h": "n1"}
    assert place_waiting(seen, list(seen.pods.values())).refused.keys() == {ref("Pod", "l")}


def test_gangs_are_let_in_by_quota_alone() -> None:
    seen = view(node("n1"), queue(16), gang("one", 1), gang("two", 2))
    result = admit_waiting(seen, [ref("Gang", "one"), ref("Gang", "two")])
    assert [each.name for each in result.admitted] == ["one"]
    assert "nvidia.com/gpu" in result.waiting[ref("Gang", "two")]


def test_only_who_asks_is_let_in() -> None:
    seen = view(node("n1"), queue(8), gang("one", 1, priority=9), gang("two", 1))
    assert [each.name for each in admit_waiting(seen, [ref("Gang", "two")]).admitted] == ["two"]


def test_kueues_quota_objects_become_the_cores() -> None:
    resources = [{"name": "nvidia.com/gpu", "nominalQuota": 8, "borrowingLimit": "4", "lendingLimit": 2}]
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "h100", "resources": resources}]}
    found = queues_of(
        view(
            named(KUEUE, "ResourceFlavor", "h100", {"nodeLabels": {"gpu": "h100"}}, None),
            named(KUEUE, "ClusterQueue", "new", {"cohortName": "all", "resourceGroups": [group]}, None),
            named("kueue.x-k8s.io/v1beta1", "ClusterQueue", "old", {"cohort": "all", "stopPolicy": "Hold"}, None),
            named(KUEUE, "Cohort", "all", {"parentName": "root"}, None),
            named(KUEUE, "LocalQueue", "main", {"clusterQueue": "new", "stopPolicy": "Hold"}),
        )
    )
    queues = {each.name: each for each in found.queues}
    quota = queues["ClusterQueue/new"].quotas[0]
    assert (quota.flavor, quota.nominal, quota.borrowing_limit, quota.lending_limit) == ("h100", 8, 4, 2)
    assert (queues["ClusterQueue/old"].cohort, queues["ClusterQueue/old"].stop_policy) == ("all", "Hold")
    assert {each.name: each.parent for each in found.cohorts} == {"all": "root", "root": None}
    assert found.flavors[0].node_labels == {"gpu": "h100"}
    assert found.local == {("a", "main"): "ClusterQueue/new"} and found.held == {("a", "main")}


def test_how_flavors_are_chosen_and_how_much_a_share_weighs_become_the_cores() -> None:
    rules = {"whenCanBorrow": "TryNextFlavor", "whenCanPreempt": "Preempt", "preference": "PreemptionOverBorrowing"}
    spec = {"cohortName": "all", "flavorFungibility": rules, "fairSharing": {"weight": "500m"}}
    found = queues_of(view(named(KUEUE, "ClusterQueue", "q", spec, None), named(KUEUE, "Cohort", "all", {}, None)))
    (queue,), (cohort,) = found.queues, found.cohorts
    assert queue.fungibility == Fungibility(
        when_can_borrow=WhenCan.TRY_NEXT,
        when_can_preempt=WhenCan.MAY_STOP,
        preference=Preference.PREEMPTION_OVER_BORROWING,
    )
    assert (queue.weight, cohort.weight) == (Fraction(1, 2), 1)


def test_a_flavor_that_nobody_wrote_down_is_any_node() -> None:
    resources = [{"name": "nvidia.com/gpu", "nominalQuota": 8}]
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "h100", "resources": resources}]}
    seen = view(named(KUEUE, "ClusterQueue", "q", {"resourceGroups": [group]}, None))
    assert [(each.name, each.node_labels) for each in queues_of(seen).flavors] == [("h100", {})]
    assert "h100" in snapshot_of(seen).flavors


# -- foreseeing ----------------------------------------------------------------------------------------------------


def rivals() -> ClusterView:
    """A big gang lacks the node that a small one holds."""
    return view(
        *[node(f"n{index}") for index in (1, 2, 3)],
        queue(64),
        gang("big", 3),
        gang("small", 1),
        pod("b-0", "n1", "big"),
        pod("b-1", "n2", "big"),
        pod("b-2", None, "big"),
        pod("s-0", "n3", "small"),
    )


def test_requeueing_the_small_gang_completes_the_big_one() -> None:
    seen = rivals()
    before = snapshot_of(seen).contents()
    told = SchedulerForecaster().what_if(seen, [{"requeue": ref("Gang", "small")}])
    assert told.gangs_started == ("Gang/a/big",)
    assert list(told.gangs_pending) == ["Gang/a/small"]
    assert told.gpus_free_before == told.gpus_free_after == 0
    assert snapshot_of(seen).contents() == before


def test_a_requeued_gang_comes_back_on_other_nodes_if_there_are_any() -> None:
    seen = view(node("n1"), node("n2"), queue(64), gang("g", 1), pod("g-0", "n1", "g"))
    change = {"requeue": ref("Gang", "g"), "exclude_nodes": ["n1"]}
    assert SchedulerForecaster().what_if(seen, [change]).gangs_pending == {}
    told = SchedulerForecaster().what_if(seen, [{"cordon": "n2"}, change])
    assert list(told.gangs_pending) == ["Gang/a/g"]
    assert told.gpus_free_after == 8


def test_removing_an_owner_frees_what_it_holds() -> None:
    seen = view(node("n1"), *web_on_n1())
    target = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="a", name="web")
    told = SchedulerForecaster().what_if(seen, [{"remove": target}])
    assert (told.gpus_free_before, told.gpus_free_after) == (2, 8)
    gone = SchedulerForecaster().what_if(rivals(), [{"remove": ref("Gang", "small")}])
    assert gone.gangs_started == ("Gang/a/big",) and gone.gangs_pending == {}


def web_on_n1() -> tuple[Json, Json]:
    replica = pod("web-0", "n1", gpus=6)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}
    replica["metadata"]["ownerReferences"] = [owner]
    return named("apps/v1", "Deployment", "web", {"replicas": 1}), replica


def test_a_drained_node_sends_its_gangs_elsewhere_whole_or_not_at_all() -> None:
    seen = view(node("n1"), node("n2"), queue(64), gang("g", 1), pod("g-0", "n1", "g"))
    assert SchedulerForecaster().what_if(seen, [{"drain": "n1"}]).gangs_pending == {}
    told = SchedulerForecaster().what_if(seen, [{"cordon": "n2"}, {"drain": "n1"}])
    assert list(told.gangs_pending) == ["Gang/a/g"]


@pytest.mark.parametrize(("replicas", "free"), [(0, 16), (1, 10), (2, 4)])
def test_a_scaled_owner_takes_and_gives_gpus(replicas: int, free: int) -> None:
    seen = view(node("n1"), node("n2"), *web_on_n1())
    target = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="a", name="web")
    told = SchedulerForecaster().what_if(seen, [{"scale": target, "replicas": replicas}])
    assert told.gpus_free_after == free


def test_a_gang_out_of_its_queue_lets_others_in_and_a_held_queue_lets_nobody_in() -> None:
    off = SchedulerForecaster().what_if(rivals(), [{"activate": ref("Gang", "small"), "active": False}])
    assert off.gangs_started == ("Gang/a/big",)
    seen = view(node("n1"), queue(64), gang("g", 1))
    where = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Queue", name="q")
    assert SchedulerForecaster().what_if(seen, [{"stop": where, "policy": "None"}]).gangs_started == ("Gang/a/g",)
    assert SchedulerForecaster().what_if(seen, [{"stop": where, "policy": "Hold"}]).gangs_started == ()


def test_more_quota_lets_a_waiting_gang_in() -> None:
    seen = view(node("n1"), queue(4), gang("g", 1))
    where = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Queue", name="q")
    more = {"quota": where, "flavor": "default", "resource": "nvidia.com/gpu", "nominal": 8}
    assert SchedulerForecaster().what_if(seen, [{"cordon": "n1"}]).gangs_started == ()
    assert SchedulerForecaster().what_if(seen, [more]).gangs_started == ("Gang/a/g",)


@pytest.mark.parametrize("change", [{"explode": "n1"}, {"requeue": ref("Gang", "nobody")}, {"cordon": "nowhere"}, {}])
def test_a_change_that_makes_no_sense_is_an_error(change: Json) -> None:
    with pytest.raises(ValueError, match=r"what-if|nowhere"):
        SchedulerForecaster().what_if(rivals(), [change])


def test_words_and_numbers_that_the_core_does_not_know_stop_no_forecast() -> None:
    """A toleration with a newer operator tolerates nothing, a strange taint keeps away, a threshold has its bounds."""
    newer = pod("p", None, tolerations=[{"key": "load", "operator": "Gt", "value": "3"}])
    tainted = node("n", spec={"taints": [{"key": "load", "value": "5", "effect": "Sometimes"}]})
    borrow = {"policy": "LowerPriority", "maxPriorityThreshold": 2**40}
    rules = {"reclaimWithinCohort": "Any", "borrowWithinCohort": borrow}
    bound = named(KUEUE, "ClusterQueue", "bound", {"cohortName": "all", "preemption": rules}, None)
    snapshot = snapshot_of(view(tainted, bound, newer))
    assert snapshot.waiting_pods["a/p"].tolerations == ()
    assert [each.effect for each in snapshot.nodes["n"].taints] == ["NoSchedule"]
    assert snapshot.queues["ClusterQueue/bound"].preemption.borrow_threshold == 2**31 - 1


@pytest.mark.parametrize(("evicted", "starts"), [("True", ("Gang/a/next",)), ("False", ())])
def test_who_is_marked_as_sent_back_leaves_and_lets_others_in(evicted: str, starts: tuple[str, ...]) -> None:
    """Until its pods have stopped it holds its quota; a look ahead sees further."""
    conditions = [
        {"type": kind, "status": status} for kind, status in (("QuotaReserved", "True"), ("Evicted", evicted))
    ]
    old = {**gang("old", 1), "status": {"conditions": conditions}}
    waits = gang("next", 1, priority=3)
    seen = view(node("n1"), queue(8), old, pod("o-0", "n1", "old"), waits)
    assert SchedulerForecaster().what_if(seen, []).gangs_started == starts
