"""Gangs through the queue: switched off they are gone whole, switched on they come back whole, elsewhere if need be."""

from datetime import timedelta
from typing import Any

from world_builders import (
    KUEUE,
    at,
    gang,
    job,
    node,
    own_queue,
    owned_by,
    pinned,
    pod,
    pod_names,
    pod_ref,
    queues,
    ref,
    running,
    unschedulable,
    workload,
    world,
)

from agent.adapters.simulated.world import World
from agent.domain.cluster import ObjectRef

WORKLOAD = ref(KUEUE, "Workload", "job-train-abcde")
GANG = ref("watchkeeper.dev/v1alpha1", "Gang", "llm")


def nodes(count: int) -> list[dict[str, Any]]:
    return [node(f"n{index}") for index in range(1, count + 1)]


def queued_job(pods: int = 4, spare: int = 2, quota: int = 32) -> World:
    train = job("train", pods)
    members = [pod(f"train-{index}", f"n{index}", train) for index in range(1, pods + 1)]
    return world(*nodes(pods + spare), *queues(quota), train, workload("job-train-abcde", train), *members)


def switch(made: World, target: ObjectRef, *, active: bool) -> None:
    made.cluster.patch(target, {"spec": {"active": active}})


def conditions(made: World, target: ObjectRef) -> dict[str, tuple[str, str]]:
    said = made.cluster.get(target)["status"]["conditions"]
    return {each["type"]: (each["status"], each.get("reason", "")) for each in said}


def test_a_workload_is_requeued_whole_onto_other_nodes() -> None:
    made = queued_job()
    made.cluster.patch(ref("v1", "Node", "n2", None), {"spec": {"unschedulable": True}})
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(1))
    assert len(running(made)) == 4, "a pod is given its grace"
    made.advance_to(at(5))
    assert pod_names(made) == []
    assert made.cluster.get(ref("batch/v1", "Job", "train"))["spec"]["suspend"] is True
    assert conditions(made, WORKLOAD)["Evicted"] == ("True", "Deactivated")
    assert conditions(made, WORKLOAD)["Admitted"][0] == "False"
    assert "admission" not in made.cluster.get(WORKLOAD)["status"]
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(30))
    assert sorted(running(made).values()) == ["n1", "n3", "n4", "n5"]
    assert conditions(made, WORKLOAD)["Evicted"][0] == "False"
    assert [conditions(made, WORKLOAD)[each][0] for each in ("QuotaReserved", "Admitted", "PodsReady")] == ["True"] * 3
    assert made.cluster.get(ref("batch/v1", "Job", "train"))["spec"]["suspend"] is False


def test_a_deactivated_workload_stays_out() -> None:
    made = queued_job()
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(3600))
    assert pod_names(made) == []


def test_what_holds_nothing_is_not_evicted() -> None:
    waiting = job("train", 2, suspend=True)
    made = world(*nodes(2), *queues(16), waiting, workload("job-train-abcde", waiting, admitted=False))
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    assert made.cluster.get(WORKLOAD)["status"] == {}
    assert made.cluster.list("v1", "Event") == []


def test_nodes_are_kept_out_through_the_suspended_jobs_template() -> None:
    made = queued_job()
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["n1", "n2"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    made.cluster.patch(ref("batch/v1", "Job", "train"), {"spec": {"template": {"spec": {"affinity": affinity}}}})
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(30))
    assert sorted(running(made).values()) == ["n3", "n4", "n5", "n6"]


def test_a_gang_that_does_not_fit_whole_starts_nobody() -> None:
    made = queued_job(spare=0)
    made.cluster.patch(ref("v1", "Node", "n2", None), {"spec": {"unschedulable": True}})
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(60))
    assert running(made) == {}
    waiting = made.cluster.list("v1", "Pod")
    assert len(waiting) == 4 and all(each["status"]["conditions"][0]["reason"] == "Unschedulable" for each in waiting)
    assert "FailedScheduling" in [each["reason"] for each in made.cluster.list("v1", "Event")]
    made.cluster.patch(ref("v1", "Node", "n2", None), {"spec": {"unschedulable": False}})
    made.advance_to(at(120))
    assert len(running(made)) == 4


