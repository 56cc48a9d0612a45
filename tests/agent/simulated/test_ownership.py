"""Who owns state: what a scenario wrote stays as written until something its controller watches changes."""

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
    queues,
    ref,
    replica_set,
    running,
    unschedulable,
    workload,
    world,
)


def test_initial_objects_are_left_alone_even_where_counts_are_off() -> None:
    web = deployment("web", replicas=5)
    made = world(node("n1"), web, replica_set(web), pod("web-1", "n1", replica_set(web), app="web"))
    made.advance_to(at(3600))
    assert pod_names(made) == ["web-1"]
    assert made.cluster.get(ref("apps/v1", "Deployment", "web"))["status"] == {"replicas": 5, "readyReplicas": 5}
    assert made.effects == []


@pytest.mark.parametrize("phase", ["Failed", "Pending", "Running", "Unknown"])
def test_kubelets_do_not_heal_what_the_scenario_says_is_sick(phase: str) -> None:
    sick = pod("p", "n1")
    sick["status"] = {"phase": phase, "conditions": [{"type": "Ready", "status": "False"}]}
    made = world(node("n1"), sick)
    made.advance_to(at(3600))
    assert made.cluster.get(pod_ref("p"))["status"] == sick["status"]


def test_a_bound_pod_without_a_status_is_started() -> None:
    fresh = pod("p", "n1")
    del fresh["status"]
    made = world(node("n1"), fresh)
    made.advance_to(at(4))
    assert running(made) == {}
    made.advance_to(at(5))
    assert running(made) == {"p": "n1"}


def test_a_pending_pod_of_the_initial_state_is_scheduled() -> None:
    made = world(node("n1"), pod("p"))
    made.advance_to(at(10))
    assert running(made) == {"p": "n1"}


def test_an_unschedulable_pod_stays_so_until_there_may_be_room() -> None:
    made = world(node("n1"), unschedulable(pod("p")))
    made.advance_to(at(600))
    assert running(made) == {}
    made.cluster.patch(ref("v1", "Node", "n1", None), {"metadata": {"annotations": {"note": "seen"}}})
    made.advance_to(at(700))
    assert running(made) == {}, "an annotation on a node makes no room"
    made.apply(pod("other", gpus=0))
    made.advance_to(at(750))
    assert running(made) == {"other": "n1"}, "another pod's turn is not its turn"
    made.apply(node("n2"))
    made.advance_to(at(800))
    assert sorted(running(made)) == ["other", "p"]


@pytest.mark.parametrize("change", ["uncordon", "pod gone", "pod finished", "more gpus"])
def test_what_makes_room(change: str) -> None:
    closed = node("n1")
    closed["spec"] = {"unschedulable": change == "uncordon"}
    made = world(closed, pod("old", "n1"), unschedulable(pod("p", gpus=4 if change == "uncordon" else 8)))
    made.delete(pod_ref("old")) if change == "uncordon" else None
    made.advance_to(at(60))
    assert "p" not in running(made)
    match change:
        case "uncordon":
            made.apply({**closed, "spec": {"unschedulable": False}})
        case "pod gone":
            made.delete(pod_ref("old"))
        case "pod finished":
            made.apply({**pod("old"), "status": {"phase": "Succeeded"}})
        case "more gpus":
            made.apply(node("n1", gpus=16))
    made.advance_to(at(120))
    assert running(made).get("p") == "n1"


