"""The facts of an incident, and what the bundled playbooks make of them: from cluster and metrics to remedies."""

from datetime import timedelta
from typing import Any

import pytest

from agent.adapters.playbooks.library import PlaybookLibrary, load_playbooks
from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import Body, FindingBody
from agent.evidence.facts import KEYS, Facts, gather
from agent.ports import Metrics
from agent.resources import bundled
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref, series, xid, xid_alert

NODE = ref("Node", "gpu-7")
TTS = ref("Deployment", "tts")
UTIL, ENGINE = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
PLAYBOOKS: PlaybookLibrary = load_playbooks(bundled("playbooks"))


def looked(
    symptom: Symptom,
    subject: ObjectRef,
    where: Cluster,
    *bodies: Body,
    metrics: Metrics | None = None,
    history: tuple[PastAction, ...] = (),
    **more: Any,
) -> Facts:
    about = incident(symptom, subject, *(bodies or (xid(79),)))
    return gather(about, where.view(), metrics or Told(), more.pop("forecaster", Foresees()), NOW, history, **more)


def answer(symptom: Symptom, facts: Facts) -> tuple[str | None, list[str]]:
    """The playbook that explains the facts, and what it asks for."""
    match = PLAYBOOKS.diagnose(incident(symptom, NODE, xid(79)), facts.values)
    remedies = PLAYBOOKS.remedies(match.playbook, facts.values) if match else []
    return (match.playbook if match else None), [f"{r.action} {r.target}" for r in remedies]


def sick(*bodies: Body, where: Cluster, **more: Any) -> tuple[str | None, list[str]]:
    return answer(Symptom.GPU_FAULT, looked(Symptom.GPU_FAULT, NODE, where, *(bodies or (xid(79),)), **more))


OURS = {"watchkeeper.dev/cordoned-by": "watchkeeper"}


def under_a_gang(**node: Any) -> Cluster:
    return cluster().node("gpu-7", **node).node("gpu-8").gang("llama", on=["gpu-7", "gpu-8"])


# --- a sick node ----------------------------------------------------------------------------------------------------


def test_xid_79_from_the_first_signal_to_the_node_given_back() -> None:
    name = "gpu-fallen-off-bus"
    cordoned = {"cordoned": True, "annotations": OURS}
    alone = cluster().node("gpu-7", **cordoned)
    rebooted = past("request_node_repair", NODE, incident="inc-1", parameters={"operation": "reboot"}, at=NOW)
    assert sick(where=under_a_gang()) == (name, ["cordon_node Node/gpu-7"])
    assert sick(where=under_a_gang(**cordoned)) == (name, ["requeue_gang Workload/lab/llama"])
    assert sick(where=alone) == (name, ["request_node_repair Node/gpu-7"])
    facts = looked(Symptom.GPU_FAULT, NODE, alone, history=(rebooted,))
    asked = PLAYBOOKS.remedies(name, facts.values)
    assert [r.action for r in asked] == ["uncordon_node"]


def test_a_reboot_waits_until_nobody_works_on_the_node() -> None:
    where = cluster().node("gpu-7", cordoned=True, annotations=OURS).node("gpu-8").deployment("chat", ["gpu-7"])
    assert sick(where=where)[1] == ["evict_pod Pod/lab/chat-0"]
    assert sick(where=where.notebook("ann", "gpu-7"))[1] == ["notify Node/gpu-7"]


def test_a_gang_that_lost_its_pod_there_is_requeued_and_one_elsewhere_is_not() -> None:
    where = under_a_gang(cordoned=True, annotations=OURS).gang("well", on=["gpu-8"])
    where.change("Pod", "llama-0", {"status": {"phase": "Failed"}})
    assert sick(where=where)[1] == ["requeue_gang Workload/lab/llama"]


def test_after_three_repairs_in_a_week_support_is_asked() -> None:
    repairs = tuple(
        past("request_node_repair", NODE, parameters={"operation": "reboot"}, at=NOW - timedelta(days=d))
        for d in (1, 3, 6)
    )
    where = cluster().node("gpu-7", cordoned=True, annotations=OURS)
    facts = looked(Symptom.GPU_FAULT, NODE, where, xid(79, gpu_uuid="GPU-1"), history=repairs)
    (wanted,) = PLAYBOOKS.remedies("gpu-fallen-off-bus", facts.values)
    assert wanted.parameters == {"operation": "support", "gpu_uuid": "GPU-1"}


