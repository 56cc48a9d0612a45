"""Whatever kind of job is queued: Kueue makes its Workload, admitted it runs whole, and it is requeued whole."""

from datetime import timedelta

import pytest
from queued_kinds import KINDS, ended, events, held, of_kind, only, plain_job, queued, site
from world_builders import KUEUE, at, pod, pod_names, ref, running, workload, world

from agent.actions.base import Occasion
from agent.actions.catalogue import CATALOGUE
from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView, GangState, ObjectRef


def view(made: World) -> ClusterView:
    return ClusterViews(made.cluster, made.clock).take()


def kueues(made: World) -> ObjectRef:
    return ref(KUEUE, "Workload", only(made, "Workload")["metadata"]["name"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_queued_job_gets_a_workload_and_runs_whole(kind: str) -> None:
    made = site()
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(60))
    gang = view(made).gangs[kueues(made)]
    assert gang.state is GangState.RUNNING
    assert gang.minimum == len(gang.running) == len(running(made)) >= 3
    assert gang.job is not None and gang.job.kind == kind
    assert gang.queue == "main" and gang.gpus_per_pod == 8
    assert held(only(made, "Workload")) == {
        "QuotaReserved": "QuotaReserved",
        "Admitted": "Admitted",
        "PodsReady": "Started",
    }
    assert {str(each.owner) for each in view(made).pods.values()} == {f"{kind}/a/train"}


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"LeaderWorkerSet"}))
def test_its_pods_say_which_workload_let_them_in(kind: str) -> None:
    made = site()
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(60))
    said = {each.annotations.get("kueue.x-k8s.io/workload") for each in view(made).pods.values()}
    assert said == {kueues(made).name}


@pytest.mark.parametrize("kind", KINDS)
def test_its_workload_is_named_as_kueue_names_it(kind: str) -> None:
    made = site()
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(1))
    found = only(made, "Workload")
    group = "-0" if kind == "LeaderWorkerSet" else ""
    assert found["metadata"]["name"].startswith(f"{kind.lower()}-train{group}-")
    assert len(found["metadata"]["name"].rpartition("-")[2]) == 5
    assert found["metadata"]["labels"]["kueue.x-k8s.io/job-uid"] == "uid-train"
    assert found["spec"]["queueName"] == "main"
    assert events(made, "CreatedWorkload")


@pytest.mark.parametrize("kind", KINDS)
def test_it_waits_without_pods_until_there_is_quota(kind: str) -> None:
    made = site(quota=8)
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(60))
    assert running(made) == {}
    assert view(made).gangs[kueues(made)].state is GangState.QUEUED
    assert held(only(made, "Workload")) == {}
    (said,) = [each for each in only(made, "Workload")["status"]["conditions"] if each["type"] == "QuotaReserved"]
    assert said["reason"] == "Pending" and "maximum capacity (8)" in said["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_names_no_queue_is_left_alone(kind: str) -> None:
    made = site()
    made.apply(KINDS[kind]())
    made.advance_to(at(60))
    assert of_kind(made, "Workload") == []
    assert len(running(made)) >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_requeued_by_the_agents_hand_it_comes_back_whole_elsewhere(kind: str) -> None:
    made = site()
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(60))
    before = {each["metadata"]["uid"] for each in of_kind(made, "Pod")}
    left = sorted(running(made).values())[0]
    made.cluster.patch(ref("v1", "Node", left, None), {"spec": {"unschedulable": True}})
    requeue(made)
    gang = view(made).gangs[kueues(made)]
    assert gang.state is GangState.RUNNING
    assert left not in running(made).values()
    assert not before & {each["metadata"]["uid"] for each in of_kind(made, "Pod")}


def requeue(made: World, **parameters: object) -> None:
    """What the executor does with the action's steps: each in turn, the pods waited for in between."""
    action = CATALOGUE["requeue_gang"]
    params = action.parameters.model_validate(parameters)
    assert action.refuse(kueues(made), params, view(made)) is None
    occasion = Occasion(proposal="p", incident="i", cause="a node is sick")
    for step in action.steps(kueues(made), params, view(made), occasion):
        if step.wait_for is not None:
            made.advance_to(made.clock.now() + timedelta(seconds=10))
            assert not {each["metadata"]["uid"] for each in of_kind(made, "Pod")} & set(step.wait_for.pods)
        made.cluster.patch(step.target, step.body)
    made.advance_to(made.clock.now() + timedelta(seconds=60))


