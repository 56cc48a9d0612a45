"""ResourceQuotas refuse pods in the API server's words and count what is there; classes give pods their priority."""

from typing import Any

import pytest
from test_behaviours import playing
from world_builders import at, deployment, job, node, pod, pod_names, pod_ref, ref, running, unschedulable, world

from agent.adapters.simulated.world import World

Json = dict[str, Any]
QUOTA = ref("v1", "ResourceQuota", "gpus")
WEB = ref("apps/v1", "Deployment", "web")


def quota(gpus: int, used: int | None = None, **spec: Any) -> Json:
    made: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus", "namespace": "a"},
        "spec": {"hard": {"requests.nvidia.com/gpu": str(gpus)}, **spec},
    }
    if used is not None:
        amounts = {"requests.nvidia.com/gpu": str(used)}
        made["status"] = {"hard": made["spec"]["hard"], "used": amounts}
    return made


def priority_class(name: str, value: int, **more: Any) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        **more,
    }


def used(made: World) -> str:
    return str(made.cluster.get(QUOTA)["status"]["used"]["requests.nvidia.com/gpu"])


def refusals(made: World) -> list[str]:
    return [each["message"] for each in made.cluster.list("v1", "Event") if each["reason"] == "FailedCreate"]


def later(made: World, *seconds: int) -> None:
    for each in seconds:
        made.advance_to(at(each))


def test_no_more_pods_than_the_quota_has_room_for_and_the_owner_is_told() -> None:
    made = world(node("n1"), quota(4), deployment("web", 0, gpus=2))
    made.cluster.scale(WEB, 3)
    later(made, 10)
    assert len(running(made)) == 2
    assert used(made) == "4"
    said = refusals(made)[0]
    assert said.startswith('Error creating: pods "web-')
    assert said.endswith(
        '" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=2, '
        "used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4"
    )


def test_when_room_comes_the_missing_pod_is_made() -> None:
    made = world(node("n1"), quota(4), deployment("web", 0, gpus=2), pod("other", "n1", gpus=2))
    made.cluster.scale(WEB, 2)
    later(made, 10)
    assert len(running(made)) == 2
    made.cluster.evict(pod_ref("other"))
    later(made, 30)
    assert len([name for name in running(made) if name.startswith("web")]) == 2


def test_a_raised_quota_lets_them_in() -> None:
    made = world(node("n1"), quota(2), deployment("web", 0, gpus=2))
    made.cluster.scale(WEB, 2)
    later(made, 10)
    made.apply(quota(8))
    later(made, 30)
    assert len(running(made)) == 2


def test_a_status_that_the_scenario_wrote_counts_until_pods_change() -> None:
    made = world(node("n1"), quota(8, used=8), deployment("web", 0, gpus=2))
    made.cluster.scale(WEB, 1)
    later(made, 10)
    assert running(made) == {} and used(made) == "8"


def test_what_has_ended_counts_no_more() -> None:
    train = job("train", 1, gpus=2)
    made = world(node("n1"), quota(2), train, pod("train-0", "n1", train, gpus=2))
    made.apply({**pod("late", gpus=1)})
    later(made, 1)
    assert used(made) == "3", "what the timeline makes is made"
    made.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "train-0", "namespace": "a"},
                "status": {"phase": "Succeeded"}})  # fmt: skip
    later(made, 5, 10)
    assert used(made) == "1"


def test_a_job_counts_only_the_pods_that_it_could_make() -> None:
    made = world(node("n1"), quota(2))
    made.apply(job("train", 3, gpus=2))
    made.advance_to(at(60))
    found = made.object(ref("batch/v1", "Job", "train")) or {}
    assert (found["status"]["active"], len(pod_names(made))) == (1, 1)


def test_a_quota_for_a_class_counts_only_its_pods() -> None:
    scope = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    made = world(node("n1"), quota(0, scopeSelector=scope), deployment("web", 0, gpus=2))
    made.cluster.scale(WEB, 1)
    later(made, 10)
    assert len(running(made)) == 1


@pytest.mark.parametrize(("named", "wanted"), [("high", 1000), (None, 10), ("system-node-critical", 2_000_001_000)])
def test_a_pod_has_the_priority_of_its_class(named: str | None, wanted: int) -> None:
    web = deployment("web", 0, gpus=1)
    if named:
        web["spec"]["template"]["spec"]["priorityClassName"] = named
    made = world(node("n1"), priority_class("high", 1000), priority_class("usual", 10, globalDefault=True), web)
    made.cluster.scale(WEB, 1)
    later(made, 10)
    (one,) = made.cluster.list("v1", "Pod")
    assert one["spec"]["priority"] == wanted


def test_of_the_pods_that_wait_the_higher_class_goes_first() -> None:
    low, high = unschedulable(pod("a-low", gpus=8)), unschedulable(pod("b-high", gpus=8))
    high["spec"]["priorityClassName"] = "high"
    made = world(low, high, priority_class("high", 1000))
    made.apply(node("n1"))
    later(made, 10)
    assert running(made) == {"b-high": "n1"}


def test_the_quota_is_told_to_prometheus() -> None:
    made = playing(node("n1"), quota(8, used=2))
    found = made.metrics.instant("kube_resourcequota", made.clock.now())
    assert {each.labels["type"]: each.points[0][1] for each in found} == {"hard": 8, "used": 2}