@pytest.mark.parametrize(
    "not_counted",
    [
        {"outcome": "failed", "parameters": {"operation": "reboot"}},
        {"outcome": "succeeded", "parameters": {"operation": "support"}},
        {"outcome": "succeeded", "parameters": {"operation": "reboot"}, "at": NOW - timedelta(days=8)},
        {"outcome": "succeeded", "parameters": {"operation": "reboot"}, "undo": True},
    ],
    ids=["failed", "a ticket", "long ago", "withdrawn"],
)
def test_what_was_no_repair_of_this_week_does_not_count(not_counted: dict[str, Any]) -> None:
    history = tuple(past("request_node_repair", NODE, **not_counted) for _ in range(3))
    where = cluster().node("gpu-7", cordoned=True, annotations=OURS)
    facts = looked(Symptom.GPU_FAULT, NODE, where, history=history)
    assert facts.values["node"]["repairs_7d"] == 0


@pytest.mark.parametrize(
    "node",
    [
        {"cordoned": True},
        {"annotations": {"weave.works/kured-reboot-in-progress": "2026-11-02"}},
        {"taints": [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]},
    ],
)
def test_a_node_in_other_hands_is_left_alone(node: dict[str, Any]) -> None:
    assert sick(where=under_a_gang(**node)) == ("node-under-repair", ["notify Node/gpu-7"])


@pytest.mark.parametrize("playbook", ["gpu-fallen-off-bus", "node-under-repair", "application-xid"])
def test_a_node_that_left_the_cluster_in_the_middle_leaves_nothing_to_do(playbook: str) -> None:
    gone = looked(Symptom.GPU_FAULT, NODE, cluster().node("gpu-8"))
    assert list(PLAYBOOKS.remedies(playbook, gone.values)) == []


def test_a_fault_of_the_application_needs_nothing() -> None:
    for body in (xid(94), xid(31), xid(13), xid(43), xid(63)):
        assert sick(body, where=under_a_gang()) == ("application-xid", [])


def test_unless_it_repeats_on_one_gpu_within_a_day() -> None:
    codes = [0.0] * 300 + [31.0] * 30 + [0.0] * 300 + [31.0] * 20
    gauge = series("DCGM_FI_DEV_XID_ERRORS", codes, UUID="GPU-1", Hostname="gpu-7")
    told = Told(gauge)
    assert sick(xid(31, gpu_uuid="GPU-1"), where=under_a_gang(), metrics=told) == (
        "application-xid",
        ["request_node_repair Node/gpu-7", "notify Node/gpu-7"],
    )


def test_a_node_that_others_have_mended_needs_nothing() -> None:
    gauge = series("DCGM_FI_DEV_XID_ERRORS", [79.0] * 30 + [0.0] * 5, UUID="GPU-1", Hostname="gpu-7")
    assert sick(where=under_a_gang(), metrics=Told(gauge)) == ("fault-over", [])
    assert sick(where=cluster()) == ("fault-over", [])


def test_an_alert_counts_like_a_kernel_line() -> None:
    assert sick(xid_alert(79, "firing"), where=under_a_gang())[0] == "gpu-fallen-off-bus"


@pytest.mark.parametrize("code", [777, 154])
def test_what_no_playbook_knows_goes_to_a_person(code: int) -> None:
    assert sick(xid(code), where=under_a_gang()) == (None, [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 13.7])
def test_a_gauge_that_shows_no_code_neither_ends_a_fault_nor_stops_the_look(value: float) -> None:
    gauge = Told(series("DCGM_FI_DEV_XID_ERRORS", [79.0] * 5 + [value] * 5, UUID="GPU-1", Hostname="gpu-7"))
    assert sick(where=under_a_gang(), metrics=gauge) == ("gpu-fallen-off-bus", ["cordon_node Node/gpu-7"])


def test_a_silent_prometheus_changes_nothing_about_a_kernel_line() -> None:
    facts = looked(Symptom.GPU_FAULT, NODE, under_a_gang(), metrics=Told(down=True))
    assert facts.values["telemetry"] == {"available": False, "reason": "connection refused"}
    assert answer(Symptom.GPU_FAULT, facts) == ("gpu-fallen-off-bus", ["cordon_node Node/gpu-7"])


# --- idle GPUs ------------------------------------------------------------------------------------------------------


def tts(**more: Any) -> Cluster:
    return cluster().node("gpu-1").deployment("tts", on=["gpu-1"], gpus=1, **more)


