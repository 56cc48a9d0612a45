"""RayJobs: a cluster of their own while they run, another one after they were suspended; the submitter ends them."""

from queued_kinds import ended, of_kind, only, ray_job, site
from world_builders import at, pod_names, pod_ref, ref, running

TRAIN = ref("ray.io/v1", "RayJob", "train")


def test_a_job_has_a_cluster_and_a_job_that_submits_it() -> None:
    made = site()
    made.apply(ray_job())
    made.advance_to(at(30))
    cluster = only(made, "RayCluster")
    assert cluster["status"]["state"] == "ready"
    nodes = [each["metadata"]["labels"].get("ray.io/node-type") for each in of_kind(made, "Pod")]
    assert sorted(each for each in nodes if each) == ["head", "worker", "worker"] and nodes.count(None) == 1
    status = made.cluster.get(TRAIN)["status"]
    assert (status["jobDeploymentStatus"], status["jobStatus"]) == ("Running", "RUNNING")
    assert status["rayClusterName"] == cluster["metadata"]["name"]


def test_suspended_it_gives_its_cluster_up_and_gets_another_one() -> None:
    made = site()
    made.apply(ray_job())
    made.advance_to(at(30))
    first = only(made, "RayCluster")["metadata"]["name"]
    made.cluster.patch(TRAIN, {"spec": {"suspend": True}})
    made.advance_to(at(60))
    assert pod_names(made) == [] and of_kind(made, "RayCluster") == []
    assert made.cluster.get(TRAIN)["status"]["jobDeploymentStatus"] == "Suspended"
    made.cluster.patch(TRAIN, {"spec": {"suspend": False}})
    made.advance_to(at(90))
    assert only(made, "RayCluster")["metadata"]["name"] != first
    assert len(running(made)) == 4


def test_a_ray_node_that_goes_is_replaced() -> None:
    made = site()
    made.apply(ray_job())
    made.advance_to(at(30))
    worker = next(name for name in running(made) if "-gpu-worker-" in name)
    made.cluster.evict(pod_ref(worker))
    made.advance_to(at(60))
    assert worker not in running(made) and len(running(made)) == 4


def test_it_is_over_when_its_submitter_is() -> None:
    made = site()
    made.apply({**ray_job(), "spec": {**ray_job()["spec"], "shutdownAfterJobFinishes": True}})
    made.advance_to(at(30))
    ended(made, next(name for name in running(made) if "-gpu-" not in name and "-head-" not in name))
    made.advance_to(at(60))
    status = made.cluster.get(TRAIN)["status"]
    assert (status["jobDeploymentStatus"], status["jobStatus"]) == ("Complete", "SUCCEEDED")
    assert of_kind(made, "RayCluster") == [] and running(made) == {}


def test_a_job_that_is_submitted_from_outside_has_no_submitter() -> None:
    made = site()
    made.apply({**ray_job(), "spec": {**ray_job()["spec"], "submissionMode": "HTTPMode"}})
    made.advance_to(at(30))
    assert of_kind(made, "Job") == [] and len(running(made)) == 3
