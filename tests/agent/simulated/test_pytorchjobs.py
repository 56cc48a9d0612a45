"""PyTorchJobs: a pod for each replica of each role; the master's end is the job's end."""

import pytest
from queued_kinds import ended, held, of_kind, pytorch_job, site
from world_builders import at, pod_names, pod_ref, ref, running

TRAIN = ref("kubeflow.org/v1", "PyTorchJob", "train")


def test_each_role_has_its_pods_by_name_and_label() -> None:
    made = site()
    made.apply(pytorch_job())
    made.advance_to(at(30))
    assert sorted(running(made)) == ["train-master-0", "train-worker-0", "train-worker-1"]
    labels = [each["metadata"]["labels"] for each in of_kind(made, "Pod")]
    assert [each["training.kubeflow.org/replica-type"] for each in labels] == ["master", "worker", "worker"]
    assert held(made.cluster.get(TRAIN)) == {"Created": "PyTorchJobCreated", "Running": "PyTorchJobRunning"}
    status = made.cluster.get(TRAIN)["status"]["replicaStatuses"]
    assert status == {"Master": {"active": 1}, "Worker": {"active": 2}}


def test_a_pod_that_is_evicted_is_made_anew_under_its_name() -> None:
    made = site()
    made.apply(pytorch_job())
    made.advance_to(at(30))
    old = made.cluster.get(pod_ref("train-worker-1"))["metadata"]["uid"]
    made.cluster.evict(pod_ref("train-worker-1"))
    made.advance_to(at(60))
    assert made.cluster.get(pod_ref("train-worker-1"))["metadata"]["uid"] != old
    assert len(running(made)) == 3


def test_it_has_succeeded_when_its_master_has() -> None:
    made = site()
    made.apply(pytorch_job())
    made.advance_to(at(30))
    ended(made, "train-master-0")
    made.advance_to(at(60))
    assert held(made.cluster.get(TRAIN))["Succeeded"] == "PyTorchJobSucceeded"
    assert pod_names(made) == ["train-master-0"], "what still ran is cleaned up"


@pytest.mark.parametrize(
    ("policy", "exit_code", "ends"), [("Never", 137, True), ("ExitCode", 1, True), ("ExitCode", 137, False)]
)
def test_a_failed_pod_fails_the_job_unless_its_exit_code_is_worth_a_retry(
    policy: str, exit_code: int, ends: bool
) -> None:
    made = site()
    made.apply(pytorch_job(policy=policy))
    made.advance_to(at(30))
    ended(made, "train-worker-0", "Failed", exit_code)
    made.cluster.patch(TRAIN, {"metadata": {"annotations": {"looked": "at"}}})  # a status that is told wakes nobody
    made.advance_to(at(60))
    assert ("Failed" in held(made.cluster.get(TRAIN))) is ends
    assert len(running(made)) == (0 if ends else 3)


def test_suspended_it_has_no_pods_and_says_so() -> None:
    made = site()
    made.apply(pytorch_job())
    made.advance_to(at(30))
    made.cluster.patch(TRAIN, {"spec": {"runPolicy": {"suspend": True}}})
    made.advance_to(at(60))
    assert pod_names(made) == []
    assert held(made.cluster.get(TRAIN)) == {"Created": "PyTorchJobCreated", "Suspended": "PyTorchJobSuspended"}
