"""Containers that crash: restarts with a kubelet's back-off, events, failed pods of jobs, and the cure."""

from datetime import timedelta
from typing import Any

from test_behaviours import behaves, marked
from world_builders import at, job, node, pod, pod_ref, running, world

from agent.adapters.simulated import crash_loops
from agent.adapters.simulated.behaviour import BEHAVIOUR
from agent.adapters.simulated.world import World

Json = dict[str, Any]


def container(made: World, name: str = "p") -> Json:
    return dict(made.cluster.get(pod_ref(name))["status"]["containerStatuses"][0])


def later(made: World, *seconds: float) -> None:
    for each in seconds:
        made.advance_to(at(each))


def test_a_crashing_container_waits_longer_from_time_to_time() -> None:
    made = world(node("n1"), marked(pod("p", "n1"), "crashes: OOMKilled"))
    later(made, 6)
    assert container(made)["state"] == {
        "waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container main"}
    }
    assert container(made)["restartCount"] == 1
    assert container(made)["lastState"]["terminated"]["exitCode"] == 137
    assert running(made) == {}
    later(made, 600)
    assert container(made)["restartCount"] == 6, "after 5, 20, 45, 90, 175 and 340 seconds"
    (event,) = made.cluster.list("v1", "Event")
    assert (event["reason"], event["type"]) == ("BackOff", "Warning")
    assert event["count"] == container(made)["restartCount"]


def test_the_back_off_doubles_up_to_five_minutes() -> None:
    def after(restarts: int) -> timedelta:
        return crash_loops.back_off({"status": {"containerStatuses": [{"restartCount": restarts}]}})

    seconds = [after(restarts).total_seconds() for restarts in (1, 2, 3, 5, 6, 7, 100)]
    assert seconds == [10, 20, 40, 160, 300, 300, 300]


def test_once_its_fault_is_gone_the_next_start_holds() -> None:
    made = world(node("n1"), marked(pod("p", "n1"), "crashes"))
    later(made, 60)
    about = {"name": "p", "namespace": "a", "annotations": {BEHAVIOUR: None}}
    made.apply({"apiVersion": "v1", "kind": "Pod", "metadata": about})
    later(made, 200)
    assert running(made) == {"p": "n1"}
    assert container(made)["restartCount"] > 2, "what was, stays to be seen"


def test_a_fault_of_the_owner_is_a_fault_of_every_new_pod() -> None:
    train = marked(job("train", 1, backoffLimit=2), "crashes")
    train["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    one = pod("train-0", "n1", train)
    one["spec"]["restartPolicy"] = "Never"
    made = world(node("n1"), train, one)
    later(made, 300)
    failed = [each for each in made.cluster.list("v1", "Pod") if each["status"]["phase"] == "Failed"]
    assert len(failed) == 3
    conditions = made.cluster.list("batch/v1", "Job")[0]["status"]["conditions"]
    assert [each["reason"] for each in conditions if each["type"] == "Failed"] == ["BackoffLimitExceeded"]


def test_a_fault_that_comes_later_reaches_the_pods_that_run() -> None:
    train = job("train", 1)
    made = world(node("n1"), train, pod("train-0", "n1", train))
    later(made, 30)
    behaves(made, "Job", "train", "crashes", "batch/v1")
    later(made, 31, 60)
    assert container(made, "train-0")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