def test_a_workload_waits_for_quota_and_gets_it_when_another_leaves() -> None:
    first, second = job("train", 2), job("other", 2, suspend=True)
    other = ref(KUEUE, "Workload", "job-other-fffff")
    made = world(
        *nodes(4),
        *queues(16),
        first,
        second,
        workload("job-train-abcde", first),
        {**workload("job-other-fffff", second, admitted=False), "status": {}},
        pod("train-1", "n1", first),
        pod("train-2", "n2", first),
    )
    switch(made, other, active=False)
    switch(made, other, active=True)
    made.advance_to(at(30))
    assert len(running(made)) == 2
    assert conditions(made, other)["QuotaReserved"] == ("False", "Pending")
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(60))
    assert sorted(name.rpartition("-")[0] for name in running(made)) == ["other-0", "other-1"]


def test_a_stopped_queue_admits_nobody_and_a_drained_one_gives_up_what_runs() -> None:
    made = queued_job()
    queue = ref(KUEUE, "ClusterQueue", "q", None)
    made.cluster.patch(queue, {"spec": {"stopPolicy": "Hold"}})
    made.advance_to(at(10))
    assert len(running(made)) == 4
    made.cluster.patch(queue, {"spec": {"stopPolicy": "HoldAndDrain"}})
    made.advance_to(at(20))
    assert pod_names(made) == []
    assert conditions(made, WORKLOAD)["Evicted"] == ("True", "ClusterQueueStopped")
    made.cluster.patch(queue, {"spec": {"stopPolicy": "None"}})
    made.advance_to(at(60))
    assert len(running(made)) == 4


def test_a_gang_of_ours_is_requeued_whole() -> None:
    llm = gang("llm", 3)
    members = [pod(f"llm-{index}", f"n{index}", llm) for index in (1, 2, 3)]
    made = world(*nodes(4), own_queue("train", 24), llm, *members)
    made.cluster.patch(ref("v1", "Node", "n2", None), {"spec": {"unschedulable": True}})
    switch(made, GANG, active=False)
    made.advance_to(at(10))
    assert pod_names(made) == []
    switch(made, GANG, active=True)
    made.advance_to(at(30))
    assert sorted(running(made).values()) == ["n1", "n3", "n4"]


def test_a_gang_without_quota_waits() -> None:
    made = world(
        *nodes(3), own_queue("train", 16), {**gang("llm", 3), "spec": {**gang("llm", 3)["spec"], "active": False}}
    )
    switch(made, GANG, active=True)
    made.advance_to(at(30))
    assert pod_names(made) == []
    made.cluster.patch(
        ref("watchkeeper.dev/v1alpha1", "Queue", "train", None),
        {"spec": {"quotas": [{"flavor": "default", "resource": "nvidia.com/gpu", "nominal": "24"}]}},
    )
    made.advance_to(at(60))
    assert len(running(made)) == 3


def test_a_member_of_a_running_gang_is_replaced() -> None:
    llm = gang("llm", 2)
    made = world(*nodes(3), own_queue("train", 16), llm, pod("llm-a", "n1", llm), pod("llm-b", "n2", llm))
    made.delete(pod_ref("llm-b"))
    made.advance_to(at(30))
    assert len(running(made)) == 2


