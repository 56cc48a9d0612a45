"""What is Kueue's, the agent moves by Kueue's own levers alone: every action of the catalogue, on everything there is.

A job that Kueue admits is never suspended, resumed or scaled behind its back, none of its pods is evicted, and nobody
but Kueue writes what it let in.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from kueue_world import (
    GPU,
    NOW,
    OLD,
    Json,
    cluster_queue,
    condition,
    flavor,
    local_queue,
    made,
    namespace,
    node,
    reserved,
)

from agent.actions.base import Occasion
from agent.actions.catalogue import ACTIONS
from agent.adapters.kubernetes.translate import translate
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import Step, Verb

OCCASION = Occasion(proposal="prop-1", incident="inc-1", cause="node_fault")
QUEUE_NAME = "kueue.x-k8s.io/queue-name"
LEVERS = {"Workload": {"active"}, "ClusterQueue": {"stopPolicy", "resourceGroups"}, "LocalQueue": {"stopPolicy"}}
# Where nodes are kept out of a gang that is held: affinity is mutable while its job is suspended.
TEMPLATES = {
    "Job": {"template"},
    "JobSet": {"replicatedJobs"},
    "PyTorchJob": {"pytorchReplicaSpecs"},
    "RayJob": {"rayClusterSpec"},
}
PARAMETERS: dict[str, list[Json]] = {
    "requeue_gang": [{}, {"exclude_nodes": ["n1"]}, {"delay_s": 60}],
    "reclaim_idle_gpu": [{"method": "scale_to_zero"}, {"method": "suspend"}, {"method": "requeue"}],
    "scale_workload": [{"replicas": 0}, {"replicas": 5}],
    "set_queue_quota": [{"flavor": "h100", "resource": GPU, "nominal": 4}],
    "hold_queue": [{}, {"drain": True}],
    "reserve_capacity": [{"nodes": ["n1"]}, {"gang": "w"}],
    "request_node_repair": [{"operation": "reboot"}],
    "notify": [{"audience": "oncall", "message": "x"}],
    "defragment": [{}],
}


def job(kind: str, version: str, spec: Json) -> Json:
    return made(kind, "train", spec, "research", version=version, metadata={"labels": {QUEUE_NAME: "main"}})


POD_SPEC = {"containers": [{"name": "c", "resources": {"requests": {GPU: "4"}}}]}
TEMPLATE = {"spec": POD_SPEC}
REPLICATED = {"name": "w", "replicas": 1, "template": {"spec": {"parallelism": 2, "template": TEMPLATE}}}
WORKERS = {"groupName": "w", "replicas": 2, "template": TEMPLATE}
JOBS = [
    job("Job", "batch/v1", {"suspend": False, "parallelism": 2, "completions": 2, "template": TEMPLATE}),
    job("JobSet", "jobset.x-k8s.io/v1alpha2", {"suspend": False, "replicatedJobs": [REPLICATED]}),
    job("Deployment", "apps/v1", {"replicas": 2, "template": TEMPLATE}),
    job("StatefulSet", "apps/v1", {"replicas": 2, "template": TEMPLATE}),
    job("PyTorchJob", "kubeflow.org/v1", {"pytorchReplicaSpecs": {"Worker": {"replicas": 2, "template": TEMPLATE}}}),
    job("RayJob", "ray.io/v1", {"suspend": False, "rayClusterSpec": {"workerGroupSpecs": [WORKERS]}}),
]


def running(owner: Json, version: str) -> ClusterView:
    """Two pods of a job that Kueue let in, one of them crashing."""
    over = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": "train",
        "uid": "uid-train",
        "controller": True,
    }
    admitted = {"conditions": [condition("QuotaReserved"), condition("Admitted"), condition("PodsReady")]}
    workload = reserved("w", 2, 4, status=admitted, metadata={"ownerReferences": [over]})
    pods = [
        made("Pod", name, {**POD_SPEC, "nodeName": on}, "research", version="v1", metadata={"ownerReferences": [over]},
             status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
        for name, on in (("train-0", "n1"), ("train-1", "n2"))
    ]  # fmt: skip
    kueue = [{**each, "apiVersion": version} for each in (workload, cluster_queue(), local_queue(), flavor())]
    translation = translate([namespace(), node("n1"), node("n2"), node("n3"), *kueue, owner, *pods], NOW)
    assert not translation.malformed
    return translation.view


def steps_of_all(view: ClusterView) -> Iterator[tuple[str, ObjectRef, Step]]:
    for action in ACTIONS:
        for raw in PARAMETERS.get(action.name, [{}]):
            try:
                params: Any = action.parameters.model_validate(raw)
            except ValueError:
                continue
            for target in view.objects:
                if action.refuse(target, params, view) is None:
                    for step in action.steps(target, params, view, OCCASION):
                        yield action.name, target, step


@pytest.mark.parametrize("version", ["kueue.x-k8s.io/v1beta2", OLD])
@pytest.mark.parametrize("owner", JOBS, ids=lambda each: str(each["kind"]))
def test_no_action_works_behind_kueues_back(owner: Json, version: str) -> None:
    acted = set()
    for name, target, step in steps_of_all(running(owner, version)):
        where = f"{name} on {target}: {step}"
        acted.add(name)
        body: Any = step.body
        assert "status" not in body, where
        if step.target.kind in ("Pod", "Workload", "ClusterQueue", "LocalQueue", owner["kind"]):
            assert step.verb is Verb.PATCH or step.verb in (Verb.NOTIFY, Verb.CREATE), where
            fields = set(body.get("spec", {})) if step.verb is Verb.PATCH else set()
            assert fields <= LEVERS.get(step.target.kind, TEMPLATES.get(step.target.kind, set())), where
            assert step.uid or step.verb is not Verb.PATCH, where  # of just this object, not one of the same name
    assert {"requeue_gang", "deactivate_workload", "hold_queue", "set_queue_quota"} <= acted


@pytest.mark.parametrize("version", ["kueue.x-k8s.io/v1beta2", OLD])
def test_requeueing_goes_out_and_in_by_the_workloads_own_switch(version: str) -> None:
    view = running(JOBS[0], version)
    target = next(ref for ref in view.objects if ref.kind == "Workload")
    action = next(each for each in ACTIONS if each.name == "requeue_gang")
    out, back = action.steps(target, action.parameters(), view, OCCASION)
    assert (out.body["spec"], back.body["spec"]) == ({"active": False}, {"active": True})
    assert out.undo == {"spec": {"active": True}}
    assert out.target == back.target == target and out.uid == back.uid == "uid-w"
    assert back.wait_for is not None and len(back.wait_for.pods) == 2  # not before all of its pods have stopped


def test_a_queue_is_held_by_its_stop_policy_and_let_go_by_it() -> None:
    view = running(JOBS[0], "kueue.x-k8s.io/v1beta2")
    hold = next(each for each in ACTIONS if each.name == "hold_queue")
    for drain, policy in ((False, "Hold"), (True, "HoldAndDrain")):
        for kind in ("ClusterQueue", "LocalQueue"):
            target = next(ref for ref in view.objects if ref.kind == kind)
            (step,) = hold.steps(target, hold.parameters.model_validate({"drain": drain}), view, OCCASION)
            body: Any = step.body
            assert (body["spec"], step.target) == ({"stopPolicy": policy}, target)


def test_a_job_whose_workload_is_out_of_sight_is_left_alone() -> None:
    objects = [namespace(), node("n1"), JOBS[0]]
    over = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "uid-train", "controller": True}
    pod = made("Pod", "train-0", {**POD_SPEC, "nodeName": "n1"}, "research", version="v1",
               metadata={"ownerReferences": [over]}, status={"phase": "Running"})  # fmt: skip
    view = translate([*objects, pod], NOW).view
    touched = {(name, step.target.kind) for name, _, step in steps_of_all(view) if step.verb is not Verb.NOTIFY}
    assert not {kind for _, kind in touched} & {"Job", "Pod"}