def idle_for(seconds: int, pod: str = "tts-0") -> Told:
    busy = [50.0] * 30
    return Told(*(series(m, busy + [0.0] * (seconds // 60 + 1), pod, gpu="0") for m in (UTIL, ENGINE)))


def idle(where: Cluster, told: Metrics, subject: ObjectRef = TTS, **more: Any) -> tuple[str | None, list[str]]:
    return answer(Symptom.IDLE_GPU, looked(Symptom.IDLE_GPU, subject, where, metrics=told, **more))


def test_a_service_has_the_longer_minimum_of_its_class() -> None:
    assert idle(tts(), idle_for(7140)) == ("idle-not-proven", [])
    assert idle(tts(), idle_for(7200)) == ("idle-gpus", ["reclaim_idle_gpu Deployment/lab/tts"])
    ada = cluster().node("gpu-1").notebook("ada", "gpu-1", gpus=1)
    told = idle_for(3600, "ada-0")
    assert idle(ada, told, ref("Notebook", "ada")) == ("idle-gpus", ["reclaim_idle_gpu Notebook/lab/ada"])


def test_the_minimum_is_data() -> None:
    assert idle(tts(), idle_for(1800), idle_minimum_s={"serving": 1800})[0] == "idle-gpus"


def test_a_reclaim_that_was_taken_back_makes_the_next_one_slower() -> None:
    wrong = past("reclaim_idle_gpu", TTS, undo=True)
    assert idle(tts(), idle_for(7200), history=(wrong,))[0] == "idle-not-proven"
    assert idle(tts(), idle_for(14400), history=(wrong,))[0] == "idle-gpus"


def test_a_notebook_whose_user_was_just_there_is_not_idle() -> None:
    seen = "2026-11-02T11:30:00Z"
    where = cluster().node("gpu-1").notebook("ada", "gpu-1", gpus=1, notebooks_kubeflow_org__x="")
    where.change("Notebook", "ada", {"metadata": {"annotations": {"notebooks.kubeflow.org/last-activity": seen}}})
    facts = looked(Symptom.IDLE_GPU, ref("Notebook", "ada"), where, metrics=idle_for(7200, "ada-0"))
    assert facts.values["idle"]["idle_s"] == 1800
    assert answer(Symptom.IDLE_GPU, facts) == ("idle-not-proven", [])


def test_silence_is_never_idleness() -> None:
    assert idle(tts(), Told()) == ("idle-not-proven", [])
    facts = looked(Symptom.IDLE_GPU, TTS, tts(), metrics=Told(down=True))
    assert facts.values["idle"] is None
    assert answer(Symptom.IDLE_GPU, facts) == ("idle-not-proven", [])
    assert all(e.kind != "metric" for e in facts.evidence)


def test_the_facts_of_idleness_have_the_form_that_policies_read() -> None:
    facts = looked(Symptom.IDLE_GPU, TTS, tts(), metrics=idle_for(7200))
    assert facts.values["idle"] == {
        "witnesses": ["engine_activity", "utilisation"],
        "contradictions": [],
        "idle_s": 7200,
        "coverage": 1.0,
        "workload_class": "serving",
        "gpus": 1,
        "observed_at": "2026-11-02T12:00:00Z",
        "at_work": [],
        "steps_stopped_s": None,
    }
    assert facts.evidence[-1].observed_at == NOW


def test_who_opted_out_is_left_alone() -> None:
    out = {"watchkeeper.dev/opt-out": "true"}
    assert idle(tts(annotations=out), idle_for(9000)) == ("idle-not-proven", [])


def test_an_idle_gang_is_finished_only_when_its_steps_say_so() -> None:
    gang, told = cluster().node("gpu-1").gang("tts", on=["gpu-1"], gpus=1), idle_for(9000)
    assert idle(gang, told, ref("Job", "tts")) == ("idle-not-proven", ["notify Job/lab/tts"])
    told.series.append(series("train_steps_total", 900, "tts-0"))
    assert idle(gang, told, ref("Job", "tts")) == ("idle-gpus", ["reclaim_idle_gpu Job/lab/tts"])
    young = idle_for(9000)
    young.series.append(series("train_steps_total", [0, *[900] * 30], "tts-0"))
    assert idle(gang, young, ref("Job", "tts"))[0] == "idle-not-proven", "its last step is half an hour old"


@pytest.mark.parametrize(("counter", "per_minute"), [
    ("container_fs_writes_bytes_total", 6e9), ("container_network_transmit_bytes_total", 6e9),
    ("container_cpu_usage_seconds_total", 120.0),
])  # fmt: skip
def test_a_job_that_is_at_work_beside_its_gpus_is_left_alone(counter: str, per_minute: float) -> None:
    job, told = tts(kind="Job"), idle_for(9000)
    assert idle(job, told, ref("Job", "tts")) == ("idle-gpus", ["reclaim_idle_gpu Job/lab/tts"])
    told.series.append(series(counter, [n * per_minute for n in range(30)], "tts-0"))
    assert idle(job, told, ref("Job", "tts")) == ("idle-not-proven", [])
    if counter.startswith("container_cpu"):
        told.series[-1] = series(counter, [n * 1.0 for n in range(30)], "tts-0")
        assert idle(job, told, ref("Job", "tts"))[0] == "idle-gpus"


def test_contradicting_metrics_are_told_to_a_person() -> None:
    told = idle_for(9000)
    told.series.append(series("vllm:num_requests_running", 7, "tts-0"))
    assert idle(tts(), told) == ("idle-not-proven", ["notify Deployment/lab/tts"])


# --- restore --------------------------------------------------------------------------------------------------------


def stopped(replicas: int = 0, **marks: str) -> Cluster:
    base = {"watchkeeper.dev/reclaimed-by": "inc-0/0", "watchkeeper.dev/replicas-before": "2"}
    annotations = {**base, **{f"watchkeeper.dev/{key}": value for key, value in marks.items()}}
    return cluster().deployment("tts", on=[], replicas=replicas, annotations=annotations)


def waiting(value: float, **labels: str) -> Told:
    return Told(series("vllm:num_requests_waiting", value, **labels))


@pytest.mark.parametrize(
    ("where", "told", "asked"),
    [
        (stopped(restore="true"), Told(), True),
        (stopped(restore="true"), Told(down=True), True),
        (stopped(), waiting(3, model_name="tts", namespace="lab"), True),
        (stopped(), waiting(3, model_name="tts", namespace="other"), False),
        (stopped(), waiting(0, model_name="tts", namespace="lab"), False),
        (stopped(), Told(down=True), False),
        (stopped(replicas=2, restore="true"), Told(), False),
        (cluster().deployment("tts", on=[], annotations={"watchkeeper.dev/restore": "true"}), Told(), False),
    ],
)
def test_what_was_taken_is_given_back_on_need(where: Cluster, told: Metrics, asked: bool) -> None:
    facts = looked(Symptom.RESTORE_NEEDED, TTS, where, metrics=told)
    wanted = ("restore-on-need", ["reclaim_idle_gpu Deployment/lab/tts"])
    assert answer(Symptom.RESTORE_NEEDED, facts) == (wanted if asked else ("restore-not-needed", []))


# --- stuck gangs ----------------------------------------------------------------------------------------------------


def stuck(**more: Any) -> Cluster:
    where = cluster().nodes("gpu-1", "gpu-2").gang("big", on=["gpu-1"], waiting=1, **more)
    return where.gang("small", on=["gpu-2"], waiting=1, **more)


def gangs(where: Cluster, *history: PastAction) -> tuple[str | None, list[str]]:
    forecaster = Foresees(small=["Workload/lab/big"])
    subject = ref("Workload", "big")
    facts = looked(Symptom.GANG_STUCK, subject, where, history=history, forecaster=forecaster)
    return answer(Symptom.GANG_STUCK, facts)


def test_a_stuck_gang_gets_the_place_of_a_smaller_one() -> None:
    assert gangs(stuck()) == ("gang-stuck", ["requeue_gang Workload/lab/small"])


def test_nothing_is_planned_before_it_is_surely_stuck_or_when_it_is_not() -> None:
    assert gangs(stuck(stuck_s=60)) == ("gang-not-stuck", [])
    assert gangs(cluster().node("gpu-1").gang("big", on=["gpu-1"])) == ("gang-not-stuck", [])
    assert gangs(cluster()) == ("gang-not-stuck", [])


@pytest.mark.parametrize(
    ("source", "seen_s", "status", "planned"),
    [
        ("watchkeeper/survey", 600, "firing", True),
        ("watchkeeper/survey", 590, "firing", False),
        ("watchkeeper/survey", 600, "resolved", False),
        ("somebody", 600, "firing", False),
    ],
)
def test_of_a_pod_that_is_gone_only_our_own_look_tells_for_how_long(
    source: str, seen_s: int, status: str, planned: bool
) -> None:
    """Both gangs ran whole for two hours, for all that anybody knows, until a moment ago."""
    where, big = stuck(), ref("Workload", "big")
    del where.objects["Pod", "big-1"]
    detail = {"seen_since": rfc3339(NOW - timedelta(seconds=seen_s))}
    body = FindingBody.model_validate({"symptom": "gang_stuck", "subject": big, "status": status, "detail": detail})
    about = incident(Symptom.GANG_STUCK, big, body)
    about = about.model_copy(update={"signals": tuple(s.model_copy(update={"source": source}) for s in about.signals)})
    facts = gather(about, where.view(), Told(), Foresees(small=["Workload/lab/big"]), NOW, ())
    assert answer(Symptom.GANG_STUCK, facts)[1] == (["requeue_gang Workload/lab/small"] if planned else [])


def test_who_was_just_requeued_and_is_stuck_again_is_told_to_a_person() -> None:
    again = past("requeue_gang", ref("Workload", "small"))
    assert gangs(stuck(), again) == ("gang-stuck", ["notify Workload/lab/big"])


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symptom", list(Symptom))
def test_every_key_is_always_there(symptom: Symptom) -> None:
    facts = looked(symptom, ref("Deployment", "gone"), cluster())
    assert set(KEYS) | {"incident", "telemetry", "gangs", "conflicts"} <= set(facts.values)
    answer(symptom, facts)  # and no expression stumbles over it
