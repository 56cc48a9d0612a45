"""Who fails, where and since when: the application, one node, or a rollout."""

from datetime import timedelta
from typing import Any

import pytest

from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.incident import Symptom
from agent.domain.signal import Body
from agent.domain.thresholds import USUAL
from agent.evidence.facts import Facts, gather
from agent.evidence.symptoms import tells
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref
from evidence.signals import alert, warning

LLAMA, CHAT = ref("Workload", "llama"), ref("Deployment", "chat")


def loops(where: Cluster, pod: str, code: int = 1, restarts: int = 6, **more: Any) -> Cluster:
    """The pod crash-loops."""
    state: dict[str, Any] = {"waiting": {"reason": more.get("waiting", "CrashLoopBackOff")}}
    ended = {"exitCode": code, "reason": more.get("reason", "Error")}
    container = {"restartCount": restarts, "state": state, "lastState": {"terminated": ended}}
    return where.change("Pod", pod, {"status": {"conditions": [], "containerStatuses": [container]}})


def ended(where: Cluster, pod: str, ago: timedelta = timedelta(minutes=5), **status: Any) -> Cluster:
    """The pod has failed and is left lying."""
    done = {"terminated": {"exitCode": 1, "finishedAt": rfc3339(NOW - ago)}}
    return where.change("Pod", pod, {"status": {
        "phase": "Failed", "conditions": [], "containerStatuses": [{"state": done}], **status,
    }})  # fmt: skip


def training(*on: str) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2", "gpu-3", "gpu-4").gang("llama", on=on, gpus=4)


def seen(where: Cluster, subject: ObjectRef = LLAMA, **more: Any) -> Facts:
    about = incident(Symptom.WORKLOAD_FAILING, subject, alert("KubePodCrashLooping"))
    return gather(about, where.view(), Told(), Foresees(), NOW, more.get("history", ()))


def failing(where: Cluster, subject: ObjectRef = LLAMA, **more: Any) -> Any:
    return seen(where, subject, **more).values["failing"]


def test_the_same_exit_on_different_nodes_is_the_applications() -> None:
    where = training("gpu-1", "gpu-2", "gpu-3")
    for n in range(3):
        loops(where, f"llama-{n}", code=2, restarts=n)
    found = failing(where)
    assert (found["scope"], found["crashing"], found["ready"], found["attempts"]) == ("application", 3, 0, 2)
    assert failing(loops(where, "llama-1", code=9))["scope"] == "unclear", "different exits say nothing"


def on_one_node() -> Cluster:
    where = training("gpu-1", "gpu-1", "gpu-2", "gpu-3")
    return loops(loops(where, "llama-0", 139), "llama-1", 139)


def test_what_fails_on_one_node_alone_while_others_run_puts_it_under_suspicion() -> None:
    facts = seen(on_one_node())
    assert facts.values["failing"]["scope"] == "node" and facts.values["node"]["name"] == "gpu-1"
    assert facts.values["failing"]["gang"]["pods_on_node"] == 2


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (loops(training("gpu-1", "gpu-2", "gpu-3"), "llama-0"), "one rank alone"),
        (on_one_node().change("Pod", "llama-3", {"status": {"conditions": []}}), "only one peer is well"),
        (loops(loops(loops(training("gpu-1", "gpu-1", "gpu-2", "gpu-3", "gpu-4"), "llama-0"), "llama-1"), "llama-2"),
         "it fails on a second node, and two others are well"),
        (loops(loops(training(*["gpu-1"] * 3, "gpu-2", "gpu-3"), "llama-0"), "llama-1"), "a peer is well there"),
        (loops(loops(training("gpu-1", "gpu-1", "gpu-2", "gpu-3"), "llama-0", waiting="ErrImagePull"), "llama-1",
               waiting="ErrImagePull"), "an image is no node's fault"),
    ],
)  # fmt: skip
def test_what_does_not_suspect_a_node(where: Cluster, why: str) -> None:
    assert failing(where)["scope"] != "node", why


def test_strangers_that_fail_there_too_count() -> None:
    where = loops(training("gpu-1", "gpu-2", "gpu-3"), "llama-0")
    assert failing(where)["scope"] == "unclear"
    where.deployment("other", on=["gpu-1"])
    assert failing(loops(where, "other-0"))["scope"] == "node"


