"""Deployments, StatefulSets, Notebooks and Jobs: pods follow what their owners say."""

from typing import Any

import pytest
from world_builders import (
    at,
    deployment,
    job,
    node,
    owned_by,
    pod,
    pod_names,
    pod_ref,
    ref,
    replica_set,
    running,
    template,
    world,
)

from agent.adapters.simulated.world import World

WEB = ref("apps/v1", "Deployment", "web")
STATEFUL = ref("apps/v1", "StatefulSet", "db")
NOTEBOOK = ref("kubeflow.org/v1", "Notebook", "nb")
JOB = ref("batch/v1", "Job", "train")


def web(replicas: int = 2, gpus: int = 2, spare: int = 1) -> World:
    made = deployment("web", replicas, gpus)
    rs = replica_set(made)
    members = [pod(f"web-1-{index}", "n1", rs, gpus, app="web") for index in range(replicas)]
    return world(*[node(f"n{index}") for index in range(1, spare + 2)], made, rs, *members)


def status(made: World) -> dict[str, Any]:
    return dict(made.cluster.get(WEB)["status"])


def test_a_deployment_scaled_to_zero_and_back() -> None:
    made = web()
    made.cluster.scale(WEB, 0)
    made.advance_to(at(10))
    assert pod_names(made) == []
    assert "readyReplicas" not in status(made) and status(made)["observedGeneration"] == 2
    made.cluster.scale(WEB, 2)
    made.advance_to(at(30))
    assert len(running(made)) == 2
    assert status(made)["readyReplicas"] == 2
    assert [each["metadata"]["name"] for each in made.cluster.list("apps/v1", "ReplicaSet")] == ["web-1"]


@pytest.mark.parametrize("owner", ["the deployment itself", "a ReplicaSet that is not there"])
def test_pods_of_a_deployment_without_its_replica_set_are_adopted(owner: str) -> None:
    made = deployment("web", 2, 2)
    above = made if owner == "the deployment itself" else replica_set(made)
    members = [pod(f"web-{index}", "n1", above, 2, app="web") for index in (0, 1)]
    tested = world(node("n1"), made, *members)
    tested.cluster.patch(WEB, {"metadata": {"annotations": {"seen": "yes"}}})
    tested.advance_to(at(10))
    assert pod_names(tested) == ["web-0", "web-1"]
    tested.cluster.scale(WEB, 0)
    tested.advance_to(at(20))
    assert pod_names(tested) == []


def test_a_restart_rolls_without_ever_serving_less() -> None:
    made = web(replicas=4)
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-11-02T09:00:00Z"}
    made.cluster.patch(WEB, {"spec": {"template": {"metadata": {"annotations": stamp}}}})
    least = 4
    for second in range(1, 121):
        made.advance_to(at(second))
        least = min(least, len(running(made)))
    assert least == 3, "a quarter may be missing"
    assert len(running(made)) == 4
    assert not any(name.startswith("web-1-") for name in pod_names(made))
    revisions = {
        each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: each["spec"]["replicas"]
        for each in made.cluster.list("apps/v1", "ReplicaSet")
    }
    assert revisions == {"1": 0, "2": 4}


def test_a_rollback_goes_back_to_the_replica_set_it_had() -> None:
    made = web()
    before = made.cluster.get(WEB)["spec"]["template"]
    made.cluster.patch(WEB, {"spec": {"template": {"metadata": {"annotations": {"bad": "release"}}}}})
    made.advance_to(at(60))
    assert not any(name.startswith("web-1-") for name in running(made))
    made.cluster.patch(WEB, {"spec": {"template": {"metadata": {"annotations": None}}}})
    assert made.cluster.get(WEB)["spec"]["template"] == before
    made.advance_to(at(120))
    assert all(name.startswith("web-1-") for name in running(made)) and len(running(made)) == 2
    back = made.cluster.get(ref("apps/v1", "ReplicaSet", "web-1"))["metadata"]["annotations"]
    told = made.cluster.get(WEB)["metadata"]["annotations"]
    assert [each["deployment.kubernetes.io/revision"] for each in (back, told)] == ["3", "3"]


def test_recreate_stops_the_old_before_it_starts_the_new() -> None:
    made = web()
    made.cluster.patch(
        WEB, {"spec": {"strategy": {"type": "Recreate"}, "template": {"metadata": {"annotations": {"n": "2"}}}}}
    )
    made.advance_to(at(3))
    assert running(made) == {}
    made.advance_to(at(30))
    assert len(running(made)) == 2


def test_an_evicted_replica_comes_back_elsewhere() -> None:
    made = web()
    made.cluster.patch(ref("v1", "Node", "n1", None), {"spec": {"unschedulable": True}})
    made.advance_to(at(60))
    assert set(running(made).values()) == {"n1"}, "pods on a cordoned node stay"
    made.cluster.evict(pod_ref("web-1-0"))
    made.advance_to(at(90))
    assert sorted(running(made).values()) == ["n1", "n2"]


def test_a_deleted_deployment_takes_everything_along() -> None:
    made = web()
    made.delete(WEB)
    made.advance_to(at(10))
    assert pod_names(made) == [] and made.cluster.list("apps/v1", "ReplicaSet") == []


