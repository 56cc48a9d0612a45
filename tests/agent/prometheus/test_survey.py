"""The agent's own look: each standing condition is told once when it begins and once when it ends."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from evidence.field import NOW, Cluster, Told, cluster, past, ref, series

from agent.adapters.prometheus.detect import Surveyor
from agent.domain.base import rfc3339
from agent.domain.outcome import PastAction
from agent.domain.signal import FindingBody, Signal, XidBody
from agent.domain.thresholds import USUAL
from agent.ports import MetricsUnavailable, Series

UTIL, ENGINE, XID = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_XID_ERRORS"


class Remembers:
    """The part of the Ledger port that a survey reads."""

    def __init__(self, *actions: PastAction) -> None:
        self.actions = list(actions)

    def past_actions(self, since: datetime) -> list[PastAction]:
        return self.actions


def surveyor(told: Told, *history: PastAction, **minimum: str) -> Surveyor:
    return Surveyor(told, {"idle": {"minimum": minimum}}, Remembers(*history), USUAL)  # type: ignore[arg-type]


def said(signals: list[Signal]) -> list[str]:
    return [_said(s.body) for s in signals]


def _said(body: Any) -> str:
    if isinstance(body, XidBody):
        return f"xid {body.xid} {body.node} {body.gpu_uuid}"
    assert isinstance(body, FindingBody)
    return f"{body.symptom} {body.subject} {body.status}"


def gauge(code: int, gpu: str = "GPU-1", node: str = "gpu-7", **labels: str) -> Series:
    labels = labels or {"Hostname": node}
    return series(XID, [0.0] * 10 + [float(code)] * 5 if code else 0, UUID=gpu, **labels)


def quiet() -> Cluster:
    return cluster().node("gpu-7")


# --- XIDs -----------------------------------------------------------------------------------------------------------


def test_a_code_is_told_when_it_changes_and_not_while_it_stands() -> None:
    told = Told(gauge(79))
    survey = surveyor(told)
    first = survey.survey(quiet().view(), NOW)
    assert said(first) == ["xid 79 gpu-7 GPU-1"]
    assert survey.survey(quiet().view(), NOW + timedelta(seconds=15)) == []
    told.series = [gauge(74)]
    assert said(survey.survey(quiet().view(), NOW + timedelta(seconds=30))) == ["xid 74 gpu-7 GPU-1"]


def test_a_new_process_tells_it_with_the_same_id() -> None:
    view = quiet().view()
    (once,) = surveyor(Told(gauge(79))).survey(view, NOW)
    (again,) = surveyor(Told(gauge(79))).survey(view, NOW + timedelta(minutes=2))
    assert once.id == again.id
    (other,) = surveyor(Told(gauge(79, gpu="GPU-2"))).survey(view, NOW)
    assert other.id != once.id


@pytest.mark.parametrize("code", [0, 43, 92])
def test_no_code_and_codes_that_ask_for_nothing_are_not_told(code: int) -> None:
    assert surveyor(Told(gauge(code))).survey(quiet().view(), NOW) == []


def test_a_pending_remapping_is_told_where_nobody_is() -> None:
    assert surveyor(Told(gauge(63))).survey(quiet().deployment("chat", on=["gpu-7"]).view(), NOW) == []
    (told,) = surveyor(Told(gauge(63))).survey(quiet().view(), NOW)
    assert isinstance(told.body, FindingBody) and told.body.symptom == "remap_pending"


@pytest.mark.parametrize("label", ["Hostname", "hostname", "node", "exported_node"])
def test_every_spelling_of_the_node_is_understood(label: str) -> None:
    two = quiet().node("gpu-9").view()
    assert said(surveyor(Told(gauge(79, **{label: "gpu-9"}))).survey(two, NOW)) == ["xid 79 gpu-9 GPU-1"]


@pytest.mark.parametrize("node", ["gpu-9", "x" * 5000])
def test_of_a_node_of_another_cluster_nothing_is_told_but_that(node: str) -> None:
    heard: list[tuple[str, str, str]] = []
    told, remembers = Told(gauge(79, node=node), gauge(79)), Remembers()
    survey = Surveyor(told, {"idle": {"minimum": {}}}, remembers, USUAL, lambda *each: heard.append(each))  # type: ignore[arg-type]
    for later in (0, 15):
        survey.survey(quiet().view(), NOW + timedelta(seconds=later))
    assert heard == [("prometheus", f"{XID} of {node}", "XID 79 on a node that is not here")]


def test_the_exporters_address_names_the_node_where_nothing_else_does() -> None:
    by_name, by_number = gauge(79, instance="gpu-7:9400"), gauge(79, gpu="GPU-2", instance="10.0.0.7:9400")
    assert said(surveyor(Told(by_name, by_number)).survey(quiet().view(), NOW)) == ["xid 79 gpu-7 GPU-1"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 79.5, -79.0, 1e9])
def test_what_is_no_code_is_not_taken_for_one(value: float) -> None:
    assert surveyor(Told(series(XID, value, UUID="GPU-1", Hostname="gpu-7"))).survey(quiet().view(), NOW) == []


def test_a_fault_of_the_application_is_over_with_its_gauge_and_a_sick_gpu_is_not() -> None:
    for code, ends in ((94, ["gpu_fault Node/gpu-7 resolved"]), (79, [])):
        told = Told(gauge(code))
        survey = surveyor(told)
        survey.survey(quiet().view(), NOW)
        told.series = [gauge(0)]
        assert said(survey.survey(quiet().view(), NOW + timedelta(minutes=1))) == ends
        assert survey.survey(quiet().view(), NOW + timedelta(minutes=2)) == []


def test_a_series_that_went_missing_ends_nothing() -> None:
    told = Told(gauge(94))
    survey = surveyor(told)
    survey.survey(quiet().view(), NOW)
    told.series = []
    assert survey.survey(quiet().view(), NOW + timedelta(minutes=1)) == []


# --- idle GPUs ------------------------------------------------------------------------------------------------------


def tts(**more: Any) -> Cluster:
    return cluster().node("gpu-1").deployment("tts", on=["gpu-1"], gpus=1, **more)


def idle_for(minutes: int, now: float = 0.0) -> Told:
    values = [70.0] * 30 + [0.0] * minutes + [now]
    return Told(*(series(m, values, "tts-0", gpu="0") for m in (UTIL, ENGINE)))


FIRES = ["idle_gpu Deployment/lab/tts firing"]


def test_an_idle_owner_is_told_once_its_class_minimum_is_over() -> None:
    assert surveyor(idle_for(119)).survey(tts().view(), NOW) == []
    survey = surveyor(idle_for(121))
    (told,) = survey.survey(tts().view(), NOW)
    assert said([told]) == FIRES
    assert isinstance(told.body, FindingBody) and told.body.detail["witnesses"] == "engine_activity, utilisation"
    assert survey.survey(tts().view(), NOW) == []
    assert surveyor(idle_for(121)).survey(tts().view(), NOW)[0].id == told.id


def test_the_minimum_comes_from_the_policies_data() -> None:
    assert said(surveyor(idle_for(31), serving="30m").survey(tts().view(), NOW)) == FIRES
    with pytest.raises(ValueError, match="half an hour"):
        surveyor(idle_for(31), serving="half an hour")


def test_activity_ends_it_and_so_does_its_end() -> None:
    for where, told in ((tts(), idle_for(121, now=88.0)), (cluster().deployment("tts", on=[]), Told())):
        metrics = idle_for(121)
        survey = surveyor(metrics)
        survey.survey(tts().view(), NOW)
        metrics.series = told.series
        assert said(survey.survey(where.view(), NOW)) == ["idle_gpu Deployment/lab/tts resolved"]


def test_silence_neither_begins_nor_ends_it() -> None:
    assert surveyor(Told()).survey(tts().view(), NOW) == []
    metrics = idle_for(121)
    survey = surveyor(metrics)
    survey.survey(tts().view(), NOW)
    metrics.series = []
    assert survey.survey(tts().view(), NOW) == []


@pytest.mark.parametrize(
    "where",
    [
        tts(annotations={"watchkeeper.dev/opt-out": "true"}),
        cluster().node("gpu-1").pod("tts-0", "gpu-1", gpus=1),
    ],
    ids=["opted out", "nobody's pod"],
)
def test_whose_gpus_cannot_be_taken_is_not_told_of(where: Cluster) -> None:
    assert surveyor(idle_for(300)).survey(where.view(), NOW) == []


def test_a_reclaim_that_was_wrong_makes_the_next_one_slower() -> None:
    wrong = past("reclaim_idle_gpu", ref("Deployment", "tts"), undo=True)
    assert surveyor(idle_for(200), wrong).survey(tts().view(), NOW) == []


def test_an_idle_gang_is_told_of_in_the_name_of_its_job() -> None:
    gang = cluster().node("gpu-1").gang("tts", on=["gpu-1"], gpus=1)
    assert said(surveyor(idle_for(300)).survey(gang.view(), NOW)) == ["idle_gpu Job/lab/tts firing"]


def test_the_number_of_queries_of_a_look_does_not_grow_with_the_pods() -> None:
    def asked(pods: int) -> int:
        where, busy = cluster().node("gpu-1", gpus=400), Told()
        where.deployment("tts", on=["gpu-1"] * pods, gpus=1)
        named = {"Hostname": "gpu-1", "gpu": "0"}
        busy.series = [series(UTIL, 90, f"tts-{n}", for_s=600, **named) for n in range(pods)]
        surveyor(busy).survey(where.view(), NOW)
        return busy.queries

    assert asked(200) == asked(2) <= 30  # once a scrape, whatever the size of the cluster


# --- gangs and restores ---------------------------------------------------------------------------------------------


def deadlock(**more: Any) -> Cluster:
    where = cluster().nodes("gpu-1", "gpu-2", "gpu-3").gang("small", on=["gpu-3"], waiting=1, **more)
    return where.gang("big", on=["gpu-1", "gpu-2"], waiting=1, **more)


def test_gangs_that_stand_in_each_others_way_are_one_finding() -> None:
    survey = surveyor(Told())
    assert survey.survey(deadlock(stuck_s=590).view(), NOW) == []
    assert said(survey.survey(deadlock().view(), NOW)) == ["gang_stuck Workload/lab/big firing"]
    assert survey.survey(deadlock().view(), NOW) == []
    whole = cluster().nodes("gpu-1", "gpu-2", "gpu-3").gang("big", on=["gpu-1", "gpu-2", "gpu-3"])
    assert said(survey.survey(whole.view(), NOW)) == ["gang_stuck Workload/lab/big resolved"]


def lacking() -> Cluster:
    """`big` runs for two hours, and a pod of it is gone without a successor: nothing says since when."""
    where = cluster().nodes("gpu-1", "gpu-2").gang("big", on=["gpu-1", "gpu-2"], waiting=1)
    del where.objects["Pod", "big-2"]
    return where


def test_a_gang_that_has_just_lost_a_pod_is_not_stuck_since_its_others_began() -> None:
    survey = surveyor(Told())
    assert survey.survey(lacking().view(), NOW) == []
    assert survey.survey(deadlock(stuck_s=15).view(), NOW + timedelta(seconds=15)) == [], "its successor waits"
    looks = [NOW + timedelta(seconds=30 * each) for each in range(1, 22)]
    *before, found = [survey.survey(lacking().view(), look) for look in looks]
    assert before == [[]] * 20
    assert said(found) == ["gang_stuck Workload/lab/big firing"]
    (body,) = [signal.body for signal in found]
    assert isinstance(body, FindingBody) and body.detail["seen_since"] == rfc3339(looks[0])


def test_what_nobody_looked_at_for_long_is_not_stuck_since_the_look_before() -> None:
    survey = surveyor(Told())
    survey.survey(lacking().view(), NOW)
    assert survey.survey(lacking().view(), NOW + timedelta(minutes=20)) == []
    assert survey.survey(lacking().view(), NOW + timedelta(minutes=25)) == []
    assert said(survey.survey(lacking().view(), NOW + timedelta(minutes=30))) == ["gang_stuck Workload/lab/big firing"]


def stopped(replicas: int = 0, **marks: str) -> Cluster:
    annotations = {"watchkeeper.dev/reclaimed-by": "inc-0/0", **{f"watchkeeper.dev/{k}": v for k, v in marks.items()}}
    return cluster().deployment("tts", on=[], replicas=replicas, annotations=annotations)


def test_what_was_stopped_is_told_of_when_it_is_needed_and_until_it_runs() -> None:
    waits = Told(series("vllm:num_requests_waiting", 4, model_name="tts", namespace="lab"))
    survey = surveyor(waits)
    assert said(survey.survey(stopped().view(), NOW)) == ["restore_needed Deployment/lab/tts firing"]
    assert survey.survey(stopped(restore="true").view(), NOW) == []
    assert said(survey.survey(stopped(replicas=2).view(), NOW)) == ["restore_needed Deployment/lab/tts resolved"]


def test_an_owners_word_and_a_stuck_gang_are_told_though_prometheus_is_down() -> None:
    survey = surveyor(Told(down=True))
    assert said(survey.survey(stopped(restore="true").view(), NOW)) == ["restore_needed Deployment/lab/tts firing"]
    with pytest.raises(MetricsUnavailable):
        survey.survey(stopped(restore="true").view(), NOW)
    assert said(survey.survey(deadlock().view(), NOW)) == ["gang_stuck Workload/lab/big firing"]