def test_the_node_that_was_cordoned_for_it_stays_the_suspect() -> None:
    ours = past("cordon_node", ref("Node", "gpu-1"), incident="inc-1")
    facts = seen(training("gpu-2", "gpu-3"), history=(ours,))
    assert facts.values["node"]["name"] == "gpu-1" and not facts.values["node"]["diagnosis_asked"]
    theirs = past("cordon_node", ref("Node", "gpu-1"), incident="inc-9")
    assert seen(training("gpu-2", "gpu-3"), history=(theirs,)).values["node"] is None


def test_what_failed_long_ago_or_was_ended_by_others_is_no_failure() -> None:
    pods = ("gpu-1", "gpu-2", "gpu-3")
    assert failing(ended(training(*pods), "llama-0"))["crashing"] == 1
    assert failing(ended(training(*pods), "llama-0", timedelta(hours=3)))["crashing"] == 0
    assert failing(ended(training(*pods), "llama-0", reason="Evicted"))["crashing"] == 0
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    assert failing(ended(training(*pods), "llama-0", conditions=disrupted))["crashing"] == 0


# --- rollouts -------------------------------------------------------------------------------------------------------


def rollout(born_h: float = 1.0, before_h: float = 200.0, *, old_ready: bool = True) -> Cluster:
    """Deployment chat with revision 4 and, since `born_h` hours, revision 5, whose pod crash-loops."""
    where = cluster().nodes("gpu-1", "gpu-2").deployment("chat", on=[], replicas=2)
    for number, hours in ((4, before_h), (5, born_h)):
        where._add("apps/v1", "ReplicaSet", f"chat-{number}", "lab", {
            "metadata": {"creationTimestamp": rfc3339(NOW - timedelta(hours=hours)),
                         "annotations": {"deployment.kubernetes.io/revision": str(number)},
                         "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat",
                                              "uid": "uid-deployment-chat", "controller": True}]},
        })  # fmt: skip
    if old_ready:
        where.pod("chat-4-0", "gpu-1", owner=where.objects["ReplicaSet", "chat-4"], gpus=2)
    where.pod("chat-5-0", "gpu-2", owner=where.objects["ReplicaSet", "chat-5"], gpus=2)
    return loops(where, "chat-5-0")


def test_a_deployment_that_crash_loops_since_its_rollout_may_go_back() -> None:
    assert failing(rollout(), CHAT)["rollback"] == {"revision": 5, "to_revision": 4}
    assert failing(rollout(old_ready=False), CHAT)["rollback"] is not None, "it stood for days before"


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (rollout(born_h=30), "it has stood for more than a day"),
        (rollout(before_h=1.5, old_ready=False), "nobody knows whether the one before was well"),
        (loops(rollout(), "chat-4-0"), "the one before fails too"),
        (loops(rollout(), "chat-5-0", restarts=1), "one restart may be its start"),
        (loops(rollout(), "chat-5-0", waiting="ImagePullBackOff"), "an image is its owner's"),
        (rollout().without("ReplicaSet", "chat-4"), "there is nothing to go back to"),
        (rollout().pod("chat-5-1", "gpu-2", owner=rollout().objects["ReplicaSet", "chat-5"], gpus=2), "one is ready"),
    ],
)
def test_what_does_not_blame_the_rollout(where: Cluster, why: str) -> None:
    assert failing(where, CHAT)["rollback"] is None, why


# --- events ---------------------------------------------------------------------------------------------------------


def told_by(body: Body, where: Cluster) -> Any:
    told = tells(incident(Symptom.ALERT, LLAMA, body).signals[0], where.view(), USUAL)
    return (told.symptom, str(told.subject)) if told else None


def test_a_pod_that_backs_off_again_and_again_opens_an_incident_about_its_owner() -> None:
    pod = ref("Pod", "llama-0")
    where = loops(training("gpu-1"), "llama-0")
    assert told_by(warning("BackOff", pod, 9), where) == (Symptom.WORKLOAD_FAILING, "Job/lab/llama")
    assert told_by(warning("BackOff", pod, 2), where) is None
    assert told_by(warning("BackOff", pod, 9), training("gpu-1")) is None, "it runs by now"
    assert told_by(warning("TaskHung", pod), where) == (Symptom.WORKLOAD_HANGS, "Workload/lab/llama")
