"""Nodes that fail, nodes that leave, and budgets that say how many pods may go."""

from typing import Any

import pytest
from world_builders import (
    at,
    deployment,
    job,
    node,
    pinned,
    pod,
    pod_names,
    pod_ref,
    ref,
    replica_set,
    running,
    world,
)

from agent.adapters.simulated.world import World
from agent.ports import TooManyRequests

N1 = ref("v1", "Node", "n1", None)


def says_ready(name: str, status: str) -> dict[str, Any]:
    return {**node(name), "status": {"conditions": [{"type": "Ready", "status": status}]}}


def test_pods_of_a_node_that_fails_are_not_ready_and_after_a_while_given_up() -> None:
    train = job("train", 1)
    made = world(node("n1"), node("n2"), train, pod("t", "n1", train))
    made.apply(says_ready("n1", "Unknown"))
    made.advance_to(at(60))
    assert running(made) == {} and pod_names(made) == ["t"]
    made.advance_to(at(320))
    assert list(running(made).values()) == ["n2"]


def test_pods_of_a_node_that_comes_back_in_time_are_ready_again() -> None:
    made = world(node("n1"), pod("p", "n1"), pod("sick", "n1"))
    made.apply({**pod("sick"), "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Crash"}]}})
    made.apply(says_ready("n1", "False"))
    made.advance_to(at(60))
    made.apply(says_ready("n1", "True"))
    made.advance_to(at(600))
    assert running(made) == {"p": "n1"}, "what was sick before stays so"


def test_a_node_that_fails_again_is_given_the_whole_time_again() -> None:
    made = world(node("n1"), pod("p", "n1"))
    for second, status in ((0, "False"), (60, "True"), (200, "False")):
        made.advance_to(at(second))
        made.apply(says_ready("n1", status))
    made.advance_to(at(499))
    assert pod_names(made) == ["p"]
    made.advance_to(at(505))
    assert pod_names(made) == []


def test_a_pod_bound_to_a_node_that_fails_starts_when_it_is_back() -> None:
    made = world(node("n1"), pod("p"))
    made.advance_to(at(1))
    made.apply(says_ready("n1", "False"))
    made.advance_to(at(60))
    assert running(made) == {} and made.cluster.get(pod_ref("p"))["spec"]["nodeName"] == "n1"
    made.apply(says_ready("n1", "True"))
    made.advance_to(at(70))
    assert running(made) == {"p": "n1"}


def test_a_pinned_pod_is_ready_even_where_its_node_is_not() -> None:
    made = world(node("n1"), pinned(pod("p", "n1")))
    made.apply(says_ready("n1", "False"))
    made.advance_to(at(600))
    assert running(made) == {"p": "n1"}


def test_a_node_that_was_not_ready_from_the_start_harms_nobody() -> None:
    dead = node("n1")
    dead["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    made = world(dead, pod("p", "n1"))
    made.advance_to(at(3600))
    assert running(made) == {"p": "n1"}


def test_a_node_that_is_deleted_takes_its_pods_along() -> None:
    made = world(node("n1"), node("n2"), pod("p", "n1"), pod("q", "n2"))
    made.delete(N1)
    made.advance_to(at(10))
    assert pod_names(made) == ["q"]


def test_nothing_is_placed_where_it_may_not_go() -> None:
    tainted = node("n2")
    tainted["spec"] = {"taints": [{"key": "gpu-fault", "effect": "NoSchedule"}]}
    closed = node("n3")
    closed["spec"] = {"unschedulable": True}
    made = world(node("n1", gpus=4), tainted, closed, node("n4", Ready="False"), pod("p"))
    made.advance_to(at(60))
    assert running(made) == {}


# -- budgets -------------------------------------------------------------------------------------------------------


def budget(**spec: Any) -> dict[str, Any]:
    said = spec.pop("status", None)
    made: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep", "namespace": "a"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }
    return made if said is None else {**made, "status": said}


def guarded(replicas: int = 3, **spec: Any) -> World:
    web = deployment("web", replicas, 2)
    rs = replica_set(web)
    members = [pod(f"web-{index}", "n1", rs, 2, app="web") for index in range(replicas)]
    return world(node("n1"), web, rs, *members, budget(**spec))


@pytest.mark.parametrize(
    ("spec", "may_go"),
    [
        ({"minAvailable": 3}, 0),
        ({"minAvailable": 2}, 1),
        ({"minAvailable": "50%"}, 1),
        ({"minAvailable": "34%"}, 1),
        ({"minAvailable": "33%"}, 2),
        ({"maxUnavailable": 0}, 0),
        ({"maxUnavailable": 2}, 2),
        ({"maxUnavailable": "10%"}, 1),
        ({"minAvailable": 0, "status": {"disruptionsAllowed": 0}}, 0),
        ({"minAvailable": 3, "status": {"disruptionsAllowed": 1}}, 1),
    ],
)
def test_how_many_pods_a_budget_lets_go(spec: dict[str, Any], may_go: int) -> None:
    made = guarded(**spec)
    gone = 0
    for index in range(3):
        try:
            made.cluster.evict(pod_ref(f"web-{index}"))
            gone += 1
        except TooManyRequests:
            break
    assert gone == may_go


def test_a_budget_lets_the_next_go_once_the_replacement_serves() -> None:
    made = guarded(maxUnavailable=1)
    made.cluster.evict(pod_ref("web-0"))
    for second in (1, 4):
        made.advance_to(at(second))
        with pytest.raises(TooManyRequests):
            made.cluster.evict(pod_ref("web-1"))
    made.advance_to(at(30))
    made.cluster.evict(pod_ref("web-1"))


def test_what_serves_nobody_may_always_go() -> None:
    made = guarded(minAvailable=3)
    made.apply({**pod("web-0"), "status": {"phase": "Pending"}})
    made.cluster.evict(pod_ref("web-0"))


def test_a_share_is_of_what_the_owner_wants_not_of_what_is_on_its_way_out() -> None:
    made = guarded(replicas=4, minAvailable="50%")
    made.cluster.evict(pod_ref("web-0"))
    made.advance_to(at(1))
    made.cluster.evict(pod_ref("web-1"))
    with pytest.raises(TooManyRequests):
        made.cluster.evict(pod_ref("web-2"))