def test_what_has_another_owner_left_stays() -> None:
    shared = pod("p", "n1", deployment("web", 0))
    shared["metadata"]["ownerReferences"] += owned_by(job("train", 1, suspend=True))
    made = world(node("n1"), deployment("web", 0), job("train", 1, suspend=True), shared)
    made.delete(WEB)
    made.advance_to(at(30))
    assert pod_names(made) == ["p"]


def stateful(replicas: int = 2) -> dict[str, Any]:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "db"}}, "template": template(2, app="db")}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "a"}, "spec": spec}


def database() -> World:
    return world(node("n1"), stateful(), *[pod(f"db-{index}", "n1", stateful(), 2, app="db") for index in (0, 1)])


def test_a_stateful_set_shrinks_from_the_top_and_grows_under_the_same_names() -> None:
    made = database()
    made.cluster.scale(STATEFUL, 1)
    made.advance_to(at(10))
    assert pod_names(made) == ["db-0"]
    made.cluster.scale(STATEFUL, 3)
    made.advance_to(at(30))
    assert sorted(running(made)) == ["db-0", "db-1", "db-2"]


def test_a_stateful_set_is_restarted_one_pod_at_a_time() -> None:
    made = database()
    before = {each["metadata"]["uid"] for each in made.cluster.list("v1", "Pod")}
    made.cluster.patch(STATEFUL, {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}})
    least = 2
    for second in range(1, 61):
        made.advance_to(at(second))
        least = min(least, len(running(made)))
    assert least == 1
    assert sorted(running(made)) == ["db-0", "db-1"]
    assert not before & {each["metadata"]["uid"] for each in made.cluster.list("v1", "Pod")}


def notebook() -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "metadata": {"name": "nb", "namespace": "a"},
        "spec": {"template": template(2, app="nb")},
    }


def notebook_world(shape: str) -> World:
    nb = notebook()
    sts = stateful(1)
    sts["metadata"] = {"name": "nb", "namespace": "a", "ownerReferences": owned_by(nb)}
    match shape:
        case "with its StatefulSet":
            return world(node("n1"), nb, sts, pod("nb-0", "n1", sts, 2))
        case "pod under the Notebook":
            return world(node("n1"), nb, pod("nb-0", "n1", nb, 2))
        case "pod under a StatefulSet that is not there":
            return world(node("n1"), nb, pod("nb-0", "n1", sts, 2))
    return world(node("n1"), nb, pod("nb-0", "n1", None, 2, **{"notebook-name": "nb"}))


@pytest.mark.parametrize(
    "shape",
    [
        "with its StatefulSet",
        "pod under the Notebook",
        "pod under a StatefulSet that is not there",
        "pod known by its label",
    ],
)
def test_a_notebook_is_stopped_and_restored(shape: str) -> None:
    made = notebook_world(shape)
    made.cluster.patch(NOTEBOOK, {"metadata": {"annotations": {"note": "idle"}}})
    made.advance_to(at(10))
    assert list(running(made)) == ["nb-0"], "a note changes nothing"
    made.cluster.patch(NOTEBOOK, {"metadata": {"annotations": {"kubeflow-resource-stopped": "2026-11-02T09:00:00Z"}}})
    made.advance_to(at(20))
    assert pod_names(made) == []
    made.cluster.patch(NOTEBOOK, {"metadata": {"annotations": {"kubeflow-resource-stopped": None}}})
    made.advance_to(at(40))
    assert list(running(made)) == ["nb-0"]
    assert made.cluster.get(NOTEBOOK)["status"]["readyReplicas"] == 1


def test_a_job_is_suspended_and_resumed() -> None:
    train = job("train", 2)
    made = world(node("n1"), node("n2"), train, pod("t-0", "n1", train), pod("t-1", "n2", train))
    made.cluster.patch(JOB, {"spec": {"suspend": True}})
    made.advance_to(at(10))
    assert pod_names(made) == []
    assert made.cluster.get(JOB)["status"]["conditions"][0]["reason"] == "JobSuspended"
    made.cluster.patch(JOB, {"spec": {"suspend": False}})
    made.advance_to(at(30))
    indexes = [
        e["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for e in made.cluster.list("v1", "Pod")
    ]
    assert indexes == ["0", "1"]
    assert made.cluster.get(JOB)["status"]["ready"] == 2


def test_a_new_job_starts_and_completes() -> None:
    made = world(node("n1"), node("n2"))
    made.apply(job("train", 2))
    made.advance_to(at(10))
    names = sorted(running(made))
    for name in names:
        made.apply({**pod(name), "spec": {}, "status": {"phase": "Succeeded"}})
    made.advance_to(at(20))
    assert made.cluster.get(JOB)["status"]["conditions"][0]["type"] == "Complete"
    assert pod_names(made) == names


def test_a_job_whose_pods_keep_failing_gives_up() -> None:
    made = world(node("n1"))
    made.apply(job("train", 1, backoffLimit=1))
    for second in (10, 20):
        made.advance_to(at(second))
        made.cluster.patch(pod_ref(next(iter(running(made)))), {"status": {"phase": "Failed"}}, subresource="status")
    made.advance_to(at(60))
    said = made.cluster.get(JOB)["status"]["conditions"]
    assert [(each["type"], each["reason"]) for each in said] == [("Failed", "BackoffLimitExceeded")]
    assert running(made) == {}
