"""Kubernetes JSON in, the domain's nouns out: owners, classes, GPUs, nodes, and what is malformed."""

import pytest
from manifests_of_objects import KUEUE, NOW, Json, job, kueue_workload, pod, thing, view

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.translate import translate
from agent.domain.cluster import WorkloadClass

REPLICA_SET = thing("apps/v1", "ReplicaSet", "web-1", owner=thing("apps/v1", "Deployment", "web"))
STATEFUL_SET = thing("apps/v1", "StatefulSet", "nb", owner=thing("kubeflow.org/v1", "Notebook", "nb"))
JOB_OF_SET = job("set-0", queued=False, owner=thing("jobset.x-k8s.io/v1alpha2", "JobSet", "set"))
JOB_OF_CRON = job("nightly-1", queued=False, owner=thing("batch/v1", "CronJob", "nightly"))


@pytest.mark.parametrize(
    ("owner", "top"),
    [
        (REPLICA_SET, "Deployment/law/web"),
        (STATEFUL_SET, "Notebook/law/nb"),
        (JOB_OF_SET, "JobSet/law/set"),
        (JOB_OF_CRON, "CronJob/law/nightly"),
        (thing("watchkeeper.dev/v1alpha1", "Gang", "g"), "Gang/law/g"),
        (thing("example.org/v1", "Elsewhere", "e"), "Elsewhere/law/e"),
    ],
)
def test_the_owner_of_a_pod_is_the_top_of_its_chain(owner: Json, top: str) -> None:
    child = pod("p", owner=owner)
    assert str(view(owner, child).pods["law", "p"].owner) == top
    assert view(pod("p")).pods["law", "p"].owner is None


def test_an_owner_that_is_not_at_hand_is_still_the_owner() -> None:
    assert str(view(pod("p", owner=REPLICA_SET)).pods["law", "p"].owner) == "ReplicaSet/law/web-1"


def test_an_owner_is_found_whatever_api_version_the_reference_names() -> None:
    notebook = thing("kubeflow.org/v1", "Notebook", "nb")
    stale = thing("kubeflow.org/v1beta1", "Notebook", "nb")
    owner = view(notebook, pod("p", owner=stale)).pods["law", "p"].owner
    assert owner and owner.api_version == "kubeflow.org/v1"


def test_owners_in_a_loop_end() -> None:
    a, b = thing("x/v1", "A", "a"), thing("x/v1", "B", "b")
    a, b = thing("x/v1", "A", "a", owner=b), thing("x/v1", "B", "b", owner=a)
    assert view(a, b, pod("p", owner=a)).pods["law", "p"].owner is not None


# --- pods, nodes, workloads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "gpus"),
    [
        (
            {
                "containers": [
                    {"resources": {"requests": {"nvidia.com/gpu": "2"}}},
                    {"resources": {"limits": {"nvidia.com/gpu": 1}}},
                ]
            },
            3,
        ),
        ({"containers": [{"resources": {"limits": {"nvidia.com/mig-1g.10gb": "2", "cpu": "1"}}}]}, 2),
        ({"containers": [{}], "initContainers": [{"resources": {"limits": {"nvidia.com/gpu": "4"}}}]}, 4),
        ({"containers": None}, 0),
    ],
)
def test_gpus_requested(spec: Json, gpus: int) -> None:
    assert view(thing("v1", "Pod", "p", spec=spec)).pods["law", "p"].gpus == gpus


def test_requests_of_several_containers_add_up() -> None:
    containers = [
        {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
        {"resources": {"requests": {"cpu": "2"}}},
    ]
    seen = view(thing("v1", "Pod", "p", spec={"containers": containers})).pods["law", "p"]
    assert seen.requests == {"cpu": "2.5", "memory": "1073741824"}


NOTEBOOK_IMAGE = {"template": {"spec": {"containers": [{"image": "quay.io/jupyter/scipy:latest"}]}}}


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (thing("kubeflow.org/v1", "Notebook", "n"), WorkloadClass.NOTEBOOK),
        (thing("apps/v1", "StatefulSet", "n", spec=NOTEBOOK_IMAGE), WorkloadClass.NOTEBOOK),
        (thing("apps/v1", "Deployment", "alice-notebook"), WorkloadClass.NOTEBOOK),
        (thing("apps/v1", "Deployment", "d", meta={"labels": {"app": "jupyter"}}), WorkloadClass.NOTEBOOK),
        (thing("apps/v1", "Deployment", "d"), WorkloadClass.SERVING),
        (thing("serving.kserve.io/v1beta1", "InferenceService", "i"), WorkloadClass.SERVING),
        (thing("batch/v1", "Job", "notebook-export"), WorkloadClass.TRAINING),
        (thing("kubeflow.org/v1", "PyTorchJob", "j"), WorkloadClass.TRAINING),
        (thing("batch/v1", "CronJob", "c"), WorkloadClass.BATCH),
        (
            thing("apps/v1", "Deployment", "d", meta={"annotations": {"watchkeeper.dev/class": "batch"}}),
            WorkloadClass.BATCH,
        ),
    ],
)
def test_what_a_workload_is_for(workload: Json, expected: WorkloadClass) -> None:
    (seen,) = view(workload).workloads.values()
    assert seen.workload_class is expected


