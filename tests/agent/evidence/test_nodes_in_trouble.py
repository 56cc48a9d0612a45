"""Nodes that are not ready, come and go, or have a GPU that needs a reset: from signals and gauges to remedies."""

from datetime import timedelta
from typing import Any

import pytest

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView
from agent.domain.incident import Incident, Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import AlertBody, Body, ConditionBody, EventBody, FindingBody
from agent.evidence.condition import Sight
from agent.evidence.facts import Facts, gather
from agent.evidence.look_facts import Others
from agent.evidence.remaps import find_remaps
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref, series, xid
from evidence.test_facts import PLAYBOOKS

NODE = ref("Node", "gpu-7")
OURS = {"watchkeeper.dev/cordoned-by": "watchkeeper", "watchkeeper.dev/cordon-incident": "inc-1"}
CORDONED: dict[str, Any] = {"cordoned": True, "annotations": OURS}
XIDS = "DCGM_FI_DEV_XID_ERRORS"


def facts_of(about: Incident, where: Cluster, *told: Any, history: tuple[PastAction, ...] = (), **more: Any) -> Facts:
    return gather(about, where.view(), Told(*told), Foresees(), NOW, history, **more)


def remedies(about: Incident, facts: Facts) -> tuple[str | None, list[str]]:
    match = PLAYBOOKS.diagnose(about, facts.values)
    found = PLAYBOOKS.remedies(match.playbook, facts.values) if match else []
    return (match.playbook if match else None), [
        f"{r.action} {r.target.name} {r.parameters.get('operation', '')}".strip() for r in found
    ]


def reset_of(where: Cluster, *told: Any, history: tuple[PastAction, ...] = ()) -> tuple[str | None, list[str]]:
    about = incident(Symptom.GPU_FAULT, NODE, xid(95, gpu_uuid="GPU-1"))
    return remedies(about, facts_of(about, where, *told, history=history))


def on(pod: str, gpu: str) -> Any:
    return series("DCGM_FI_DEV_GPU_UTIL", 90, pod, UUID=gpu, Hostname="gpu-7")


# --- who leaves before a reset --------------------------------------------------------------------------------------


def test_first_the_cordon_then_the_gang_then_the_reset() -> None:
    gang = cluster().node("gpu-7").node("gpu-8").gang("llama", on=["gpu-7", "gpu-8"])
    assert reset_of(gang) == ("gpu-reset", ["cordon_node gpu-7"])
    assert reset_of(gang.node("gpu-7", **CORDONED)) == ("gpu-reset", ["requeue_gang llama"])
    assert reset_of(cluster().node("gpu-7", **CORDONED)) == ("gpu-reset", ["request_node_repair gpu-7 reset_gpu"])


def test_a_lone_pod_is_drained_and_beside_innocents_evicted() -> None:
    one = cluster().node("gpu-7", **CORDONED).node("gpu-8").deployment("chat", on=["gpu-7"], gpus=1)
    assert reset_of(one) == ("gpu-reset", ["drain_node gpu-7"])
    two = cluster().node("gpu-7", **CORDONED).node("gpu-8").deployment("chat", on=["gpu-7", "gpu-7"], gpus=1)
    assert reset_of(two, on("chat-0", "GPU-1"), on("chat-1", "GPU-2")) == ("gpu-reset", ["evict_pod chat-0"])
    assert reset_of(two, on("chat-0", "GPU-1")) == ("gpu-reset", ["drain_node gpu-7"])  # where chat-1 is, nobody knows


def test_who_would_lose_his_work_by_a_reset_stays_and_a_person_decides() -> None:
    where = cluster().node("gpu-7", **CORDONED).node("gpu-8").notebook("ann", on="gpu-7", gpus=1)
    assert reset_of(where, on("ann-0", "GPU-1")) == ("gpu-reset", ["notify gpu-7"])


def test_work_on_other_gpus_stays_and_a_person_decides() -> None:
    other = cluster().node("gpu-7", **CORDONED).gang("llama", on=["gpu-7"], gpus=1)
    assert reset_of(other, on("llama-0", "GPU-2")) == ("gpu-reset", ["notify gpu-7"])
    partly = cluster().node("gpu-7", **CORDONED).gang("llama", on=["gpu-7"], gpus=2)
    assert reset_of(partly, on("llama-0", "GPU-2")) == ("gpu-reset", ["requeue_gang llama"])  # its other GPU is unseen


