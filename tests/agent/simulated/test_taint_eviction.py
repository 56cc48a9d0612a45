"""A NoExecute taint sends off who does not tolerate it, at once or when their time is over."""

from typing import Any

from world_builders import at, job, node, pod, pod_names, running, world

MAINTENANCE = {"key": "example.com/maintenance", "value": "power", "effect": "NoExecute"}


def tainted(name: str, *taints: dict[str, Any]) -> dict[str, Any]:
    return {**node(name), "spec": {"taints": list(taints)}}


def tolerant(name: str, on: str, **more: Any) -> dict[str, Any]:
    manifest = pod(name, on)
    manifest["spec"]["tolerations"] = [{"key": "example.com/maintenance", "operator": "Exists", **more}]
    return manifest


def test_pods_leave_at_once_and_are_made_anew_elsewhere() -> None:
    train = job("train", 1)
    made = world(node("n1"), node("n2"), train, pod("t", "n1", train))
    made.apply(tainted("n1", MAINTENANCE))
    made.advance_to(at(30))
    assert list(running(made).values()) == ["n2"]


def test_who_tolerates_it_stays_and_who_does_for_a_while_leaves_then() -> None:
    made = world(node("n1"), tolerant("ever", "n1"), tolerant("while", "n1", tolerationSeconds=60), pod("plain", "n1"))
    made.apply(tainted("n1", MAINTENANCE))
    made.advance_to(at(50))
    assert sorted(pod_names(made)) == ["ever", "while"]
    made.advance_to(at(70))
    assert pod_names(made) == ["ever"]


def test_a_taint_that_was_taken_back_evicts_nobody_later() -> None:
    made = world(node("n1"), tolerant("while", "n1", tolerationSeconds=60))
    made.apply(tainted("n1", MAINTENANCE))
    made.advance_to(at(30))
    made.apply(tainted("n1"))
    made.advance_to(at(200))
    assert pod_names(made) == ["while"]


def test_other_effects_and_taints_of_the_beginning_move_nobody() -> None:
    made = world(tainted("n1", MAINTENANCE), node("n2"), pod("told", "n1"), pod("kept", "n2"))
    made.apply(tainted("n2", {**MAINTENANCE, "effect": "NoSchedule"}))
    made.advance_to(at(60))
    assert sorted(pod_names(made)) == ["kept", "told"]
