"""Queues: what is a trouble, and what is only waiting. Each finder beside its look-alikes."""

from datetime import timedelta
from typing import Any

import pytest

from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.base import rfc3339
from agent.domain.incident import Symptom
from agent.domain.signal import EventBody
from agent.domain.thresholds import USUAL
from agent.evidence.admission_loops import find_loops
from agent.evidence.cascades import cascade_in
from agent.evidence.condition import Condition, Finder, Sight
from agent.evidence.facts import gather
from agent.evidence.holding import find_over
from agent.evidence.queue_events import told_by_queue
from agent.evidence.unused_quota import find_unused
from agent.evidence.waiting import find_waiting
from evidence.field import NOW, Cluster, Told, cluster, incident, past, ref
from evidence.test_facts import PLAYBOOKS

Json = dict[str, Any]


def found(find: Finder, where: Cluster, *history: Any) -> list[Condition]:
    return list(find(Sight(where.view(), Told(), NOW, history)))


def ago(minutes: int) -> str:
    return rfc3339(NOW - timedelta(minutes=minutes))


def says(kind: str, status: str, minutes: int, reason: str = "x", message: str = "") -> Json:
    at = ago(minutes)
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


def workload(name: str, *conditions: Json, where: Cluster | None = None, **status: Any) -> Cluster:
    """A Workload of one pod that has none yet, with what its status says."""
    where = where or cluster().nodes("gpu-1", "gpu-2").queue("shared")
    where.gang(name, on=[], waiting=1).without("Pod", f"{name}-0")
    return where.change("Workload", name, {"status": {"conditions": list(conditions), **status}})


ADMITTED = says("Admitted", "True", 30)
NOT_READY = says("PodsReady", "False", 30)


def ghost(*conditions: Json, **status: Any) -> Cluster:
    """Beside it, another gang waits for quota."""
    where = workload("ghost", *(conditions or (ADMITTED, NOT_READY)), **status)
    return workload("llama", where=where)


def test_quota_without_a_pod_is_told_of_when_somebody_waits() -> None:
    assert [str(each.subject) for each in found(find_unused, ghost())] == ["Workload/lab/ghost"]
    assert found(find_unused, workload("ghost", ADMITTED, NOT_READY)) == [], "nobody waits, and an hour has not passed"
    assert found(find_unused, workload("ghost", says("Admitted", "True", 61)))