def test_a_gpu_in_instances_is_for_a_person() -> None:
    mig = series(XIDS, 95, UUID="GPU-1", Hostname="gpu-7", GPU_I_ID="1")
    assert reset_of(cluster().node("gpu-7"), mig) == (None, [])


def test_a_repair_of_another_incident_that_still_runs_is_waited_for() -> None:
    about = incident(Symptom.GPU_FAULT, NODE, xid(95, gpu_uuid="GPU-1"))
    facts = facts_of(about, cluster().node("gpu-7", **CORDONED), others=Others(("reboot asked for by inc-0",)))
    assert remedies(about, facts) == ("node-under-repair", ["notify gpu-7"])


@pytest.mark.parametrize(
    ("hours_ago", "gpu", "repeated"), [(3, "GPU-1", True), (3, "GPU-2", False), (30, "GPU-1", False)]
)
def test_an_application_fault_of_an_incident_that_is_closed_counts_as_the_first(
    hours_ago: int, gpu: str, repeated: bool
) -> None:
    before = incident(Symptom.GPU_FAULT, NODE, xid(31, gpu_uuid=gpu), age_s=hours_ago * 3600)
    about = incident(Symptom.GPU_FAULT, NODE, xid(31, gpu_uuid="GPU-1"))
    facts = facts_of(about, cluster().node("gpu-7"), others=Others(before=(before,)))
    assert facts.values["xid"]["repeated"] is repeated


# --- two tales of one GPU -------------------------------------------------------------------------------------------


def logged(code: int, **more: Any) -> Incident:
    about = incident(Symptom.GPU_FAULT, NODE, xid(code, gpu_uuid="GPU-1", **more), age_s=600)
    return about.model_copy(update={"signals": tuple(s.model_copy(update={"source": "logs"}) for s in about.signals)})


@pytest.mark.parametrize(
    ("line", "gauge", "believed", "disputed"),
    [
        (95, [0.0] * 5 + [94.0] * 8, "restart_app", True),
        (79, [0.0] * 5 + [95.0] * 8, "reset_gpu", True),
        (95, [0.0] * 5 + [95.0] * 8, "reset_gpu", False),
        (95, [0.0] * 5 + [45.0] * 8, "reset_gpu", False),  # the programs that it ended
        (48, [0.0] * 5 + [63.0] * 8, "reset_gpu", False),  # belongs to it
        (79, [31.0] * 300 + [31.0] * 8, "reboot", False),  # an old code
        (79, [0.0] * 20, "reboot", False),  # silence contradicts nothing
    ],
)
def test_the_milder_of_two_tales_is_believed(line: int, gauge: list[float], believed: str, disputed: bool) -> None:
    read = series(XIDS, gauge, UUID="GPU-1", Hostname="gpu-7")
    found = facts_of(logged(line), cluster().node("gpu-7"), read).values["xid"]
    assert (found["first_action"], found["disputed"]) == (believed, disputed)


def test_before_a_reset_dcgm_is_given_time_to_speak() -> None:
    quiet = series(XIDS, 0, UUID="GPU-1", Hostname="gpu-7")
    same = series(XIDS, 95, UUID="GPU-1", Hostname="gpu-7")
    settle = rfc3339(logged(95).opened_at + timedelta(seconds=60))
    assert facts_of(logged(95), cluster().node("gpu-7"), quiet).values["settle_until"] == settle
    assert facts_of(logged(95), cluster().node("gpu-7"), same).values["settle_until"] is None
    assert facts_of(logged(79), cluster().node("gpu-7")).values["settle_until"] is None


