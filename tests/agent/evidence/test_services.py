"""Is a service saturated, or has it far too many replicas? From the metrics of its pods, whatever else is said."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView
from agent.domain.forecast import GpuForecast, Gpus
from agent.domain.incident import Symptom
from agent.domain.proposal import Prediction
from agent.domain.thresholds import USUAL
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.serving_facts import find_saturated
from agent.evidence.spare_facts import find_oversized
from agent.evidence.symptoms import tells
from agent.ports import Series
from evidence.field import NOW, Cluster, Told, cluster, incident, past, ref, series
from evidence.signals import alert

TTS = ref("Deployment", "tts")
WAITING, CACHE = "vllm:num_requests_waiting", "vllm:gpu_cache_usage_perc"
UTIL, ENGINE = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"


class Room:
    """A forecaster of a cluster with so many GPUs free; `hurts` is who starts only without the change."""

    def __init__(self, free: int, gpus: int = 2, hurts: str = "") -> None:
        self.free, self.gpus, self.hurts = free, gpus, hurts

    def what_if(self, view: ClusterView, changes: Sequence[Mapping[str, Any]]) -> Prediction:
        more = sum(int(change["replicas"]) - 4 for change in changes)
        fits = self.gpus * more <= self.free
        left = self.free - self.gpus * more if fits else self.free
        delays = (self.hurts,) if self.hurts and more else ()
        gpus = GpuForecast(before=Gpus(free=self.free), after=Gpus(free=left))
        return Prediction(gpus=gpus, delays=delays)


def service(replicas: int = 4, **more: Any) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2").deployment("tts", on=["gpu-1"] * replicas, gpus=2, **more)


def maxed_out(where: Cluster, most: int = 4, **status: Any) -> Cluster:
    where.autoscaler("tts", "tts", 1, most)
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    return where.change("HorizontalPodAutoscaler", "tts", {"status": {
        "currentReplicas": most, "desiredReplicas": most, "conditions": [limited], **status,
    }})  # fmt: skip


def load(waiting: float | None = 5, cache: float | None = 0.97, util: float | None = None, **more: Any) -> list[Series]:
    pods, for_s, label = range(more.get("pods", 4)), more.get("for_s", 1800), more.get("label", "")
    found = []
    for n in pods:
        names = {f"{label}pod": f"tts-{n}", f"{label}namespace": "lab"}
        values = [(WAITING, waiting), (CACHE, cache)]
        found += [series(name, value, for_s=for_s, **names) for name, value in values if value is not None]
        if util is not None:
            found += [series(UTIL, util, for_s=for_s, gpu=str(gpu), **names) for gpu in range(2)]
    return found


def facts(where: Cluster, told: Sequence[Series], room: Room | None = None, **more: Any) -> Any:
    about = incident(Symptom.SERVICE_SATURATED, TTS, alert("KubeHpaMaxedOut"))
    return gather(about, where.view(), Told(*told), room or Room(8), NOW, more.get("history", ())).values["service"]


def test_a_queue_and_full_caches_are_two_witnesses() -> None:
    found = facts(service(), load())
    assert found["saturated"] and found["witnesses"] == ["requests wait", "caches are full"]
    assert (found["to_replicas"], found["to_max_replicas"]) == (5, None)
    assert facts(service(), load(label="exported_"))["saturated"], "whatever Prometheus calls the labels"


def test_an_autoscaler_is_given_more_room_and_never_overruled() -> None:
    found = facts(maxed_out(service()), load(cache=None))
    assert found["saturated"] and (found["to_replicas"], found["to_max_replicas"]) == (None, 5)
    assert not facts(maxed_out(service(), most=9, desiredReplicas=4), load())["saturated"], "it still has room"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (load(cache=None), "one witness is none"),
        (load(cache=0.5), "the caches have room"),
        (load(for_s=300), "not for long enough"),
        (load(pods=3), "one replica is not told of"),
        (load(waiting=0.5), "fewer wait than there are replicas"),
        ([*load(), series("vllm:num_requests_running", 0, "tts-1")], "one replica runs no request"),
        (load(util=0), "the GPUs do nothing"),
        ([], "no telemetry"),
    ],
)
def test_what_does_not_prove_it(told: list[Series], why: str) -> None:
    assert not facts(service(), told)["saturated"], why


def test_an_empty_queue_speaks_against_an_autoscaler_at_its_limit() -> None:
    found = facts(maxed_out(service()), load(waiting=0, cache=None, util=95))
    assert found["against"] == ["no request waits"] and not found["saturated"]


def test_a_service_whose_pods_are_not_well_is_failing() -> None:
    crash = {
        "status": {"conditions": [], "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
    }
    found = facts(service().change("Pod", "tts-3", crash), load())
    assert found["failing"] == ["tts-3 CrashLoopBackOff"] and found["step"] == 0
    assert facts(service(replicas=3).change("Deployment", "tts", {"spec": {"replicas": 4}}), load())["failing"]


def test_it_grows_only_into_room_that_nobody_else_waits_for() -> None:
    full = facts(service(), load(), Room(1))
    assert full["saturated"] and full["step"] == 0 and "1 GPUs are free" in full["no_room"]
    assert facts(service(), load(), Room(8, hurts="Gang/lab/a"))["step"] == 0


def test_how_often_it_grew_is_counted() -> None:
    history = (past("scale_workload", TTS), past("scale_workload", ref("Deployment", "other")))
    found = facts(service(), load(), history=history)
    assert (found["scaled_24h"], found["scaled_ago_s"]) == (1, 1200)


def sight(where: Cluster, told: Sequence[Series], *history: Any) -> Sight:
    return Sight(where.view(), Told(*told), NOW, history)


def test_the_agents_own_look_finds_it_and_gives_a_step_its_time() -> None:
    assert [c.subject for c in find_saturated(sight(service(), load()))] == [TTS]
    assert find_saturated(sight(service(), load(waiting=0))) == []
    assert find_saturated(sight(service(), load(), past("scale_workload", TTS))) == []


def test_the_alert_about_an_autoscaler_is_about_what_it_scales() -> None:
    named = alert("KubeHpaMaxedOut", namespace="lab", horizontalpodautoscaler="tts")
    about = incident(Symptom.ALERT, TTS, named).signals[0]
    told = tells(about, maxed_out(service()).view(), USUAL)
    assert told is not None and (told.symptom, told.subject) == (Symptom.SERVICE_SATURATED, TTS)
    unknown = tells(about, service().view(), USUAL)
    assert unknown is not None and unknown.symptom is Symptom.ALERT, "a person finds out what it was"


# --- far too many ---------------------------------------------------------------------------------------------------

DAY_S = 26 * 3600


def old(replicas: int = 6, age: timedelta = timedelta(days=9), **more: Any) -> Cluster:
    where = service(replicas, **more)
    for n in range(replicas):
        where.change("Pod", f"tts-{n}", {"metadata": {"creationTimestamp": rfc3339(NOW - age)}})
    return where


def day(share: float, peak: float | None = None, *, pods: int = 6, for_s: int = DAY_S) -> list[Series]:
    found = []
    for n in range(pods):
        for gpu in range(2):
            for name, full in ((UTIL, 100.0), (ENGINE, 1.0)):
                values = [share * full] * (for_s // 60)
                values[100:160] = [(share if peak is None else peak) * full] * 60
                found.append(series(name, values, f"tts-{n}", gpu=str(gpu)))
    return found


def spare(where: Cluster, told: Sequence[Series]) -> Any:
    about = incident(Symptom.SERVICE_OVERSIZED, TTS, alert("KubeHpaMaxedOut"))
    return gather(about, where.view(), Told(*told), Room(8), NOW, ()).values["spare"]


def test_a_whole_days_peak_that_half_of_them_could_carry() -> None:
    found = spare(old(), day(0.1, peak=0.2))
    assert found["far_too_many"] and (found["needed"], found["to_replicas"]) == (2, 5)
    assert [c.subject for c in find_oversized(sight(old(), day(0.1)))] == [TTS]


@pytest.mark.parametrize(
    ("where", "told", "why"),
    [
        (old(), day(0.05, peak=0.7), "the peak needs them"),
        (old(), day(0.05, peak=0.4), "the peak needs four of six: that is not half"),
        (old(), day(0.05, for_s=12 * 3600), "half a day is known"),
        (old(age=timedelta(hours=3)), day(0.05), "its replicas are new"),
        (old(2), day(0.05, pods=2), "of two, one is there for the other"),
        (old(), day(0.05, pods=5), "one replica is not told of"),
        (old(), day(0.0), "it does nothing at all: idleness is judged elsewhere"),
        (old(), [*day(0.05), series(WAITING, [0] * 60 + [3] * 60 + [0] * 60, "tts-1")], "requests waited"),
        (old(), [s for s in day(0.05) if s.labels["__name__"] == UTIL], "one witness is none"),
        (old(replicas=6, kind="StatefulSet"), day(0.05), "another object"),
    ],
)
def test_who_does_not_have_far_too_many(where: Cluster, told: list[Series], why: str) -> None:
    found = spare(where, told)
    assert found is None or not found["far_too_many"], why
    assert [c.subject for c in find_oversized(sight(where, told)) if c.subject == TTS] == [], why