def test_a_gated_pod_waits() -> None:
    gated = pod("p")
    gated["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    made = world(node("n1"), gated)
    made.advance_to(at(60))
    assert running(made) == {}
    made.apply({**pod("p"), "spec": {"schedulingGates": []}})
    made.advance_to(at(120))
    assert running(made) == {"p": "n1"}


def test_a_pod_that_the_timeline_makes_fail_is_not_replaced_by_that() -> None:
    train = job("train", 2)
    made = world(node("n1"), node("n2"), train, pod("t-0", "n1", train), pod("t-1", "n2", train))
    made.apply({**pod("t-1"), "status": {"phase": "Failed"}})
    made.advance_to(at(600))
    assert pod_names(made) == ["t-0", "t-1"]
    made.cluster.patch(ref("batch/v1", "Job", "train"), {"metadata": {"annotations": {"seen": "yes"}}})
    made.advance_to(at(620))
    assert len(running(made)) == 2, "an action on the job wakes its controller"


def test_a_pod_that_the_timeline_deletes_is_made_again() -> None:
    train = job("train", 2)
    made = world(node("n1"), node("n2"), train, pod("t-0", "n1", train), pod("t-1", "n2", train))
    made.delete(pod_ref("t-1"))
    made.advance_to(at(20))
    assert sorted(running(made).values()) == ["n1", "n2"]
    assert "t-1" not in pod_names(made)


# -- pinned --------------------------------------------------------------------------------------------------------


def test_a_pinned_pod_is_neither_scheduled_nor_collected() -> None:
    web = deployment("web", 1)
    made = world(node("n1"), web, pinned(pod("p")), pinned(pod("kept", owner=web, app="web")))
    made.delete(ref("apps/v1", "Deployment", "web"))
    made.advance_to(at(600))
    assert pod_names(made) == ["kept", "p"]
    assert running(made) == {}


def test_a_pinned_deployment_makes_no_pods_when_the_timeline_changes_it() -> None:
    web = pinned(deployment("web", 1))
    made = world(node("n1"), web)
    made.apply({**web, "spec": {"replicas": 3}})
    made.advance_to(at(600))
    assert pod_names(made) == []


def test_a_pinned_workload_stays_stuck_until_the_agent_has_changed_it() -> None:
    train = job("train", 1)
    stuck = pinned(workload("w", train))
    name = ref(stuck["apiVersion"], "Workload", "w")
    made = world(node("n1"), *queues(8), train, stuck, pod("t-0", "n1", train))
    made.apply({**stuck, "spec": {"active": False}})
    made.advance_to(at(60))
    assert running(made) == {"t-0": "n1"}
    made.cluster.patch(name, {"metadata": {"annotations": {"touched": "by the agent"}}})
    made.advance_to(at(120))
    assert pod_names(made) == []
    assert made.cluster.get(name)["metadata"]["annotations"]["watchkeeper.dev/pinned"] == "true"


def test_the_timeline_can_pin_again() -> None:
    web = pinned(deployment("web", 0))
    made = world(node("n1"), web)
    made.cluster.patch(ref("apps/v1", "Deployment", "web"), {"metadata": {"annotations": {"touched": "yes"}}})
    made.advance_to(at(1))
    made.apply(pinned({**web, "spec": {"replicas": 2}}))
    made.advance_to(at(60))
    assert pod_names(made) == []


def test_the_eviction_api_takes_a_pinned_pod() -> None:
    made = world(node("n1"), pinned(pod("p", "n1")))
    made.cluster.evict(pod_ref("p"))
    made.advance_to(at(10))
    assert pod_names(made) == []


# -- before the start ----------------------------------------------------------------------------------------------


def test_before_the_start_history_is_written_and_nothing_runs() -> None:
    made = world()
    made.begin_at(at(-3600))
    made.load([node("n1"), pod("p")])
    made.set_metrics("up 1\n")
    made.advance_to(at(-60))
    assert running(made) == {} and made.next_event_at() == at(0)
    made.advance_to(at(10))
    assert running(made) == {"p": "n1"}
    assert made.metrics.instant("up", at(-1800))[0].points == ((at(-1800), 1.0),)


def test_the_world_begins_once() -> None:
    made = world(node("n1"))
    with pytest.raises(ValueError, match="has begun"):
        made.begin_at(at(-60))


def test_two_objects_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="Node/n1 is there twice"):
        world(node("n1"), node("n1"))