def test_a_stuck_gang_gets_the_nodes_of_a_smaller_one_that_is_sent_back() -> None:
    big, small = job("big", 3), job("small", 1)
    made = world(
        *nodes(3),
        *queues(64),
        big,
        small,
        workload("job-big-aaaaa", big),
        workload("job-small-bbbbb", small),
        pod("big-0", "n1", big),
        pod("big-1", "n2", big),
        unschedulable(pod("big-2", owner=big)),
        pod("small-0", "n3", small),
    )
    smaller = ref(KUEUE, "Workload", "job-small-bbbbb")
    made.advance_to(at(600))
    assert sorted(running(made)) == ["big-0", "big-1", "small-0"]
    switch(made, smaller, active=False)
    made.advance_to(at(610))
    switch(made, smaller, active=True)
    made.advance_to(at(660))
    assert sorted(running(made)) == ["big-0", "big-1", "big-2"]
    assert len(pod_names(made)) == 4, "the smaller one waits whole"


def test_a_jobset_is_suspended_and_resumed_with_all_its_jobs() -> None:
    replicated = [
        {"name": "leader", "replicas": 1, "template": {"spec": job("x", 1)["spec"]}},
        {"name": "workers", "replicas": 2, "template": {"spec": job("x", 1)["spec"]}},
    ]
    jobset = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "js", "namespace": "a"},
        "spec": {"suspend": True, "replicatedJobs": replicated},
    }
    target = ref("jobset.x-k8s.io/v1alpha2", "JobSet", "js")
    made = world(*nodes(3), jobset)
    made.cluster.patch(target, {"spec": {"suspend": False}})
    made.advance_to(at(30))
    assert len(running(made)) == 3
    made.cluster.patch(target, {"spec": {"suspend": True}})
    made.advance_to(at(60))
    assert pod_names(made) == []
    assert [each["spec"]["suspend"] for each in made.cluster.list("batch/v1", "Job")] == [True, True, True]
    made.cluster.patch(target, {"spec": {"suspend": False}})
    made.advance_to(at(90))
    assert len(running(made)) == 3


def test_a_workload_whose_job_nobody_simulates_gets_its_pods_from_its_pod_sets() -> None:
    train = {**job("train", 2), "apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob"}
    members = [pod(f"train-{index}", f"n{index}", train) for index in (1, 2)]
    made = world(*nodes(3), *queues(16), train, workload("job-train-abcde", train), *members)
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    assert pod_names(made) == []
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(30))
    assert len(running(made)) == 2
    owners = [each["metadata"]["ownerReferences"] for each in made.cluster.list("v1", "Pod")]
    assert [each[0]["kind"] for each in owners] == ["MPIJob", "MPIJob"]
    assert owners[0][0]["uid"] == owned_by(train)[0]["uid"]


def test_a_finished_job_gives_its_quota_back() -> None:
    made = queued_job(pods=1)
    made.apply({**pod("train-1"), "status": {"phase": "Succeeded"}})
    made.advance_to(at(10))
    assert conditions(made, ref("batch/v1", "Job", "train"))["Complete"][0] == "True"
    assert conditions(made, WORKLOAD)["Finished"][0] == "True"


def test_a_pod_group_is_evicted_whole() -> None:
    """Kueue admits plain pods as a group: the pods own the Workload, and name it by their label."""
    members = [pod(f"g-{index}", f"n{index}", **{"kueue.x-k8s.io/pod-group-name": "group"}) for index in (1, 2)]
    group = workload("group", job("group", 2))
    group["metadata"]["ownerReferences"] = [owned_by(each)[0] for each in members]
    made = world(*nodes(2), *queues(16), group, *members, pod("stranger", "n1", gpus=0))
    switch(made, ref(KUEUE, "Workload", "group"), active=False)
    made.advance_to(at(10))
    assert pod_names(made) == ["stranger"]


def test_an_admitted_gang_lands_on_the_nodes_of_its_flavor() -> None:
    made = queued_job()
    flavor = ref(KUEUE, "ResourceFlavor", "default", None)
    made.cluster.patch(flavor, {"spec": {"nodeLabels": {"gpu": "new"}}})
    for index in (7, 8, 9, 10):
        fresh = node(f"n{index}")
        fresh["metadata"]["labels"]["gpu"] = "new"
        made.apply(fresh)
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(30))
    assert sorted(running(made).values()) == ["n10", "n7", "n8", "n9"]


