"""Native PodGroups: placed whole or not at all, and the condition that tells of the first time."""

from queued_kinds import site
from world_builders import Json, at, job, ref, running, template

GROUP = ref("scheduling.k8s.io/v1alpha2", "PodGroup", "train")


def group(minimum: int) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": "train", "namespace": "a"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": minimum}}},
    }


def grouped(pods: int) -> Json:
    linked = template()
    return job("train", pods) | {
        "spec": {
            **job("train", pods)["spec"],
            "template": {**linked, "spec": {**linked["spec"], "schedulingGroup": {"podGroupName": "train"}}},
        }
    }


def test_a_group_that_fits_is_scheduled_whole() -> None:
    made = site(nodes=3)
    made.apply(group(3))
    made.apply(grouped(3))
    made.advance_to(at(30))
    assert len(running(made)) == 3
    (said,) = made.cluster.get(GROUP)["status"]["conditions"]
    assert (said["type"], said["status"]) == ("PodGroupInitiallyScheduled", "True")


def test_one_that_does_not_starts_nobody_and_says_so() -> None:
    made = site(nodes=2)
    made.apply(group(3))
    made.apply(grouped(3))
    made.advance_to(at(30))
    assert running(made) == {}
    (said,) = made.cluster.get(GROUP)["status"]["conditions"]
    assert (said["status"], said["reason"]) == ("False", "Unschedulable")


def test_what_was_scheduled_once_stays_said() -> None:
    made = site(nodes=3)
    made.apply(group(3))
    made.apply(grouped(3))
    made.advance_to(at(30))
    made.delete(ref("v1", "Node", "n1", None))
    made.advance_to(at(60))
    assert len(running(made)) < 3
    (said,) = made.cluster.get(GROUP)["status"]["conditions"]
    assert said["status"] == "True"