def test_a_child_is_for_what_its_owner_is_for() -> None:
    notebook = thing("kubeflow.org/v1", "Notebook", "nb")
    classes = [w.workload_class for w in view(notebook, STATEFUL_SET).workloads.values()]
    assert classes == [WorkloadClass.NOTEBOOK, WorkloadClass.NOTEBOOK]


def test_a_node_as_written() -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "gpu-1", "uid": "u", "labels": {"rack": 7}},
        "spec": {"unschedulable": True, "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"nvidia.com/gpu": "8", "cpu": "192"},
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-02T08:00:00Z"}],
        },
    }
    seen = view(node).nodes["gpu-1"]
    assert (seen.gpus, seen.unschedulable, seen.ready, seen.eligible) == (8, True, False, False)
    assert (seen.labels, seen.taints) == ({"rack": "7"}, ({"key": "nvidia.com/gpu", "effect": "NoSchedule"},))


def test_a_disruption_budget_as_its_controller_says_or_would_say() -> None:
    ready = [pod(f"p{i}", meta={"labels": {"app": "web"}}) for i in range(4)]
    for one in ready:
        one["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    budgets = [
        thing("policy/v1", "PodDisruptionBudget", "a", spec={**selector, "minAvailable": 4}),
        thing("policy/v1", "PodDisruptionBudget", "b", spec={**selector, "maxUnavailable": "50%"}),
        thing(
            "policy/v1",
            "PodDisruptionBudget",
            "c",
            spec={**selector, "minAvailable": 4},
            status={"disruptionsAllowed": 3},
        ),
    ]
    assert [d.disruptions_allowed for d in view(*ready, *budgets).disruptions] == [0, 2, 3]


def test_what_has_no_noun_stays_as_an_object() -> None:
    queue = {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": "law"}, "spec": {"cohort": "all"}}
    ((ref, raw),) = view(queue).objects.items()
    assert (str(ref), raw) == ("ClusterQueue/law", queue)


GPU_LIMIT = "spec.containers[0].resources.limits.nvidia.com/gpu"

# --- malformed objects ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"apiVersion": "v1", "kind": "Pod"}, "Pod/?: metadata.name: missing"),
        ({"kind": "Pod", "metadata": {"name": "p"}}, "Pod/p: apiVersion: missing"),
        (pod("p", gpus="eight"), f"Pod/law/p: {GPU_LIMIT}: expected a quantity, found 'eight'"),
        (pod("p", gpus="1.5"), f"Pod/law/p: {GPU_LIMIT}: expected a whole quantity from 0 to 100000, found '1.5'"),
        (pod("p", gpus="1E"), f"Pod/law/p: {GPU_LIMIT}: expected a whole quantity from 0 to 100000, found '1E'"),
        (job(parallelism=2**31), "Job/law/train: spec.parallelism: expected a whole number, found 2147483648"),
        (
            pod("p", phase="Asleep"),
            "Pod/law/p: status.phase: expected one of Pending, Running, Succeeded, Failed, Unknown, found 'Asleep'",
        ),
        (pod("p", meta={"labels": ["a"]}), "Pod/law/p: metadata.labels: expected an object, found ['a']"),
        (
            pod("p", meta={"creationTimestamp": "yesterday"}),
            "Pod/law/p: metadata.creationTimestamp: expected an RFC 3339 time with its zone, found 'yesterday'",
        ),
        (
            kueue_workload("w", podSets=[{"count": "8"}]),
            "Workload/law/w: spec.podSets[0].count: expected a whole number, found '8'",
        ),
        (job(parallelism="many"), "Job/law/train: spec.parallelism: expected a whole number, found 'many'"),  # type: ignore[arg-type]
        (
            thing("apps/v1", "Deployment", "d", meta={"annotations": {"watchkeeper.dev/class": "fun"}}),
            "Deployment/law/d: metadata.annotations.watchkeeper.dev/class: expected one of "
            "notebook, serving, training, batch, found 'fun'",
        ),
    ],
)
def test_a_malformed_object_is_named_with_its_field_and_costs_only_itself(bad: Json, message: str) -> None:
    with pytest.raises(MalformedObject) as caught:
        view(bad, pod("good"))
    assert str(caught.value) == message
    translation = translate([bad, pod("good")], NOW)
    assert [str(error) for error in translation.malformed] == [message]
    assert list(translation.view.pods) == [("law", "good")]


def test_a_fault_that_shows_only_beside_others_costs_only_its_object() -> None:
    sick = thing("kubeflow.org/v1", "PyTorchJob", "train", status={"conditions": "Running"})
    workload = kueue_workload("w", owner=sick, podSets=[{"count": 1}])
    translation = translate([pod("first"), sick, workload, pod("p", owner=sick)], NOW)
    assert [str(error) for error in translation.malformed] == [
        "PyTorchJob/law/train: status.conditions: expected a list, found 'Running'"
    ]
    (gang,) = translation.view.gangs.values()
    assert (str(gang.job), [p.name for p in gang.running]) == ("PyTorchJob/law/train", ["p"])
    assert len(translation.view.pods) == 2