@pytest.mark.parametrize(
    "alike",
    [
        ghost(says("Admitted", "True", 9)),
        ghost(ADMITTED, says("PodsReady", "False", 5)),
        ghost(ADMITTED, says("PodsReady", "True", 30)),
        ghost(says("QuotaReserved", "True", 30), admissionChecks=[{"name": "provision", "state": "Pending"}]),
        ghost(says("Admitted", "False", 30)),
        ghost().pod("ghost-0", None, owner=ghost().objects["Job", "ghost"]),
        ghost().change("Workload", "ghost", {"spec": {"active": False}}),
        ghost().change("Job", "ghost", {"status": {"active": 1}}),
        ghost().change("Job", "ghost", {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
    ],
    ids=["young", "changed lately", "said to be ready", "checks", "not admitted", "pods", "off", "active", "done"],
)
def test_what_only_looks_like_unused_quota(alike: Cluster) -> None:
    assert found(find_unused, alike) == []


def looping(count: int, *conditions: Json) -> Cluster:
    return workload(
        "loop", *(conditions or (says("Evicted", "True", 5, "PodsReadyTimeout"),)), requeueState={"count": count}
    )


def test_a_loop_turns_three_times_within_the_hour() -> None:
    assert [str(each.subject) for each in found(find_loops, looping(3))] == ["Workload/lab/loop"]
    assert found(find_loops, looping(2)) == []
    assert found(find_loops, looping(9, says("Evicted", "True", 61, "PodsReadyTimeout"))) == []
    assert found(find_loops, looping(9, says("Evicted", "True", 5, "Preempted"))) == []
    assert found(find_loops, looping(9, says("Evicted", "False", 5), says("PodsReady", "True", 5))) == []
    counted = {"evictions": [{"reason": "Preempted", "count": 7}]}
    evicted = says("Evicted", "True", 5, "PodsReadyTimeout")
    assert found(find_loops, workload("loop", evicted, schedulingStats=counted)) == []


def deactivates(where: Cluster) -> bool:
    subject = ref("Workload", "loop")
    about = incident(Symptom.ADMISSION_LOOP, subject)
    facts = gather(about, where.view(), Told(), SchedulerForecaster(), NOW, ())
    return bool(facts.values["loop"]["deactivate"])


def test_a_loop_whose_room_has_only_come_since_is_not_its_own_fault() -> None:
    assert deactivates(looping(9)), "there was room each time, and nothing else tells why it was not ready"
    assert not deactivates(looping(4)), "it may have been chance"
    assert not deactivates(workload("other", says("Finished", "True", 10), where=looping(9)))
    assert not deactivates(workload("other", says("Evicted", "True", 10, "Preempted"), where=looping(9)))
    assert deactivates(workload("other", says("Finished", "True", 90), where=looping(9))), "long before its last turns"


def lost(**more: Any) -> Cluster:
    """It lost its place half an hour ago; `tune` was let in ten minutes later."""
    conditions = [says("Evicted", "True", 30, more.get("reason", "NodeFailures"))]
    where = workload("llama", *conditions)
    where.gang("tune", on=["gpu-1"], age_s=more.get("age_s", 1200))
    return where


def test_a_place_lost_with_a_node_is_told_of_when_somebody_came_since() -> None:
    assert [each.detail["kind"] for each in found(find_waiting, lost())] == ["lost"]
    assert found(find_waiting, lost(age_s=7200)) == [], "whoever runs was there before"
    assert found(find_waiting, lost(reason="Preempted")) == []
    requeued = past("requeue_gang", ref("Workload", "llama"), parameters={"exclude_nodes": ["gpu-9"]})
    earlier = requeued.model_copy(update={"at": NOW - timedelta(minutes=30)})
    assert found(find_waiting, lost(reason="Deactivated"), earlier)
    for_another = earlier.model_copy(update={"parameters": {}})
    assert found(find_waiting, lost(reason="Deactivated"), for_another) == [], "it gave way to another gang"
    held = lost().change("LocalQueue", "main", {"spec": {"stopPolicy": "Hold"}})
    assert found(find_waiting, held) == []


def scattered(gpus: int = 4, **node: Any) -> Cluster:
    where = (
        cluster()
        .node("gpu-1", **node)
        .node("gpu-2")
        .queue("shared")
        .deployment("chat", on=["gpu-1", "gpu-2"], gpus=gpus)
    )
    where.gang("llama", on=[], waiting=1)
    return where.change("Workload", "llama", {"status": {"conditions": [ADMITTED]}})


def test_scattered_is_enough_in_sum_and_nowhere_whole() -> None:
    assert [each.detail["kind"] for each in found(find_waiting, scattered())] == ["scattered"]
    assert found(find_waiting, scattered(gpus=5)) == [], "not enough in sum"
    assert found(find_waiting, scattered(cordoned=True)) == [], "a person has cordoned what would make it enough"
    taint = {"key": "watchkeeper.dev/reserved-for", "value": "u", "effect": "NoSchedule"}
    assert found(find_waiting, scattered(taints=[taint])) == [], "what is held for others is not free"


def unqueued(gpus: int = 4, **more: Any) -> Cluster:
    where = cluster().node("gpu-1").node("gpu-2").deployment("chat", on=["gpu-1", "gpu-2"], gpus=gpus)
    return where.gang("llama", on=[], waiting=1, kind="Job", **more)


def test_a_gang_without_a_queue_waits_scattered_once_its_pods_find_no_node() -> None:
    assert [each.subject.kind for each in found(find_waiting, unqueued())] == ["Job"]
    assert found(find_waiting, unqueued(gpus=5)) == [], "not enough in sum"
    assert found(find_waiting, unqueued().node("gpu-3")) == [], "a whole node is free for it"
    assert found(find_waiting, unqueued(stuck_s=600)) == [], "not for long"
    assert found(find_waiting, unqueued().without("Pod", "llama-0")) == [], "its pods are not made yet"
    pool = unqueued().node("gpu-3").change("Pod", "llama-0", {"spec": {"nodeSelector": {"pool": "a"}}})
    for node in ("gpu-1", "gpu-2"):
        pool.change("Node", node, {"metadata": {"labels": {"pool": "a"}}})
    assert found(find_waiting, pool), "a node that it may not have is no room for it"


def test_of_a_gang_without_a_queue_a_person_is_told_with_the_numbers() -> None:
    about = incident(Symptom.GANG_WAITING, ref("Job", "llama"))
    facts = gather(about, unqueued().view(), Told(), SchedulerForecaster(), NOW, ())
    match = PLAYBOOKS.diagnose(about, facts.values)
    assert match is not None and match.playbook == "gang-scattered"
    (remedy,) = PLAYBOOKS.remedies(match.playbook, facts.values)
    assert (remedy.action, remedy.parameters["audience"]) == ("notify", "oncall")
    assert "needs 8 GPUs and 8 are free" in remedy.parameters["message"]
    assert "more than 4 free" in remedy.parameters["message"]


def test_free_nodes_that_its_pods_may_not_have_are_no_room_for_it() -> None:
    pool = {"spec": {"podSets": [{"name": "main", "count": 1, "template": {"spec": {"nodeSelector": {"pool": "a"}}}}]}}
    beside = scattered().node("gpu-3")
    assert found(find_waiting, beside) == [], "a whole node is free for it"
    for node in ("gpu-1", "gpu-2"):
        beside.change("Node", node, {"metadata": {"labels": {"pool": "a"}}})
    beside.change("Workload", "llama", pool)
    assert [each.detail["kind"] for each in found(find_waiting, beside)] == ["scattered"]


def put_out(by: str, minutes: int, status: str = "True") -> Json:
    message = f"Preempted to accommodate a workload (UID: uid-workload-{by}, JobUID: j) due to prioritization"
    return says(
        "Preempted", status, minutes, "InClusterQueue", message if status == "True" else f"Previously: {message}"
    )


def chain(*minutes: int) -> Cluster:
    """a put out b, b put out c …, each so many minutes ago."""
    where = workload("a", ADMITTED)
    for index, age in enumerate(minutes):
        by, victim = "abcdef"[index], "abcdef"[index + 1]
        workload(victim, put_out(by, age, "True" if index == len(minutes) - 1 else "False"), where=where)
    return where


def test_three_preemptions_in_a_row_are_a_cascade() -> None:
    cascade = cascade_in(chain(40, 20, 5).view(), NOW, USUAL)
    assert cascade is not None
    assert (cascade.length, cascade.newest.by.ref.name, cascade.queue.name) == (3, "c", "shared")
    assert cascade_in(chain(40, 20).view(), NOW, USUAL) is None, "two are how priorities work"
    assert cascade_in(chain(90, 20, 5).view(), NOW, USUAL) is None, "the first is over an hour old"


def test_one_gang_put_out_three_times_within_its_first_hour_is_churn() -> None:
    where = workload("b", put_out("a", 5), where=workload("a", ADMITTED))
    stats = {"evictions": [{"reason": "Preempted", "count": 3}]}
    assert cascade_in(where.view(), NOW, USUAL) is None
    where.change("Workload", "b", {"status": {"schedulingStats": stats}})
    assert cascade_in(where.view(), NOW, USUAL) is None, "nobody knows how long ago the first was"
    where.change("Workload", "b", {"metadata": {"creationTimestamp": ago(50)}})
    assert cascade_in(where.view(), NOW, USUAL) is not None


def test_an_event_that_repeats_itself_tells_of_a_loop() -> None:
    where, about = looping(1), ref("Workload", "loop")
    event = EventBody(reason="EvictedDueToPodsReadyTimeout", severity="Normal", involved=about, count=3)
    assert told_by_queue(event, where.view(), USUAL) is not None
    assert told_by_queue(event.model_copy(update={"count": 2}), where.view(), USUAL) is None
    assert told_by_queue(event.model_copy(update={"reason": "Pending"}), where.view(), USUAL) is None


def reserved(until: str, gang: str = "llama") -> Cluster:
    marks = {
        "watchkeeper.dev/reserved-for": '{"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", '
        f'"namespace": "lab", "name": "{gang}"}}',
        "watchkeeper.dev/reserved-by": "inc-1/0",
        "watchkeeper.dev/reserved-until": until,
    }
    taint = {"key": "watchkeeper.dev/reserved-for", "value": "u", "effect": "NoSchedule"}
    return workload("llama", where=cluster().queue("shared").node("gpu-1", annotations=marks, taints=[taint]))


def test_what_is_held_is_found_when_its_reason_is_over() -> None:
    assert found(find_over, reserved("2026-11-02T13:00:00Z")) == []
    assert found(find_over, reserved("2026-11-02T12:00:00Z"))[0].detail["why"] == "its time is over"
    assert "gone" in found(find_over, reserved("2026-11-02T13:00:00Z", gang="other"))[0].detail["why"]
    assert found(find_over, reserved("nonsense")), "a mark that cannot be read holds nothing for ever"


def test_a_queue_that_the_agent_held_is_opened_after_an_hour() -> None:
    ours = cluster().queue("shared", stop="Hold", annotations={"watchkeeper.dev/held-by": "watchkeeper"})
    target = ref("ClusterQueue", "shared", None)
    assert found(find_over, ours, past("hold_queue", target)) == []
    hour_ago = past("hold_queue", target, at=NOW - timedelta(minutes=60))
    assert [str(each.subject) for each in found(find_over, ours, hour_ago)] == ["ClusterQueue/shared"]
    assert found(find_over, cluster().queue("shared", stop="Hold")) == [], "a person's hold is a person's"
