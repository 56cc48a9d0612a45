"""TrainJobs: a JobSet from the runtime, the numbers from the trainer, and one end for both."""

from queued_kinds import ended, held, of_kind, only, site, train_job
from world_builders import Json, at, ref, running, template

from agent.actions.catalogue import CATALOGUE
from agent.adapters.kubernetes.views import ClusterViews

TRAIN = ref("trainer.kubeflow.org/v1alpha1", "TrainJob", "train")


def runtime(**spec: object) -> Json:
    step = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}}
    work = {"spec": {"backoffLimit": 0, "template": template()}}
    jobs = [{"name": "initializer", "template": work}, {"name": "node", "template": {**step, **work}}]
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": "torch-distributed"},
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": jobs, **spec}}},
    }


def test_its_pods_come_by_way_of_a_jobset_and_its_jobs() -> None:
    made = site()
    made.apply(train_job(pods=2))
    made.advance_to(at(30))
    assert only(made, "JobSet")["metadata"]["ownerReferences"][0]["kind"] == "TrainJob"
    assert only(made, "Job")["metadata"]["name"] == "train-node-0"
    assert {each["spec"]["containers"][0]["image"] for each in of_kind(made, "Pod")} == {"train:1"}
    assert len(running(made)) == 2


def test_the_runtimes_other_steps_stay_as_they_are() -> None:
    made = site(runtime())
    made.apply(train_job(pods=3))
    made.advance_to(at(30))
    counts = {each["metadata"]["name"]: each["spec"].get("parallelism", 1) for each in of_kind(made, "Job")}
    assert counts == {"train-initializer-0": 1, "train-node-0": 3}


def test_suspended_it_says_so_and_so_does_its_jobset() -> None:
    made = site()
    made.apply(train_job())
    made.advance_to(at(30))
    made.cluster.patch(TRAIN, {"spec": {"suspend": True}})
    made.advance_to(at(60))
    assert running(made) == {}
    assert held(made.cluster.get(TRAIN)) == {"Suspended": "Suspended"}
    made.cluster.patch(TRAIN, {"spec": {"suspend": False}})
    made.advance_to(at(90))
    assert len(running(made)) == 3
    (said,) = made.cluster.get(TRAIN)["status"]["conditions"]
    assert (said["status"], said["reason"], said["message"]) == ("False", "Resumed", "TrainJob is resumed")


def test_what_suspends_its_jobset_alone_is_undone() -> None:
    made = site()
    made.apply(train_job())
    made.advance_to(at(30))
    made.cluster.patch(ref("jobset.x-k8s.io/v1alpha2", "JobSet", "train"), {"spec": {"suspend": True}})
    made.advance_to(at(60))
    assert len(running(made)) == 3


def test_it_is_complete_when_all_its_jobs_are() -> None:
    made = site()
    made.apply(train_job())
    made.advance_to(at(30))
    for name in running(made):
        ended(made, name)
    made.advance_to(at(60))
    assert held(made.cluster.get(TRAIN))["Complete"] == "AllJobsCompleted"
    assert made.cluster.get(TRAIN)["status"]["jobsStatus"][0]["succeeded"] == 1


def test_its_jobset_is_not_requeued_under_its_hands() -> None:
    made = site()
    made.apply(train_job())
    made.advance_to(at(30))
    action, jobset = CATALOGUE["requeue_gang"], ref("jobset.x-k8s.io/v1alpha2", "JobSet", "train")
    refusal = action.refuse(jobset, action.parameters(), ClusterViews(made.cluster, made.clock).take())
    assert refusal is not None and refusal.code == "precondition.owned_by_controller"
    assert "TrainJob/train drives JobSet/a/train" in refusal.message