def test_a_gang_that_goes_on_making_steps_is_watched_for_two_minutes_before_a_line_is_believed() -> None:
    where = cluster().nodes("gpu-7", "gpu-8").gang("llama", on=["gpu-7", "gpu-8"])
    settle = rfc3339(logged(79).opened_at + timedelta(seconds=120))
    goes_on = series("train_steps_total", [float(n) for n in range(30)], "llama-1")
    stands = series("train_steps_total", 500, "llama-1")
    of_another = series("train_steps_total", [float(n) for n in range(30)], "other-1")
    assert facts_of(logged(79), where, goes_on).values["settle_until"] == settle
    assert facts_of(logged(79), where, stands).values["settle_until"] is None
    assert facts_of(logged(79), where, of_another).values["settle_until"] is None


# --- not ready, again and again -------------------------------------------------------------------------------------


def ready(status: str) -> ConditionBody:
    return ConditionBody(node="gpu-7", condition="Ready", status=status, healthy=status == "True")


def unwell(*bodies: Body, age_s: int = 600, **more: Any) -> Incident:
    return incident(Symptom.NODE_UNHEALTHY, NODE, *bodies, age_s=age_s).model_copy(update=more)


def minutes_from(about: Incident, told: str | None) -> float | None:
    return (NOW.fromisoformat(told) - about.opened_at).total_seconds() / 60 if told else None


def test_a_node_is_given_five_minutes_and_then_kept_from_new_pods() -> None:
    away = cluster().node("gpu-7", ready=False)
    about = unwell(ready("False"))
    facts = facts_of(about, away)
    assert minutes_from(about, facts.values["settle_until"]) == 5
    assert remedies(about, facts) == ("node-not-ready", ["cordon_node gpu-7", "notify gpu-7"])


