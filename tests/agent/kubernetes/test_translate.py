"""Kubernetes JSON in, the domain's nouns out: owners, gangs and their minimum, classes, GPUs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.translate import translate, view_of
from agent.domain.cluster import ClusterView, Gang, GangState, WorkloadClass

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
Json = dict[str, Any]
KUEUE = "kueue.x-k8s.io/v1beta2"


def thing(
    api_version: str, kind: str, name: str, *, owner: Json | None = None, meta: Json | None = None, **rest: Any
) -> Json:
    metadata: Json = {"name": name, "namespace": "law", **(meta or {})}
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": "x"}
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def pod(name: str, *, phase: str = "Running", owner: Json | None = None, gpus: str = "8", **rest: Any) -> Json:
    spec = {"nodeName": "n1", "containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": gpus}}}]}
    if phase == "Pending":
        del spec["nodeName"]
    meta = rest.pop("meta", {})
    return thing("v1", "Pod", name, owner=owner, meta=meta, spec={**spec, **rest}, status={"phase": phase})


def job(
    name: str = "train", *, queued: bool = True, parallelism: int = 4, owner: Json | None = None, **meta: Any
) -> Json:
    labels = {"kueue.x-k8s.io/queue-name": "main"} if queued else {}
    return thing(
        "batch/v1", "Job", name, owner=owner, meta={"labels": labels, **meta}, spec={"parallelism": parallelism}
    )


def kueue_workload(name: str, *, owner: Json | None = None, version: str = KUEUE, **spec: Any) -> Json:
    return thing(version, "Workload", name, owner=owner, spec={"queueName": "main", **spec})


def view(*objects: Json) -> ClusterView:
    return view_of(objects, NOW)


def only_gang(*objects: Json) -> Gang:
    (gang,) = view(*objects).gangs.values()
    return gang


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


# --- a gang's minimum -------------------------------------------------------------------------------------------------

POD_GROUP = "scheduling.k8s.io/v1alpha2"


@pytest.mark.parametrize(
    ("gang", "minimum"),
    [
        (kueue_workload("w", podSets=[{"name": "a", "count": 8}, {"name": "b", "count": 2, "minCount": 1}]), 9),
        (kueue_workload("w", version="kueue.x-k8s.io/v1beta1", podSets=[{"name": "a", "count": 3}]), 3),
        (thing(POD_GROUP, "PodGroup", "g", spec={"schedulingPolicy": {"gang": {"minCount": 5}}}), 5),
        (thing("scheduling.k8s.io/v1beta1", "PodGroup", "g", spec={"schedulingPolicy": {"gang": {"minCount": 6}}}), 6),
        (
            thing(
                "scheduling.k8s.io/v1alpha1",
                "Workload",
                "w",
                spec={"podGroups": [{"policy": {"gang": {"minCount": 7}}}]},
            ),
            7,
        ),
        (
            thing(
                "jobset.x-k8s.io/v1alpha2",
                "JobSet",
                "s",
                spec={
                    "replicatedJobs": [
                        {"name": "leader", "template": {"spec": {}}},
                        {"name": "worker", "replicas": 2, "template": {"spec": {"parallelism": 4, "completions": 4}}},
                    ]
                },
            ),
            9,
        ),
        (
            thing(
                "leaderworkerset.x-k8s.io/v1",
                "LeaderWorkerSet",
                "l",
                spec={"replicas": 2, "leaderWorkerTemplate": {"size": 4}},
            ),
            8,
        ),
        (job(parallelism=4), 4),
        (job(queued=False, parallelism=4, annotations={"watchkeeper.dev/gang": "true"}), 4),
        (
            thing(
                "watchkeeper.dev/v1alpha1", "Gang", "g", spec={"podSets": [{"count": 4, "minCount": 2}, {"count": 1}]}
            ),
            3,
        ),
    ],
)
def test_a_gangs_minimum(gang: Json, minimum: int) -> None:
    assert only_gang(gang).minimum == minimum


@pytest.mark.parametrize(
    "no_gang",
    [
        job(queued=False, parallelism=8),
        job(queued=False, annotations={"watchkeeper.dev/gang": "false"}),
        thing(POD_GROUP, "PodGroup", "g", spec={"schedulingPolicy": {"basic": {}}}),
        thing("apps/v1", "Deployment", "d", spec={"replicas": 3}),
    ],
)
def test_what_is_no_gang(no_gang: Json) -> None:
    seen = view(no_gang, pod("p", owner=no_gang))
    assert not seen.gangs
    assert seen.pods["law", "p"].gang is None


# --- one set of pods is one gang --------------------------------------------------------------------------------------


def test_a_job_with_a_kueue_workload_is_that_gangs_job() -> None:
    train = job()
    gang = only_gang(train, kueue_workload("w", owner=train, podSets=[{"count": 4}]), pod("p", owner=train))
    assert (gang.ref.kind, str(gang.job), len(gang.running)) == ("Workload", "Job/law/train", 1)


@pytest.mark.parametrize("name", ["job-train-0a1b2", "train"])
def test_a_workload_without_owners_is_known_by_kueues_naming(name: str) -> None:
    train = job()
    gang = only_gang(train, kueue_workload(name, podSets=[{"count": 4}]), pod("p", owner=train))
    assert (str(gang.ref), str(gang.job), len(gang.running)) == (f"Workload/law/{name}", "Job/law/train", 1)


def test_kueue_stands_for_a_job_set_and_the_jobs_in_it() -> None:
    job_set = thing("jobset.x-k8s.io/v1alpha2", "JobSet", "set", spec={"replicatedJobs": [{"name": "w"}]})
    inner = job("set-w-0", owner=job_set)
    workload = kueue_workload("jobset-set-aaaaa", owner=job_set, podSets=[{"count": 1}])
    gang = only_gang(inner, job_set, workload, pod("p", owner=inner))
    assert (gang.ref.kind, str(gang.job), len(gang.running)) == ("Workload", "JobSet/law/set", 1)


def test_a_job_set_stands_for_its_queued_jobs() -> None:
    job_set = thing("jobset.x-k8s.io/v1alpha2", "JobSet", "set", spec={"replicatedJobs": [{"name": "w"}]})
    inner = job("set-w-0", owner=job_set)
    gang = only_gang(inner, job_set, pod("p", owner=inner))
    assert (gang.ref.kind, gang.job, len(gang.running)) == ("JobSet", None, 1)


def test_pods_name_their_pod_group() -> None:
    train = job(queued=True)
    group = thing(POD_GROUP, "PodGroup", "g", spec={"schedulingPolicy": {"gang": {"minCount": 2}}})
    gang = only_gang(train, group, pod("p", owner=train, schedulingGroup={"podGroupName": "g"}))
    assert (str(gang.ref), len(gang.running)) == ("PodGroup/law/g", 1)


def test_two_pod_groups_of_one_job_set_are_two_gangs() -> None:
    job_set = thing(
        "jobset.x-k8s.io/v1alpha2", "JobSet", "set", spec={"replicatedJobs": [{"name": "w", "replicas": 2}]}
    )
    policy = {"schedulingPolicy": {"gang": {"minCount": 1}}}
    groups = [thing(POD_GROUP, "PodGroup", name, owner=job_set, spec=policy) for name in ("a", "b")]
    pods = [pod(f"p-{n}", owner=job_set, schedulingGroup={"podGroupName": n}) for n in ("a", "b")]
    gangs = view(job_set, *groups, *pods).gangs.values()
    assert [(g.ref.name, [p.name for p in g.running], str(g.job)) for g in gangs] == [
        ("a", ["p-a"], "JobSet/law/set"),
        ("b", ["p-b"], "JobSet/law/set"),
    ]


def test_pods_that_name_no_group_belong_to_the_nearest_one() -> None:
    job_set = thing(
        "jobset.x-k8s.io/v1alpha2", "JobSet", "set", spec={"replicatedJobs": [{"name": "w", "replicas": 2}]}
    )
    jobs = [job(name, owner=job_set) for name in ("a", "b")]
    policy = {"schedulingPolicy": {"gang": {"minCount": 1}}}
    groups = [thing(POD_GROUP, "PodGroup", one["metadata"]["name"], owner=one, spec=policy) for one in jobs]
    pods = [pod(f"p-{one['metadata']['name']}", owner=one) for one in jobs]
    gangs = view(job_set, *jobs, *groups, *pods).gangs.values()
    assert [(g.ref.name, [p.name for p in g.running]) for g in gangs] == [("a", ["p-a"]), ("b", ["p-b"])]


def test_kueue_stands_for_pods_that_name_a_pod_group_too() -> None:
    train = job()
    group = thing(POD_GROUP, "PodGroup", "g", spec={"schedulingPolicy": {"gang": {"minCount": 2}}})
    workload = kueue_workload("w", owner=train, podSets=[{"count": 4}])
    seen = view(train, group, workload, pod("p", owner=train, schedulingGroup={"podGroupName": "g"}))
    assert str(seen.pods["law", "p"].gang) == "Workload/law/w"


def test_the_first_native_api_links_pods_by_workload_ref() -> None:
    workload = thing(
        "scheduling.k8s.io/v1alpha1", "Workload", "w", spec={"podGroups": [{"policy": {"gang": {"minCount": 2}}}]}
    )
    gang = only_gang(workload, pod("p", workloadRef={"name": "w", "podGroup": "x"}))
    assert [p.name for p in gang.running] == ["p"]


def test_a_finished_workload_makes_way_for_the_one_that_runs() -> None:
    train = job()
    old = kueue_workload("a-old", owner=train, podSets=[{"count": 4}])
    old["status"] = {"conditions": [{"type": "Finished", "status": "True"}]}
    seen = view(train, old, kueue_workload("b-new", owner=train, podSets=[{"count": 4}]), pod("p", owner=train))
    assert str(seen.pods["law", "p"].gang) == "Workload/law/b-new"


# --- states -----------------------------------------------------------------------------------------------------------

FINISHED = {"conditions": [{"type": "Finished", "status": "True"}]}


@pytest.mark.parametrize(
    ("phases", "spec", "status", "state"),
    [
        (["Running"] * 4, {}, {}, GangState.RUNNING),
        (["Running"] * 3 + ["Pending"], {}, {}, GangState.STUCK),
        (["Running"] * 3, {}, {}, GangState.STUCK),
        (["Running"] * 3 + ["Failed"], {}, {}, GangState.STUCK),
        (["Running"] + ["Succeeded"] * 3, {}, {}, GangState.RUNNING),
        (["Running"] + ["Pending"] + ["Succeeded"] * 3, {}, {}, GangState.STUCK),
        (["Succeeded"] * 4, {}, {}, GangState.FINISHED),
        (["Pending"] * 4, {}, {}, GangState.QUEUED),
        ([], {}, {}, GangState.QUEUED),
        ([], {"active": False}, {}, GangState.SUSPENDED),
        ([], {}, FINISHED, GangState.FINISHED),
    ],
)
def test_a_gangs_state(phases: list[str], spec: Json, status: Json, state: GangState) -> None:
    train = job()
    workload = {**kueue_workload("w", owner=train, podSets=[{"count": 4}], **spec), "status": status}
    pods = [pod(f"p{i}", phase=phase, owner=train) for i, phase in enumerate(phases)]
    assert only_gang(train, workload, *pods).state is state


def test_a_running_pod_that_is_not_ready_counts_and_one_that_is_being_deleted_does_not() -> None:
    train = job(parallelism=2)
    leaving = pod("b", owner=train, meta={"deletionTimestamp": "2026-11-02T08:59:00Z"})
    gang = only_gang(train, pod("a", owner=train), leaving)
    assert (gang.state, [p.name for p in gang.running]) == (GangState.STUCK, ["a"])


def test_a_suspended_job_waits_when_it_is_queued_and_rests_when_it_is_not() -> None:
    queued, own = job(), job(queued=False, annotations={"watchkeeper.dev/gang": "true"})
    for one, state in ((queued, GangState.QUEUED), (own, GangState.SUSPENDED)):
        one["spec"]["suspend"] = True
        assert only_gang(one).state is state


def test_stuck_since_the_pod_went_missing_that_took_the_gang_below_its_minimum() -> None:
    gang = thing("watchkeeper.dev/v1alpha1", "Gang", "g", spec={"podSets": [{"count": 4, "minCount": 3}]})
    pods = [pod(f"p{i}", owner=gang) for i in range(2)]
    for i, minute in ((2, "08:10"), (3, "08:30")):
        late = pod(f"p{i}", phase="Pending", owner=gang, meta={"creationTimestamp": "2026-11-02T08:00:00Z"})
        late["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "lastTransitionTime": f"2026-11-02T{minute}:00Z",
            }
        ]
        pods.append(late)
    seen = only_gang(gang, *pods)
    assert (seen.state, seen.stuck_since) == (GangState.STUCK, datetime(2026, 11, 2, 8, 30, tzinfo=UTC))


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