@pytest.mark.parametrize("kind", ["Job", "JobSet", "PyTorchJob", "RayJob"])
def test_a_requeued_job_is_kept_off_nodes_through_its_template(kind: str) -> None:
    made = site()
    made.apply(queued(KINDS[kind]()))
    made.advance_to(at(60))
    left = sorted(running(made).values())[0]
    requeue(made, exclude_nodes=[left])
    assert len(running(made)) >= 3 and left not in running(made).values()


def test_a_workload_that_the_scenario_wrote_is_the_jobs_own() -> None:
    made = site(quota=16)
    train = queued(plain_job(pods=2))
    made.apply(workload("by-hand", train, admitted=False))
    made.apply(train)
    made.advance_to(at(60))
    assert [each["metadata"]["name"] for each in of_kind(made, "Workload")] == ["by-hand"]


def test_so_is_one_without_an_owner_but_with_the_jobs_name() -> None:
    made = site()
    by_name = workload("job-train-abcde", queued(plain_job()), admitted=False)
    del by_name["metadata"]["ownerReferences"]
    made.apply(by_name)
    made.apply(queued(plain_job()))
    made.advance_to(at(60))
    assert len(of_kind(made, "Workload")) == 1
    made.cluster.patch(ref(KUEUE, "Workload", "job-train-abcde"), {"spec": {"active": False}})
    made.advance_to(at(90))
    assert pod_names(made) == []


def test_the_initial_jobs_are_as_they_are_told() -> None:
    made = site(queued(plain_job()))
    made.advance_to(at(60))
    assert of_kind(made, "Workload") == [] and pod_names(made) == []


def test_a_finished_job_gives_its_quota_back() -> None:
    made = site(quota=24)
    made.apply(queued(plain_job("first")))
    made.apply(queued(plain_job("second")))
    made.advance_to(at(60))
    assert {name.partition("-")[0] for name in running(made)} == {"first"}
    for name in running(made):
        ended(made, name)
    made.advance_to(at(120))
    assert {name.partition("-")[0] for name in running(made)} == {"second"}
    assert ["Finished" in held(each) for each in of_kind(made, "Workload")] == [True, False]


def test_priority_comes_from_kueues_class_and_else_from_the_pods() -> None:
    classes = (
        {"apiVersion": KUEUE, "kind": "WorkloadPriorityClass", "metadata": {"name": "urgent"}, "value": 1000},
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "usual"},
            "value": 10,
            "globalDefault": True,
        },
    )
    made = site(*classes)
    made.apply(queued(plain_job("first"), **{"kueue.x-k8s.io/priority-class": "urgent"}))
    made.apply(queued(plain_job("second")))
    made.advance_to(at(1))
    assert [each["spec"]["priority"] for each in of_kind(made, "Workload")] == [1000, 10]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_cluster_is_found_with_is_requeued_like_what_came_later(kind: str) -> None:
    """The objects of one world as the initial objects of another: nobody has seen them come."""
    first = site()
    first.apply(queued(KINDS[kind]()))
    first.advance_to(at(60))
    made = world(*(each for each in first.objects() if each["kind"] != "Event"))
    made.advance_to(at(30))
    assert running(made) == running(first)
    left = sorted(running(made).values())[0]
    made.cluster.patch(ref("v1", "Node", left, None), {"spec": {"unschedulable": True}})
    requeue(made)
    assert view(made).gangs[kueues(made)].state is GangState.RUNNING
    assert left not in running(made).values() and len(running(made)) == len(running(first))


def test_a_job_that_comes_in_the_middle_of_its_life_goes_on() -> None:
    """Job first, then its pods, then its Workload, all in one moment, as a timeline tells them."""
    made = site()
    train = queued(plain_job(pods=2))
    for each in (
        {**train, "status": {"active": 2, "ready": 2}},
        pod("train-0", "n1", train),
        pod("train-1", "n2", train),
        workload("job-train-abcde", train),
    ):
        made.apply(each)
        made.advance_to(at(1))
    made.advance_to(at(60))
    assert running(made) == {"train-0": "n1", "train-1": "n2"}
    assert only(made, "Workload")["metadata"]["name"] == "job-train-abcde"


def test_a_workload_that_the_scenario_brings_late_takes_the_place_of_ours() -> None:
    made = site()
    train = queued(plain_job(pods=2))
    made.apply(train)
    made.advance_to(at(1))
    made.apply(workload("by-hand", train, admitted=False))
    made.advance_to(at(60))
    assert only(made, "Workload")["metadata"]["name"] == "by-hand"
    assert len(running(made)) == 2