def test_a_running_gang_that_nobody_admitted_is_left_as_written() -> None:
    llm = gang("llm", 1)
    made = world(*nodes(2), own_queue("train", 16), llm, pod("llm-1", "n1", llm))
    made.apply(gang("other", 1))
    made.advance_to(at(30))
    assert len(running(made)) == 2
    assert "status" not in made.cluster.get(GANG)


def test_a_workload_that_is_not_pinned_does_not_move_a_job_that_is() -> None:
    train = pinned(job("train", 1))
    made = world(*nodes(1), *queues(8), train, workload("job-train-abcde", train), pod("t", "n1", train))
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(60))
    assert running(made) == {"t": "n1"}
    assert made.cluster.get(ref("batch/v1", "Job", "train"))["spec"]["suspend"] is False


def test_old_failures_do_not_count_against_a_requeued_job() -> None:
    train = job("train", 2, backoffLimit=0)
    members = [pod("t-1", "n1", train), pod("t-2", "n2", train)]
    made = world(*nodes(3), *queues(16), train, workload("job-train-abcde", train), *members)
    made.apply({**members[1], "status": {"phase": "Failed"}})
    switch(made, WORKLOAD, active=False)
    made.advance_to(at(10))
    switch(made, WORKLOAD, active=True)
    made.advance_to(at(30))
    assert len(running(made)) == 2


def test_a_held_queue_lets_nobody_new_in_and_disturbs_nobody() -> None:
    made = queued_job()
    for kind, name, namespace in (("ClusterQueue", "q", None), ("LocalQueue", "main", "a")):
        queue = ref(KUEUE, kind, name, namespace)
        made.cluster.patch(queue, {"spec": {"stopPolicy": "Hold"}})
        made.advance_to(made.clock.now() + timedelta(seconds=10))
        assert len(running(made)) == 4
        switch(made, WORKLOAD, active=False)
        made.advance_to(made.clock.now() + timedelta(seconds=10))
        switch(made, WORKLOAD, active=True)
        made.advance_to(made.clock.now() + timedelta(seconds=30))
        assert running(made) == {}, kind
        made.cluster.patch(queue, {"spec": {"stopPolicy": "None"}})
        made.advance_to(made.clock.now() + timedelta(seconds=30))
        assert len(running(made)) == 4, kind


def test_a_drained_queue_sends_its_gangs_back_whole_until_it_is_open_again() -> None:
    for kind, name, namespace in (("ClusterQueue", "q", None), ("LocalQueue", "main", "a")):
        made = queued_job()
        made.cluster.patch(ref(KUEUE, kind, name, namespace), {"spec": {"stopPolicy": "HoldAndDrain"}})
        made.advance_to(at(60))
        assert running(made) == {}
        assert conditions(made, WORKLOAD)["Evicted"] == ("True", f"{kind}Stopped")
        made.cluster.patch(ref(KUEUE, kind, name, namespace), {"spec": {"stopPolicy": "None"}})
        made.advance_to(at(120))
        assert len(running(made)) == 4


def test_our_own_queue_is_drained_and_opened_alike() -> None:
    made = world(*nodes(2), own_queue("train", 16), gang("llm", 2))
    made.cluster.patch(GANG, {"metadata": {"labels": {"touched": "yes"}}})
    made.advance_to(at(30))
    assert len(running(made)) == 2
    queue = ref("watchkeeper.dev/v1alpha1", "Queue", "train", None)
    made.cluster.patch(queue, {"spec": {"stopPolicy": "HoldAndDrain"}})
    made.advance_to(at(60))
    assert running(made) == {}
    made.cluster.patch(queue, {"spec": {"stopPolicy": "None"}})
    made.advance_to(at(120))
    assert len(running(made)) == 2
