"""One member holds up its gang: told from stages that differ, unlike models, pauses, and GPUs with full load."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent.domain.incident import Symptom
from agent.domain.thresholds import USUAL
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.pace import pace_of
from agent.evidence.straggling_facts import find_stragglers
from agent.ports import Series
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref, series
from evidence.signals import alert

UTIL, TENSOR, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_POWER_USAGE"
CLOCK, WHY, STEPS = "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "train_steps_total"
LLAMA = ref("Workload", "llama")
ON = ("gpu-1", "gpu-2", "gpu-3")
BEFORE, LATE = 120, 30  # minutes at full pace, and at the slower one

Change = tuple[float, float]
AT_PACE: Mapping[str, Change] = {
    UTIL: (97, 97),
    TENSOR: (0.4, 0.4),
    POWER: (600, 600),
    CLOCK: (1900, 1900),
    WHY: (0, 0),
}
WAITING: Mapping[str, Change] = {
    **AT_PACE,
    UTIL: (97, 100),
    TENSOR: (0.4, 0.16),
    POWER: (600, 300),
    CLOCK: (1900, 1980),
}
HOT: Mapping[str, Change] = {**AT_PACE, TENSOR: (0.4, 0.22), POWER: (600, 340), CLOCK: (1900, 1090), WHY: (0, 0x40)}


def gang(product: str = "NVIDIA-H200") -> Cluster:
    where = cluster().nodes(*ON[:2]).node(ON[2], product=product)
    return where.gang("llama", on=list(ON), gpus=1)


def steps(before: float = 30, late: float = 12) -> Series:
    moved = [before * n for n in range(BEFORE)]
    return series(STEPS, [*moved, *[moved[-1] + late * (n + 1) for n in range(LATE)]], "llama-0")


def told(*members: Mapping[str, Change], pace: Series | None = None, without: Sequence[str] = ()) -> list[Series]:
    found = [] if STEPS in without else [pace or steps()]
    for n, member in enumerate(members):
        for name, (before, late) in member.items():
            if name not in without:
                found.append(series(name, [*[before] * BEFORE, *[late] * LATE], f"llama-{n}", gpu="0"))
    return found


def straggler(metrics: Sequence[Series], where: Cluster | None = None, *history: Any) -> Any:
    about = incident(Symptom.STRAGGLER, LLAMA, alert("X"))
    return gather(about, (where or gang()).view(), Told(*metrics), Foresees(), NOW, history).values["straggler"]


def found(metrics: Sequence[Series], where: Cluster | None = None) -> list[str]:
    conditions = find_stragglers(Sight((where or gang()).view(), Told(*metrics), NOW))
    return [f"{c.subject} {c.detail['slow']}" for c in conditions]


def test_slow_clocks_while_the_others_wait() -> None:
    metrics = told(WAITING, WAITING, HOT)
    seen = straggler(metrics)
    assert (seen["slow"], seen["clocks"], seen["on_node"], seen["proven"]) == ("gpu-3", True, True, True)
    assert seen["witnesses"] == [
        "steps are made at 40% of the pace before",
        "all others wait: they compute far less",
        "its SMs run at 1090 MHz, the others' at 1980",
        "its GPUs say that something slows them down",
    ]
    assert found(metrics) == ["Workload/lab/llama gpu-3"]


def test_it_computes_as_ever_and_the_others_wait() -> None:
    seen = straggler(told(WAITING, AT_PACE, WAITING))
    assert (seen["slow"], seen["clocks"], seen["proven"]) == ("gpu-2", False, True)
    assert not seen["fits_elsewhere"], "moving it is proposed for slow hardware only"


def test_without_steps_hardware_that_says_why_is_enough() -> None:
    waiting = {**WAITING, TENSOR: (0.1, 0.1)}
    slow = {name: (late, late) for name, (_, late) in HOT.items()}
    assert straggler(told(waiting, waiting, slow, without=[STEPS]))["slow"] == "gpu-3"


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (told(AT_PACE, AT_PACE, AT_PACE), "all as it was"),
        (told(WAITING, AT_PACE, AT_PACE), "two stand out: nobody is the one"),
        (told(AT_PACE, AT_PACE, HOT, pace=steps(30, 30)), "hot, and nobody waits for it"),
        (told(WAITING, WAITING, AT_PACE, pace=steps(30, 30)), "the pace has not fallen"),
        (told(WAITING, WAITING, WAITING), "all compute less: the model or its data has changed"),
        (told(WAITING, WAITING, AT_PACE, pace=steps(30, 0)), "no steps at all is another matter"),
        (told(WAITING, WAITING, AT_PACE, without=[STEPS]), "a longer stage, for all that is known"),
        (told(WAITING, {**WAITING, TENSOR: (0.4, 0.32)}, AT_PACE), "the second does not wait"),
        (told(WAITING, WAITING, {**HOT, UTIL: (97, 5)}, pace=steps(30, 30)), "an idle GPU's clock is low"),
    ],
)  # fmt: skip
def test_what_is_no_straggler(metrics: list[Series], why: str) -> None:
    assert not straggler(metrics)["proven"], why
    assert found(metrics) == [], why


def four() -> Cluster:
    return cluster().nodes(*ON, "gpu-4").gang("llama", on=[*ON, "gpu-4"], gpus=1)


@pytest.mark.parametrize(("slow", "clocks"), [(HOT, True), (AT_PACE, False)])
def test_two_at_once_are_told_of_and_neither_is_the_one(slow: Mapping[str, Change], clocks: bool) -> None:
    metrics = told(WAITING, slow, WAITING, slow)
    seen = straggler(metrics, four())
    assert (seen["several"], seen["clocks"], seen["proven"], seen["slow"]) == (["gpu-2", "gpu-4"], clocks, False, "")
    assert seen["witnesses"][0] == "steps are made at 40% of the pace before"
    assert found(metrics, four()) == ["Workload/lab/llama gpu-2, gpu-4"]


LITTLE = {**WAITING, TENSOR: (0.1, 0.1)}
OLD = series("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 5e9, "llama-1", gpu="0")


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (told(LITTLE, HOT, LITTLE, HOT, pace=steps(30, 30)), "the pace has not fallen: they may do little by nature"),
        (told(WAITING, HOT, HOT, HOT), "more are slow than wait: the work or the cooling has changed"),
        ([*told(WAITING, HOT, WAITING, HOT), OLD], "an exporter repeats itself"),
    ],
)
def test_what_is_not_told_of_several(metrics: list[Series], why: str) -> None:
    assert straggler(metrics, four())["several"] == [], why
    assert found(metrics, four()) == [], why


def test_clocks_of_unlike_models_are_not_compared() -> None:
    slower = {name: (late, late) for name, (_, late) in {**HOT, WHY: (0, 0)}.items()}
    waiting = {**WAITING, TENSOR: (0.1, 0.1)}
    metrics = told(waiting, waiting, slower, without=[STEPS])
    assert straggler(metrics)["proven"]
    assert not straggler(metrics, gang("NVIDIA-A100"))["proven"]


def test_one_member_of_which_nothing_is_told_leaves_it_open() -> None:
    metrics = [s for s in told(WAITING, WAITING, HOT) if s.labels.get("pod") != "llama-1"]
    assert not straggler(metrics)["proven"]


def test_a_gang_that_is_not_whole_has_another_trouble() -> None:
    where = cluster().nodes(*ON).gang("llama", on=list(ON), waiting=1, gpus=1)
    assert not straggler(told(WAITING, WAITING, HOT), where)["proven"]


def test_an_exporter_that_repeats_itself_is_no_witness() -> None:
    old = series("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 5e9, "llama-1", gpu="0")
    assert not straggler([*told(WAITING, WAITING, HOT), old])["proven"]


def test_that_it_was_started_again_is_remembered() -> None:
    assert straggler(told(WAITING, WAITING, HOT), None, past("requeue_gang", LLAMA))["requeued_24h"] == 1


@pytest.mark.parametrize(
    ("counter", "fell", "why"),
    [
        (steps(), True, "30 a minute for two hours, then 12"),
        (steps(30, 25), False, "a little slower"),
        (steps(30, 0), False, "it stands"),
        (series(STEPS, [30.0 * min(n, 30) + 12.0 * max(0, n - 30) for n in range(60)], "llama-0"), False, "just begun"),
        (series(STEPS, [30.0 * min(n, 120) + 30.0 * max(0, n - 135) for n in range(150)], "llama-0"), False, "a pause"),
        (Series(steps().labels, steps().points[:-10]), False, "it is told of no more"),
    ],
)  # fmt: skip
def test_when_the_pace_has_fallen(counter: Series, fell: bool, why: str) -> None:
    assert pace_of([counter], NOW, USUAL).fell is fell, why
