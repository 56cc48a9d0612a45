"""InferenceServices in RawDeployment mode: what they own, how they stop, and how they grow."""

from typing import Any

import pytest
from test_behaviours import playing
from world_builders import at, deployment, node, owned_by, pod, ref, replica_set, running, world

from agent.adapters.simulated.behaviour import CAPACITY, LOAD
from agent.adapters.simulated.world import World

Json = dict[str, Any]
LLAMA = ref("serving.kserve.io/v1beta1", "InferenceService", "llama")


def service(least: int | None = 1, most: int = 1, **predictor: Any) -> Json:
    asked = {"limits": {"nvidia.com/gpu": "1"}}
    limits = {"minReplicas": least, "maxReplicas": most} if least is not None else {"maxReplicas": most}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "llama", "namespace": "a", "uid": "uid-llama"},
        "spec": {"predictor": {**limits, "model": {"image": "vllm:1", "resources": asked}, **predictor}},
    }


def applied(manifest: Json, **more: Any) -> World:
    made = playing(node("n1"), **more)
    made.apply(manifest)
    until(made, 15)
    return made


def until(made: World, seconds: int) -> None:
    for moment in range(int((made.clock.now() - at(0)).total_seconds()), seconds + 1, 15):
        made.advance_to(at(moment))


def condition(made: World, kind: str) -> str:
    said = made.cluster.get(LLAMA)["status"]["conditions"]
    return str(next(each["status"] for each in said if each["type"] == kind))


def test_it_owns_a_deployment_whose_pods_serve_the_model() -> None:
    made = applied(service(2, 2))
    assert list(running(made).values()) == ["n1", "n1"]
    (one, _) = made.cluster.list("v1", "Pod")
    assert one["spec"]["containers"][0] == {
        "name": "kserve-container",
        "image": "vllm:1",
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
    }
    assert [each["metadata"]["name"] for each in made.cluster.list("apps/v1", "Deployment")] == ["llama-predictor"]
    assert condition(made, "Ready") == "True"


def test_a_minimum_of_zero_stops_it_and_the_old_one_brings_it_back() -> None:
    made = applied(service(2, 2))
    made.cluster.patch(LLAMA, {"spec": {"predictor": {"minReplicas": 0}}})
    until(made, 30)
    assert running(made) == {}
    assert condition(made, "Stopped") == "True"
    made.cluster.patch(LLAMA, {"spec": {"predictor": {"minReplicas": 2}}})
    until(made, 60)
    assert len(running(made)) == 2
    assert condition(made, "Stopped") == "False"


@pytest.mark.parametrize("owner", ["the service", "a ReplicaSet that is not there"])
def test_pods_of_a_scenario_without_the_deployment_stop_too(owner: str) -> None:
    above = service() if owner == "the service" else replica_set(deployment("llama-predictor", 1))
    bare = pod("llama-0", "n1", above, gpus=1, **{"serving.kserve.io/inferenceservice": "llama"})
    made = world(node("n1"), service(), bare)
    made.cluster.patch(LLAMA, {"spec": {"predictor": {"minReplicas": 0}}})
    until(made, 30)
    assert made.cluster.list("v1", "Pod") == []
    assert made.cluster.list("apps/v1", "Deployment") == []


def test_a_deployment_of_the_scenario_is_taken_whatever_its_name() -> None:
    owned = deployment("llama-predictor-default", 1, gpus=1)
    owned["metadata"]["ownerReferences"] = owned_by(service())
    made = world(node("n1"), service(), owned)
    made.cluster.patch(LLAMA, {"spec": {"predictor": {"minReplicas": 3, "maxReplicas": 3}}})
    until(made, 30)
    assert len(running(made)) == 3
    assert len(made.cluster.list("apps/v1", "Deployment")) == 1


def test_under_load_it_grows_to_its_maximum() -> None:
    metric = {"type": "PodMetric", "podmetric": {"metric": {"backend": "prometheus",
              "metricNames": ["vllm:num_requests_waiting"]}, "target": {"type": "Value", "value": "4"}}}  # fmt: skip
    busy = service(1, 3, autoScaling={"metrics": [metric]})
    busy["metadata"]["annotations"] = {LOAD: "100", CAPACITY: "8"}
    made = applied(busy)
    until(made, 120)
    assert len(running(made)) == 3
    (scaler,) = made.cluster.list("autoscaling/v2", "HorizontalPodAutoscaler")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 3)
    made.cluster.patch(LLAMA, {"spec": {"predictor": {"maxReplicas": 5}}})
    until(made, 180)
    assert len(running(made)) == 5
