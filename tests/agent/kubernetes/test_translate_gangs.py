"""Gangs: how many pods make one, which objects describe one and the same, and how one stands."""

from datetime import UTC, datetime

import pytest
from manifests_of_objects import Json, job, kueue_workload, only_gang, pod, thing, view

from agent.domain.cluster import GangState

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


def test_how_long_the_others_run_does_not_tell_since_when_a_pod_is_gone() -> None:
    """A moment later its successor may be there, and wait since then."""
    gang, since = (
        kueue_workload("w", podSets=[{"name": "a", "count": 3}]),
        {"creationTimestamp": "2026-11-02T06:00:00Z"},
    )
    others = [pod(f"p{i}", owner=gang, meta=since) for i in range(2)]
    seen = only_gang(gang, *others)
    assert (seen.state, seen.stuck_since) == (GangState.STUCK, None)
    said = {"type": "PodsReady", "status": "False", "lastTransitionTime": "2026-11-02T08:30:00Z"}
    gang["status"] = {"conditions": [said]}
    seen = only_gang(gang, *others)
    assert seen.stuck_since == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
