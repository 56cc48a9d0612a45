"""Idleness: two independent witnesses over every GPU, no contradiction, and silence proves nothing."""

from datetime import timedelta

import pytest

from agent.domain.cluster import Pod
from agent.evidence.holders import find_holder
from agent.evidence.idle import IdleFinding, judge_idle
from agent.ports import Series
from evidence.field import NOW, cluster, ref, series

UTIL, ENGINE, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_POWER_USAGE"
H200 = {"modelName": "NVIDIA H200"}


def pods(*gpus: int) -> tuple[Pod, ...]:
    where = cluster().node("gpu-1")
    where.deployment("tts", on=["gpu-1"] * len(gpus))
    for index, count in enumerate(gpus):
        where.pod(f"tts-{index}", "gpu-1", owner=where.objects["Deployment", "tts"], gpus=count)
    holder = find_holder(where.view(), ref("Deployment", "tts"))
    assert holder is not None
    return holder.pods


def judged(*told: Series, gpus: tuple[int, ...] = (1,)) -> IdleFinding:
    return judge_idle(told, pods(*gpus), NOW)


def test_utilisation_and_engine_at_zero_are_two_witnesses() -> None:
    found = judged(series(UTIL, 0, "tts-0", gpu="0"), series(ENGINE, 0.002, "tts-0", gpu="0"))
    assert (found.witnesses, found.contradictions) == (("engine_activity", "utilisation"), ())
    assert (found.idle_s, found.coverage, found.gpus, found.observed_at) == (3 * 3600, 1.0, 1, NOW)
    assert found.proven


def test_two_metrics_of_one_family_are_one_witness() -> None:
    found = judged(series(ENGINE, 0, "tts-0", gpu="0"), series("DCGM_FI_PROF_SM_ACTIVE", 0, "tts-0", gpu="0"))
    assert found.witnesses == ("engine_activity",) and not found.proven


def test_memory_that_is_held_is_no_activity() -> None:
    held = series("DCGM_FI_DEV_FB_USED", 38210, "tts-0", gpu="0")
    found = judged(series(UTIL, 0, "tts-0", gpu="0"), series(ENGINE, 0, "tts-0", gpu="0"), held)
    assert found.proven


def test_it_is_idle_since_the_later_of_the_two_witnesses() -> None:
    lately = [*[40.0] * 60, *[0.0] * 31]
    found = judged(series(UTIL, lately, "tts-0", gpu="0"), series(ENGINE, 0, "tts-0", gpu="0"))
    assert found.idle_s == 1800


def test_one_busy_sample_breaks_the_streak() -> None:
    blip = [*[0.0] * 100, 3.0, *[0.0] * 20]
    found = judged(series(UTIL, blip, "tts-0", gpu="0"), series(ENGINE, 0, "tts-0", gpu="0"))
    assert found.idle_s == 19 * 60 and not found.contradictions


@pytest.mark.parametrize(
    ("engine", "util", "power"), [(0, 99, 600), (0, 0, 650), (0.9, 0, 75)], ids=["stuck engine", "power", "stuck util"]
)
def test_a_witness_that_says_otherwise_is_a_fault_of_the_telemetry(engine: float, util: float, power: float) -> None:
    found = judged(
        series(UTIL, util, "tts-0", gpu="0"),
        series(ENGINE, engine, "tts-0", gpu="0"),
        series(POWER, power, "tts-0", gpu="0", **H200),
    )
    assert found.contradictions and not found.proven


def test_requests_that_are_served_contradict_idle_gpus() -> None:
    found = judged(
        series(UTIL, 0, "tts-0", gpu="0"),
        series(ENGINE, 0, "tts-0", gpu="0"),
        series("vllm:num_requests_running", 12, "tts-0"),
    )
    assert found.contradictions == (
        "requests is active while engine_activity is idle",
        "requests is active while utilisation is idle",
    )


def test_waking_up_is_activity_and_no_contradiction() -> None:
    woke = [*[0.0] * 120, 88.0]
    found = judged(series(UTIL, woke, "tts-0", gpu="0"), series(ENGINE, [*[0.0] * 120, 0.8], "tts-0", gpu="0"))
    assert (found.witnesses, found.contradictions, found.idle_s) == ((), (), 0)


@pytest.mark.parametrize(("watts", "witnesses"), [(90.0, ("power",)), (180.0, ()), (600.0, ())])
def test_power_speaks_for_idleness_only_near_the_models_idle_draw(watts: float, witnesses: tuple[str, ...]) -> None:
    assert judged(series(POWER, watts, "tts-0", gpu="0", **H200)).witnesses == witnesses


def test_power_of_an_unknown_model_says_nothing() -> None:
    assert judged(series(POWER, 5, "tts-0", gpu="0", modelName="Abacus 1")).witnesses == ()


def test_steps_that_stand_still_are_a_witness_and_steps_that_grow_are_activity() -> None:
    grows = [float(n) for n in range(120)]
    assert judged(series("training_step", 5000, "tts-0")).witnesses == ("progress",)
    assert judged(series("training_step", grows, "tts-0"), series(UTIL, 0, "tts-0", gpu="0")).contradictions


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((), "no series at all"),
        ((series(UTIL, 0, "tts-0", gpu="0"), series(ENGINE, 0, "tts-0", gpu="0")), "the second pod is not heard of"),
        (
            tuple(series(m, 0, f"tts-{n}", gpu="0") for m in (UTIL, ENGINE) for n in (0, 1)),
            "the second GPU of the second pod is not heard of",
        ),
        (
            tuple(
                series(m, 0, p, gpu=g) for m in (UTIL, ENGINE) for p, g in (("x-0", "0"), ("x-1", "0"), ("x-1", "1"))
            ),
            "the series are of other pods",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_missing_series_proves_nothing(told: tuple[Series, ...], why: str) -> None:
    found = judged(*told, gpus=(1, 2))
    assert not found.proven and found.coverage < 1.0, why


def test_every_gpu_of_every_pod_is_heard() -> None:
    where = (("tts-0", "0"), ("tts-1", "0"), ("tts-1", "1"))
    found = judged(*(series(m, 0, p, gpu=g) for m in (UTIL, ENGINE) for p, g in where), gpus=(1, 2))
    assert found.proven and found.coverage == 1.0


def test_a_stale_series_tells_of_another_time() -> None:
    old = series(UTIL, 0, "tts-0", gpu="0")
    stale = Series(old.labels, tuple((at - timedelta(minutes=6), v) for at, v in old.points))
    assert judged(stale, series(ENGINE, 0, "tts-0", gpu="0")).witnesses == ("engine_activity",)


def test_nobody_knows_what_happened_in_a_gap() -> None:
    whole = series(UTIL, 0, "tts-0", gpu="0")
    gap = Series(whole.labels, tuple(p for p in whole.points if not 20 < (NOW - p[0]).total_seconds() / 60 < 40))
    assert judged(gap, series(ENGINE, 0, "tts-0", gpu="0")).idle_s == 20 * 60


def test_renamed_labels_and_mig_instances_are_told_apart() -> None:
    def mig(metric: str, instance: str) -> Series:
        labels = {"exported_namespace": "lab", "exported_pod": "tts-0", "namespace": "monitoring", "pod": "dcgm-x"}
        return series(metric, 0, UUID="GPU-1", GPU_I_ID=instance, **labels)

    engine = [mig(ENGINE, "1"), mig(ENGINE, "2")]
    assert judged(*engine, series("vllm:num_requests_running", 0, "tts-0"), gpus=(2,)).proven
    assert not judged(engine[0], series("vllm:num_requests_running", 0, "tts-0"), gpus=(2,)).proven