def test_only_a_gang_that_lost_pods_starts_elsewhere() -> None:
    runs = cluster().node("gpu-7", ready=False, **CORDONED).node("gpu-8").gang("llama", on=["gpu-7", "gpu-8"])
    about = unwell(ready("Unknown"))
    assert remedies(about, facts_of(about, runs))[1] == ["notify gpu-7"]
    lost = runs.change("Pod", "llama-0", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert remedies(about, facts_of(about, lost))[1] == ["requeue_gang llama", "notify gpu-7"]


def test_what_recovered_is_watched_for_a_while_and_then_over() -> None:
    about = unwell(ready("True"), recovered_at=NOW - timedelta(minutes=2))
    facts = facts_of(about, cluster().node("gpu-7"))
    assert minutes_from(about, facts.values["settle_until"]) == 8 + 15
    assert remedies(about, facts) == ("node-recovered", [])


def test_a_node_that_recovered_by_itself_is_given_back_after_a_quarter_of_an_hour() -> None:
    held = cluster().node("gpu-7", **CORDONED)
    for minutes, given_back in ((14, []), (16, ["uncordon_node gpu-7"])):
        about = unwell(ready("True"), recovered_at=NOW - timedelta(minutes=minutes))
        facts = facts_of(about, held)
        asked = [r.action + " " + r.target.name for r in PLAYBOOKS.remedies("node-not-ready", facts.values)]
        assert asked == given_back


def test_the_fourth_spell_is_flapping() -> None:
    away = cluster().node("gpu-7", ready=False)
    for again, playbook in ((2, "node-not-ready"), (3, "node-flapping")):
        about = unwell(ready("False"), relapses={"Ready": again})
        facts = facts_of(about, away)
        assert remedies(about, facts)[0] == playbook
        assert (facts.values["settle_until"] is None) == (again == 3)


def test_a_flapping_node_is_one_incident_for_an_hour_after_its_last_spell() -> None:
    about = unwell(ready("False"), relapses={"Ready": 3})
    facts = facts_of(about, cluster().node("gpu-7", ready=False, **CORDONED))
    assert minutes_from(about, facts.values["stay_until"]) == 60


@pytest.mark.parametrize(
    ("condition", "asked", "wanted"),
    [
        ("KernelDeadlock", [], ["request_node_repair gpu-7 diagnose", "notify gpu-7"]),
        ("KernelDeadlock", ["diagnose"], ["request_node_repair gpu-7 reboot", "notify gpu-7"]),
        ("ReadonlyFilesystem", ["diagnose"], ["notify gpu-7"]),
    ],
)
def test_a_kernel_in_trouble(condition: str, asked: list[str], wanted: list[str]) -> None:
    bad = {"type": condition, "status": "True"}
    where = cluster().node("gpu-7", conditions=[bad], **CORDONED)
    history = tuple(past("request_node_repair", NODE, incident="inc-1", parameters={"operation": o}) for o in asked)
    body = ConditionBody(node="gpu-7", condition=condition, status="True", healthy=False)
    about = unwell(body)
    assert remedies(about, facts_of(about, where, history=history)) == ("node-kernel-trouble", wanted)


def test_one_hung_task_is_for_a_person_and_two_are_a_pattern() -> None:
    for count, playbook in ((1, None), (2, "node-kernel-trouble")):
        hung = EventBody(reason="TaskHung", severity="Warning", involved=NODE, count=count)
        about = unwell(hung)
        assert remedies(about, facts_of(about, cluster().node("gpu-7")))[0] == playbook


def test_a_hot_gpu_has_half_an_hour_to_cool() -> None:
    hot = AlertBody(alertname="GPUHighTemperature", status="firing", labels={"node": "gpu-7"})
    about = incident(Symptom.GPU_FAULT, NODE, hot)
    facts = facts_of(about, cluster().node("gpu-7"))
    assert minutes_from(about, facts.values["settle_until"]) == 30
    assert remedies(about, facts) == ("gpu-throttling", ["notify gpu-7"])
    both = incident(Symptom.GPU_FAULT, NODE, hot, xid(79))
    assert remedies(both, facts_of(both, cluster().node("gpu-7")))[0] == "gpu-fallen-off-bus"


# --- a remapping that waits -----------------------------------------------------------------------------------------


def found(where: ClusterView, *told: Any, history: tuple[PastAction, ...] = ()) -> list[tuple[str, str]]:
    sight = Sight(where, Told(*told), NOW, history)
    return [(c.subject.name, c.detail["gpu_uuid"]) for c in find_remaps(sight)]


WAITS = series(XIDS, 63, UUID="GPU-1", Hostname="gpu-7")
FLAG = "DCGM_FI_DEV_ROW_REMAP_PENDING"


def test_a_remapping_is_found_only_where_nobody_is() -> None:
    free = cluster().node("gpu-7").view()
    assert found(free, WAITS) == [("gpu-7", "GPU-1")]
    assert found(free, series(FLAG, 1, UUID="GPU-2", Hostname="gpu-7")) == [("gpu-7", "GPU-2")]
    assert found(free, WAITS, series(FLAG, 0, UUID="GPU-1", Hostname="gpu-7")) == []  # it was followed
    assert found(cluster().node("gpu-7").deployment("chat", on=["gpu-7"], gpus=1).view(), WAITS) == []
    assert found(cluster().node("gpu-7", ready=False).view(), WAITS) == []
    assert found(cluster().node("gpu-7", cordoned=True).view(), WAITS) == []
    assert found(free, series(XIDS, 63, UUID="GPU-1", Hostname="gpu-7", GPU_I_ID="1")) == []


def test_a_remapping_is_followed_once() -> None:
    free = cluster().node("gpu-7").view()
    given: dict[str, Any] = {"parameters": {"operation": "reset_gpu", "gpu_uuid": "GPU-1"}, "proposal": "inc-0/1"}
    assert found(free, WAITS, history=(past("request_node_repair", NODE, helped=True, **given),)) == []
    assert found(free, WAITS, history=(past("request_node_repair", NODE, helped=None, **given),)) != []


def test_the_cordon_of_another_incident_is_not_this_ones_to_use() -> None:
    body = FindingBody(symptom="remap_pending", subject=NODE, status="firing", detail={"gpu_uuid": "GPU-1"})
    about = incident(Symptom.REMAP_PENDING, NODE, body)
    assert remedies(about, facts_of(about, cluster().node("gpu-7"), WAITS))[1] == ["cordon_node gpu-7"]
    ours = cluster().node("gpu-7", **CORDONED)
    assert remedies(about, facts_of(about, ours, WAITS))[1] == ["request_node_repair gpu-7 reset_gpu"]
    theirs = cluster().node("gpu-7", cordoned=True, annotations={**OURS, "watchkeeper.dev/cordon-incident": "inc-9"})
    assert remedies(about, facts_of(about, theirs, WAITS))[1] == []
