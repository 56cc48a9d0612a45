"""Each action: what it refuses, what it does and takes back, what it touches, when it has helped."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import NODE, after, ours, propose, proposed, refusal, success
from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Proposal, Refusal, Verb

# --- cordon and uncordon --------------------------------------------------------------------------------------------


def test_a_cordon_marks_who_why_and_the_incident() -> None:
    made = proposed("cordon_node", NODE, cluster().node("gpu-7"))
    (step,) = made.steps
    assert step.body == {
        "metadata": {
            "annotations": {
                "watchkeeper.dev/cordoned-by": "watchkeeper",
                "watchkeeper.dev/cordon-incident": "inc-1",
                "watchkeeper.dev/cordon-reason": "xid.79",
            }
        },
        "spec": {"unschedulable": True},
    }
    assert step.uid == "uid-node-gpu-7"
    assert step.undo is not None and step.undo["spec"] == {"unschedulable": False}
    assert (made.protective, made.destructive) == (True, False)
    assert (made.blast_radius.nodes, made.blast_radius.gpus) == (("gpu-7",), 8)


def test_a_node_that_anybody_cordoned_is_not_cordoned_again() -> None:
    assert refusal("cordon_node", NODE, cluster().node("gpu-7", cordoned=True)) == "precondition.already_cordoned"
    assert refusal("cordon_node", NODE, cluster()) == "precondition.target_unknown"


def test_a_cordon_has_helped_once_the_node_shows_it() -> None:
    made = proposed("cordon_node", NODE, cluster().node("gpu-7"))
    assert success(made, cluster().node("gpu-7")).done is None
    assert success(made, ours()).done is True


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (cluster().node("gpu-7", cordoned=True), "precondition.cordoned_by_other"),
        (cluster().node("gpu-7"), "precondition.not_cordoned"),
        (ours(ready=False), "precondition.node_not_ready"),
    ],
)
def test_only_a_ready_node_that_we_cordoned_is_given_back(where: Cluster, code: str) -> None:
    assert refusal("uncordon_node", NODE, where) == code


def test_an_uncordon_takes_the_marks_off_and_can_itself_be_taken_back() -> None:
    (step,) = proposed("uncordon_node", NODE, ours()).steps
    body: Any = step.body
    assert body["spec"] == {"unschedulable": False}
    assert set(body["metadata"]["annotations"].values()) == {None}
    undo: Any = step.undo
    assert undo["metadata"]["annotations"]["watchkeeper.dev/cordoned-by"] == "watchkeeper"


# --- requeue --------------------------------------------------------------------------------------------------------


def gang_of(kind: str, **more: Any) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2", "gpu-3").gang("llama", on=["gpu-1", "gpu-2"], kind=kind, **more)


@pytest.mark.parametrize(
    ("kind", "stop", "start"),
    [
        ("Workload", {"active": False}, {"active": True}),
        ("Gang", {"active": False}, {"active": True}),
        ("Job", {"suspend": True}, {"suspend": False}),
    ],
)
def test_a_gang_is_stopped_whole_and_started_again_when_all_its_pods_are_gone(
    kind: str, stop: dict[str, bool], start: dict[str, bool]
) -> None:
    made = proposed("requeue_gang", ref(kind, "llama"), gang_of(kind), delay_s=30)
    first, last = made.steps
    assert (first.body["spec"], first.undo) == (stop, {"spec": start})
    assert (last.body["spec"], last.undo) == (start, None)
    assert last.wait_for is not None
    assert last.wait_for.pods == ("uid-pod-llama-0", "uid-pod-llama-1")
    assert (last.wait_for.condition, last.wait_for.delay_s) == ("pods_gone", 30)
    assert (made.blast_radius.gangs, made.blast_radius.pods, made.blast_radius.gpus) == ((f"{kind}/lab/llama",), 2, 16)
    assert made.destructive


def test_pods_on_a_node_that_is_not_ready_are_not_waited_for() -> None:
    where = gang_of("Workload").node("gpu-1", ready=False)
    _, last = proposed("requeue_gang", ref("Workload", "llama"), where).steps
    assert last.wait_for is not None and last.wait_for.pods == ("uid-pod-llama-1",)


def test_a_schedulable_node_is_kept_out_by_the_suspended_jobs_template() -> None:
    where = gang_of("Workload")
    stop, exclude, start = proposed("requeue_gang", ref("Workload", "llama"), where, exclude_nodes=["gpu-1"]).steps
    assert exclude.target == ref("Job", "llama") and exclude.uid == "uid-job-llama"
    body: Any = exclude.body
    affinity = body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["gpu-1"]}]}
    assert exclude.undo == {"spec": {"template": {"spec": {"affinity": None}}}}
    assert exclude.wait_for is not None and len(exclude.wait_for.pods) == 2
    assert (stop.wait_for, start.wait_for) == (None, None)


def test_the_exclusion_holds_in_each_alternative_that_the_owner_asked_for() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [z]}]} for z in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    change = {"spec": {"template": {"spec": {"affinity": {"nodeAffinity": required}}}}}
    where = gang_of("Job").change("Job", "llama", change)
    _, exclude, _ = proposed("requeue_gang", ref("Job", "llama"), where, exclude_nodes=["gpu-1"]).steps
    body: Any = exclude.body
    after = body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    made = after["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [[e["key"] for e in t["matchExpressions"]] for t in made] == [["zone", "kubernetes.io/hostname"]] * 2
    assert exclude.undo == change


def test_a_cordoned_node_needs_no_exclusion() -> None:
    where = gang_of("Workload").node("gpu-1", cordoned=True)
    assert len(proposed("requeue_gang", ref("Workload", "llama"), where, exclude_nodes=["gpu-1", "gone"]).steps) == 2


def native(**pod: Any) -> Cluster:
    where = cluster().nodes("gpu-1", "gpu-2").gang("llama", on=["gpu-1", "gpu-2"], kind="PodGroup")
    group = {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
    where._add("scheduling.k8s.io/v1alpha2", "PodGroup", "llama", "lab", group)
    for name in ("llama-0", "llama-1"):
        where.change("Pod", name, {"spec": {"schedulingGroup": {"podGroupName": "llama"}}, **pod})
    return where


def test_every_pod_of_a_native_pod_group_is_evicted() -> None:
    made = proposed("requeue_gang", ref("PodGroup", "llama"), native())
    assert [(s.verb, s.target.name, s.uid) for s in made.steps] == [
        (Verb.EVICT, "llama-0", "uid-pod-llama-0"),
        (Verb.EVICT, "llama-1", "uid-pod-llama-1"),
    ]


def test_what_an_eviction_cannot_do_is_refused() -> None:
    assert refusal("requeue_gang", ref("PodGroup", "llama"), native(), delay_s=5) == "precondition.no_lever"
    assert (
        refusal("requeue_gang", ref("PodGroup", "llama"), native(), exclude_nodes=["gpu-1"]) == "precondition.no_lever"
    )


def test_pods_that_nothing_would_start_again_are_left_alone() -> None:
    plain = native(metadata={"name": "llama-0", "namespace": "lab", "uid": "u", "ownerReferences": []})
    assert refusal("requeue_gang", ref("PodGroup", "llama"), plain) in ("precondition.plain_pods",)


@pytest.mark.parametrize(
    ("target", "where", "code"),
    [
        (ref("Job", "llama"), gang_of("Workload"), "precondition.owned_by_queue"),
        (ref("Workload", "other"), gang_of("Workload"), "precondition.target_unknown"),
        (ref("Deployment", "llama"), gang_of("Workload"), "precondition.kind"),
        (ref("Workload", "llama"), cluster().gang("llama", on=[], waiting=2), "precondition.nothing_runs"),
        (
            ref("Workload", "llama"),
            gang_of("Workload").change("Workload", "llama", {"spec": {"active": False}}),
            "precondition.not_running",
        ),
    ],
)
def test_a_gang_that_cannot_or_need_not_be_requeued(target: ObjectRef, where: Cluster, code: str) -> None:
    assert refusal("requeue_gang", target, where) == code


def test_a_requeue_has_helped_when_the_gang_is_whole_again_running_or_waiting() -> None:
    made = proposed("requeue_gang", ref("Workload", "llama"), gang_of("Workload"))
    assert success(made, gang_of("Workload")).done is None  # the old pods are still there
    assert success(made, cluster().gang("llama", on=[], waiting=2)).done is True
    moved = gang_of("Workload")
    for name in ("llama-0", "llama-1"):
        moved.change("Pod", name, {"metadata": {"uid": f"new-{name}"}})
    assert success(made, moved).done is True
    assert success(made, moved.without("Pod", "llama-1")).done is None  # a part of a gang is no success


def test_what_a_requeue_rests_on_drifts_with_the_object_and_not_with_its_pods() -> None:
    before = proposed("requeue_gang", ref("Workload", "llama"), gang_of("Workload")).rests_on
    churned = gang_of("Workload").change("Pod", "llama-0", {"metadata": {"uid": "new"}})
    assert proposed("requeue_gang", ref("Workload", "llama"), churned).rests_on == before
    other = gang_of("Workload").change("Workload", "llama", {"metadata": {"uid": "other"}})
    assert proposed("requeue_gang", ref("Workload", "llama"), other).rests_on != before


# --- repair ---------------------------------------------------------------------------------------------------------


def test_a_reboot_is_asked_for_only_where_no_gang_runs_and_no_pod_comes() -> None:
    assert refusal("request_node_repair", NODE, cluster().node("gpu-7"), operation="reboot") == (
        "precondition.not_cordoned"
    )
    under_a_gang = ours().node("gpu-8").gang("llama", on=["gpu-7", "gpu-8"])
    assert refusal("request_node_repair", NODE, under_a_gang, operation="reboot") == "precondition.gang_on_node"
    made = proposed("request_node_repair", NODE, ours(), operation="reboot")
    assert made.steps[0].body == {"operation": "reboot"}
    assert not made.destructive


def test_a_reboot_under_somebodys_pod_is_destructive_and_says_whom_it_hits() -> None:
    made = proposed("request_node_repair", NODE, ours().notebook("ada", "gpu-7"), operation="reboot")
    assert made.destructive
    assert (made.blast_radius.workloads, made.blast_radius.pods) == (("Notebook/lab/ada",), 1)


def test_the_pods_of_daemon_sets_are_nobodys_loss() -> None:
    where = ours()
    where._add("apps/v1", "DaemonSet", "dcgm", "lab", {"spec": {}})
    where.pod("dcgm-1", "gpu-7", owner=where.objects["DaemonSet", "dcgm"], gpus=0)
    assert not proposed("request_node_repair", NODE, where, operation="reboot").destructive


@pytest.mark.parametrize(
    ("operation", "state", "sick", "done"),
    [
        ("reboot", "pending", False, None),
        ("reboot", "unknown", False, None),
        ("reboot", "failed", False, False),
        ("reboot", "succeeded", True, None),
        ("reboot", "succeeded", False, True),
        ("support", "pending", True, True),
        ("support", "unknown", True, None),
    ],
)
def test_a_repair_has_helped_when_the_site_says_so_and_the_node_agrees(
    operation: str, state: str, sick: bool, done: bool | None
) -> None:
    made = proposed("request_node_repair", NODE, ours(), operation=operation)
    conditions = [{"type": "SysLogsXIDError", "status": "True"}] if sick else []
    assert success(made, ours(conditions=conditions), repair=state).done is done


def test_a_reset_needs_to_know_which_gpu() -> None:
    assert refusal("request_node_repair", NODE, ours(), operation="reset_gpu") == "precondition.gpu_unknown"
    made = proposed("request_node_repair", NODE, ours(), operation="reset_gpu", gpu_uuid="GPU-1")
    assert made.steps[0].body == {"operation": "reset_gpu", "gpu_uuid": "GPU-1"}


def test_a_pending_repair_is_withdrawn_by_the_key_it_was_asked_with() -> None:
    made = proposed("request_node_repair", NODE, ours(), operation="reboot", undoes="inc-0/3")
    assert (made.steps[0].verb, made.steps[0].body) == (Verb.WITHDRAW_REPAIR, {"key": "inc-0/3/0"})


# --- reclaim --------------------------------------------------------------------------------------------------------


def there_and_back(kind: str, method: str, before: Cluster, stopped: dict[str, Any]) -> tuple[Proposal, Proposal]:
    """The reclaim, and its restore on the object as the reclaim left it."""
    made = proposed("reclaim_idle_gpu", ref(kind, "x"), before, method=method)
    after = before.change(kind, "x", stopped)
    for step in made.steps:
        if step.verb is Verb.PATCH:
            after.change(kind, "x", step.body)
    return made, proposed("reclaim_idle_gpu", ref(kind, "x"), after, method=method, undoes=made.id)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_replicas_go_to_zero_and_come_back_as_they_were(kind: str) -> None:
    where = cluster().node("gpu-1").deployment("x", on=["gpu-1"] * 3, kind=kind)
    made, back = there_and_back(kind, "scale_to_zero", where, {"spec": {"replicas": 0}})
    assert [(s.verb, s.uid) for s in made.steps] == [(Verb.PATCH, made.steps[0].uid), (Verb.SCALE, made.steps[0].uid)]
    assert (made.steps[1].body, made.steps[1].undo) == ({"replicas": 0}, {"replicas": 3})
    assert made.notice_s == 900 and made.destructive
    assert (back.steps[0].verb, back.steps[0].body) == (Verb.SCALE, {"replicas": 3})
    marks: Any = back.steps[1].body["metadata"]
    assert marks["annotations"]["watchkeeper.dev/reclaimed-by"] is None
    assert (back.undoes, back.destructive, back.notice_s) == (made.id, False, 0)


def test_a_notebook_is_stopped_as_its_own_controller_stops_it() -> None:
    where = cluster().node("gpu-1").notebook("x", "gpu-1")
    made, back = there_and_back("Notebook", "stop", where, {})
    body: Any = made.steps[0].body
    assert body["metadata"]["annotations"]["kubeflow-resource-stopped"] == made.id
    undo: Any = made.steps[0].undo
    assert undo["metadata"]["annotations"]["kubeflow-resource-stopped"] is None
    assert back.steps[0].body == undo


def test_an_inference_service_and_a_job_too() -> None:
    service = (
        cluster()
        .node("gpu-1")
        .deployment("x", on=["gpu-1"], kind="InferenceService", spec={"predictor": {"minReplicas": 2}})
    )
    made, back = there_and_back("InferenceService", "scale_to_zero", service, {})
    assert made.steps[0].body["spec"] == {"predictor": {"minReplicas": 0}}
    assert back.steps[0].body["spec"] == {"predictor": {"minReplicas": 2}}
    job = cluster().node("gpu-1").deployment("x", on=["gpu-1"], kind="Job", spec={"suspend": False})
    made, back = there_and_back("Job", "suspend", job, {})
    assert (made.steps[0].body["spec"], back.steps[0].body["spec"]) == ({"suspend": True}, {"suspend": False})


def test_a_gang_gives_its_gpus_back_whole_by_its_queues_lever() -> None:
    where = cluster().nodes("gpu-1", "gpu-2").gang("x", on=["gpu-1", "gpu-2"])
    made = proposed("reclaim_idle_gpu", ref("Job", "x"), where, method="suspend")
    assert [(str(step.target), step.body.get("spec")) for step in made.steps] == [
        ("Job/lab/x", None), ("Workload/lab/x", {"active": False}),
    ]  # fmt: skip
    assert (made.blast_radius.gangs, made.blast_radius.pods, made.notice_s) == (("Workload/lab/x",), 2, 900)
    where = after(made, where)
    back = proposed("reclaim_idle_gpu", ref("Job", "x"), where, method="suspend", undoes=made.id)
    assert [(str(step.target), step.body.get("spec")) for step in back.steps] == [
        ("Workload/lab/x", {"active": True}), ("Job/lab/x", None),
    ]  # fmt: skip
    never = cluster().nodes("gpu-1").gang("x", on=["gpu-1"])
    assert refusal("reclaim_idle_gpu", ref("Job", "x"), never, method="suspend", undoes="inc-0/0") == (
        "precondition.nothing_to_undo"
    )


RAW = {"serving.kserve.io/deploymentMode": "RawDeployment"}


@pytest.mark.parametrize(
    ("kind", "method", "where", "code"),
    [
        ("Deployment", "stop", cluster().deployment("x", on=["gpu-1"]), "precondition.method"),
        ("Deployment", "scale_to_zero", cluster().deployment("x", on=[]), "precondition.holds_nothing"),
        ("Deployment", "scale_to_zero", cluster(), "precondition.target_unknown"),
        ("ConfigMap", "stop", cluster(), "precondition.kind"),
        ("Job", "stop", cluster().node("gpu-1").gang("x", on=["gpu-1"]), "precondition.method"),
        ("Job", "suspend", cluster().node("gpu-1").gang("x", on=["gpu-1"], waiting=1), "precondition.not_running"),
        (
            "InferenceService",
            "scale_to_zero",
            cluster().deployment("x", on=["gpu-1"], kind="InferenceService", annotations=RAW),
            "precondition.no_lever",
        ),
    ],
)
def test_what_cannot_be_reclaimed_gently(kind: str, method: str, where: Cluster, code: str) -> None:
    assert refusal("reclaim_idle_gpu", ref(kind, "x"), where, method=method) == code


def test_a_reclaim_has_helped_when_no_gpu_is_held_and_a_restore_when_all_is_ready_again() -> None:
    holds = cluster().node("gpu-1").deployment("x", on=["gpu-1"] * 2)
    made = proposed("reclaim_idle_gpu", ref("Deployment", "x"), holds, method="scale_to_zero")
    assert success(made, holds).done is None
    assert success(made, cluster().deployment("x", on=[])).done is True
    back = made.model_copy(update={"undoes": "inc-0/0"})
    assert success(back, holds).done is True
    assert success(back, holds.without("Pod", "x-0")).done is None


def test_what_nobody_reclaimed_cannot_be_restored() -> None:
    where = cluster().deployment("x", on=[])
    code = refusal("reclaim_idle_gpu", ref("Deployment", "x"), where, method="scale_to_zero", undoes="inc-0/0")
    assert code == "precondition.nothing_to_undo"


def test_a_reclaim_rests_on_the_owner_and_its_replicas() -> None:
    made = proposed(
        "reclaim_idle_gpu", ref("Deployment", "x"), cluster().deployment("x", ["n"]), method="scale_to_zero"
    )
    assert made.rests_on == {"uid": "uid-deployment-x", "replicas": 1}


# --- all of them ----------------------------------------------------------------------------------------------------


def test_a_notice_changes_nothing() -> None:
    made = proposed("notify", NODE, cluster(), audience="oncall", message="look")
    assert (made.steps[0].verb, made.blast_radius.nodes, made.destructive) == (Verb.NOTIFY, (), False)
    assert success(made, cluster()).done is True


@pytest.mark.parametrize(
    ("action", "parameters", "field"),
    [
        ("notify", {"audience": "everybody", "message": "x"}, "audience"),
        ("notify", {"audience": "owner", "message": ""}, "message"),
        ("request_node_repair", {"operation": "hammer"}, "operation"),
        ("requeue_gang", {"delay_s": -1}, "delay_s"),
        ("reclaim_idle_gpu", {"method": "scale_to_zero", "grace_s": 10**9}, "grace_s"),
        ("cordon_node", {"reason": "x"}, "reason"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(action: str, parameters: dict[str, Any], field: str) -> None:
    made = propose(action, NODE, cluster().node("gpu-7"), **parameters)
    assert isinstance(made, Refusal) and made.code == "parameters.invalid" and f": {field}:" in made.message


def test_the_same_world_gives_the_same_digest() -> None:
    made = proposed("requeue_gang", ref("Workload", "llama"), gang_of("Workload"), exclude_nodes=["gpu-2", "gpu-1"])
    again = proposed("requeue_gang", ref("Workload", "llama"), gang_of("Workload"), exclude_nodes=["gpu-2", "gpu-1"])
    assert made.digest == again.digest and made.id == "inc-1/2"
