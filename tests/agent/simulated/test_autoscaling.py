"""HorizontalPodAutoscalers: replicas follow a metric, within limits, tolerance and windows; conditions say why."""

from typing import Any

import pytest
from test_behaviours import playing, service
from world_builders import at, deployment, node, pod, ref, replica_set

from agent.adapters.simulated import autoscale
from agent.adapters.simulated.behaviour import LOAD
from agent.adapters.simulated.world import World

Json = dict[str, Any]
HPA = ref("autoscaling/v2", "HorizontalPodAutoscaler", "chat")
CHAT = ref("apps/v1", "Deployment", "chat")
WAITING: Json = {
    "type": "Pods",
    "pods": {"metric": {"name": "vllm_num_requests_waiting"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}


def autoscaler(least: int = 1, most: int = 4, *metrics: Json, **more: Any) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    limits = {"minReplicas": least, "maxReplicas": most, "metrics": list(metrics or (WAITING,)), **more}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "chat", "namespace": "a", "uid": "uid-hpa"},
        "spec": {"scaleTargetRef": target, **limits},
        "status": {"currentReplicas": 2, "desiredReplicas": 2},
    }


def replicas(made: World) -> int:
    return int(made.cluster.get(CHAT)["spec"]["replicas"])


def condition(made: World, kind: str) -> tuple[str, str]:
    said = next(each for each in made.cluster.get(HPA)["status"]["conditions"] if each["type"] == kind)
    return said["status"], said["reason"]


def load(made: World, requests: int) -> None:
    about = {"name": "chat", "namespace": "a", "annotations": {LOAD: str(requests)}}
    made.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about})


def until(made: World, seconds: int) -> None:
    for moment in range(int((made.clock.now() - at(0)).total_seconds()), seconds + 1, 15):
        made.advance_to(at(moment))


def test_waiting_requests_bring_replicas() -> None:
    """Two of room for eight, and 36 requests: ten wait at each, where five may."""
    made = playing(*service(36), autoscaler())
    until(made, 60)
    assert replicas(made) == 4
    assert condition(made, "ScalingLimited") == ("False", "DesiredWithinRange")
    events = [each["reason"] for each in made.cluster.list("v1", "Event")]
    assert "SuccessfulRescale" in events


def test_no_more_than_its_maximum_and_it_says_so() -> None:
    made = playing(*service(200), autoscaler(most=3))
    until(made, 60)
    assert replicas(made) == 3
    assert condition(made, "ScalingLimited") == ("True", "TooManyReplicas")
    assert made.cluster.get(HPA)["status"]["desiredReplicas"] == 3


def test_fewer_only_after_five_minutes_of_fewer() -> None:
    made = playing(*service(36, replicas=4), autoscaler(), until_s=0)
    load(made, 0)
    until(made, 270)
    assert replicas(made) == 4
    assert condition(made, "AbleToScale") == ("True", "ScaleDownStabilized")
    until(made, 330)
    assert replicas(made) == 1
    assert condition(made, "ScalingLimited") == ("True", "TooFewReplicas")


def test_a_higher_maximum_takes_effect_at_once() -> None:
    made = playing(*service(200), autoscaler(most=3))
    until(made, 60)
    made.cluster.patch(HPA, {"spec": {"maxReplicas": 6}})
    until(made, 90)
    assert replicas(made) == 6


def test_a_target_at_zero_is_nobodys_to_scale() -> None:
    made = playing(*service(200), autoscaler())
    made.cluster.scale(CHAT, 0)
    until(made, 60)
    assert replicas(made) == 0


def test_without_a_number_the_status_stays_as_written() -> None:
    made = playing(node("n1"), deployment("chat", 2, gpus=1), autoscaler())
    until(made, 600)
    assert made.cluster.get(HPA)["status"] == {"currentReplicas": 2, "desiredReplicas": 2}


def test_when_its_metric_vanishes_it_says_so_and_leaves_the_replicas() -> None:
    made = playing(*service(16, replicas=2), autoscaler())
    until(made, 30)
    made.drop_metrics(["vllm:num_requests_waiting"])
    until(made, 900)
    assert replicas(made) == 2
    assert condition(made, "ScalingActive") == ("False", "FailedGetPodsMetric")


@pytest.mark.parametrize(
    ("kind", "about", "wanted"),
    [
        ("External", {"target": {"type": "AverageValue", "averageValue": "10"}}, 4),
        ("External", {"target": {"type": "Value", "value": "20"}}, 4),
        ("Object", {"target": {"type": "Value", "value": "20"}, "describedObject": {"name": "chat"}}, 4),
        ("Object", {"target": {"type": "Value", "value": "20"}, "describedObject": {"name": "other"}}, 2),
    ],
)
def test_external_and_object_metrics_are_read_by_name(kind: str, about: Json, wanted: int) -> None:
    metric = {"type": kind, kind.lower(): {"metric": {"name": "queue_depth"}, **about}}
    made = playing(*service(0), autoscaler(1, 9, metric))
    made.set_metrics('queue_depth{namespace="a",service="chat"} 40\n')
    until(made, 20)  # one look: what stays twice its target doubles the replicas again and again
    assert replicas(made) == wanted


def test_cpu_is_counted_against_what_the_pods_ask_for() -> None:
    chat = deployment("chat", 1, gpus=1)
    owner = replica_set(chat)
    one = pod("chat-0", "n1", owner, gpus=1, **owner["spec"]["selector"]["matchLabels"])
    one["spec"] = {"nodeName": "n1", "containers": [{"name": "main", "resources": {"requests": {"cpu": "2"}}}]}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    made = playing(node("n1"), chat, owner, one, autoscaler(1, 9, cpu))
    made.set_metrics('container_cpu_usage_seconds_total{namespace="a",pod="chat-0",container="main"} 0\n', 1.9)
    until(made, 120)
    assert replicas(made) == 2


def test_a_tenth_beside_the_target_is_left_alone() -> None:
    assert autoscale.by_pods({"p": 10.9, "q": 10.9}, ["p", "q"], 2, 10) == 2
    assert autoscale.by_pods({"p": 11.5, "q": 11.5}, ["p", "q"], 2, 10) == 3


def test_a_pod_that_says_nothing_counts_against_the_change() -> None:
    assert autoscale.by_pods({"p": 15}, ["p", "q"], 2, 10) == 2, "idle, when more are asked for"
    assert autoscale.by_pods({"p": 2}, ["p", "q"], 2, 10) == 2, "at its target, when fewer are"
    assert autoscale.by_pods({"p": 50}, ["p", "q"], 2, 10) == 5
