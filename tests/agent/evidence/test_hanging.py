"""A training hangs when its steps stand still and its GPUs spin for nothing; everything else is something else."""

from collections.abc import Sequence
from typing import Any

import pytest

from agent.domain.incident import Symptom
from agent.domain.thresholds import USUAL
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.hanging import progress_of
from agent.evidence.hanging_facts import find_hanging
from agent.ports import Series
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref, series
from evidence.signals import alert

LLAMA = ref("Workload", "llama")
STEPS, UTIL = "train_steps_total", "DCGM_FI_DEV_GPU_UTIL"
POWER, TENSOR = "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"
BEFORE, AFTER = 120, 50  # minutes of steady steps, and since the last one


def training(pods: int = 3) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2", "gpu-3").gang("llama", on=["gpu-1", "gpu-2", "gpu-3"][:pods], gpus=1)


def counted(pod: str, flat: int = AFTER, every: int = 1, name: str = STEPS, **labels: str) -> Series:
    """A step every so many minutes, then none for `flat` minutes."""
    moved = [1000.0 + (n // every) * 10 for n in range(BEFORE)]
    return series(name, [*moved, *[moved[-1]] * flat], pod, **labels)


def turned(name: str, before: float, after: float, pod: str, flat: int = AFTER) -> Series:
    return series(name, [*[before] * BEFORE, *[after] * flat], pod, gpu="0")


def told(power: float = 170, tensor: float = 0.0, util: float = 100, **more: Any) -> list[Series]:
    found = []
    for n in range(more.get("pods", 3)):
        pod, flat = f"llama-{n}", more.get("flat", AFTER)
        found += [turned(POWER, 600, power, pod, flat), turned(TENSOR, 0.4, tensor, pod, flat)]
        found += [turned(UTIL, 97, util, pod, flat), counted(pod, flat, more.get("every", 1))]
    return found


def hang(where: Cluster, metrics: Sequence[Series], *history: Any) -> Any:
    about = incident(Symptom.WORKLOAD_HANGS, LLAMA, alert("TrainingStalled"))
    return gather(about, where.view(), Told(*metrics), Foresees(), NOW, history).values["hang"]


def found(where: Cluster, metrics: Sequence[Series]) -> list[str]:
    return [str(c.subject) for c in find_hanging(Sight(where.view(), Told(*metrics), NOW))]


def without(metrics: Sequence[Series], *names: str) -> list[Series]:
    return [one for one in metrics if one.labels["__name__"] not in names]


def test_no_step_little_power_and_full_utilisation_is_a_hang() -> None:
    values = hang(training(), told())
    assert values["proven"] and values["from_checkpoint"]
    assert values["witnesses"] == ["no step is made", "power fell", "tensor cores stand still"]
    assert found(training(), told()) == ["Workload/lab/llama"]


@pytest.mark.parametrize("missing", [POWER, TENSOR])
def test_either_of_power_and_tensor_cores_is_the_second_witness(missing: str) -> None:
    assert hang(training(), without(told(), missing))["proven"]


@pytest.mark.parametrize(
    ("where", "metrics", "why"),
    [
        (training(), without(told(), POWER, TENSOR), "one witness is none"),
        (training(), without(told(), STEPS), "it tells no steps"),
        (training(), told(power=590, tensor=0.35), "it computes: an evaluation"),
        (training(), told(power=170, tensor=0.2), "its tensor cores work"),
        (training(), told(util=0, power=70), "idle GPUs are another matter"),
        (training(), told(flat=20), "a checkpoint may take as long"),
        (training(), told(every=30), "it makes pauses of this length"),
        (training(), told(pods=2), "one rank is not told of"),
        (training(), [*without(told(), STEPS), series(STEPS, 0, "llama-0")], "it never made a step"),
        (training(), [*told(), counted("llama-1", flat=2, name="training_step")], "a counter moves"),
        (training(), [*told(), series("container_fs_writes_bytes_total", [n * 6e9 for n in range(60)], "llama-0")],
         "it writes its checkpoint"),
        (cluster().nodes("gpu-1", "gpu-2").gang("llama", on=["gpu-1", "gpu-2"], waiting=1, gpus=1), told(pods=2),
         "it is not whole"),
    ],
)  # fmt: skip
def test_what_is_no_hang(where: Cluster, metrics: list[Series], why: str) -> None:
    assert not hang(where, metrics)["proven"], why
    assert found(where, metrics) == [], why


def test_a_counter_that_moved_a_little_ago_means_no_hang_whatever_the_others_say() -> None:
    metrics = [*told(), counted("llama-1", flat=2, name="training_step")]
    assert hang(training(), metrics)["flat_s"] == 120


@pytest.mark.parametrize(
    ("steps", "stopped", "why"),
    [
        (counted("llama-0"), True, "steady, and then nothing"),
        (counted("llama-0", flat=45, every=25), False, "a pause of this length is usual"),
        (series(STEPS, [0.0] * 60 + [float(n) for n in range(10)] + [9.0] * 60, "llama-0"), False, "it had just begun"),
        (series(STEPS, [5.0] * 200, "llama-0"), False, "it was never seen to move"),
    ],
)
def test_when_steps_count_as_stopped(steps: Series, stopped: bool, why: str) -> None:
    assert progress_of([steps], NOW, USUAL).stopped is stopped, why


def test_the_one_rank_that_does_not_spin_is_named() -> None:
    metrics = told()
    metrics[2 + 4] = turned(UTIL, 97, 0, "llama-1")
    values = hang(training(), metrics)
    assert values["proven"] and values["odd"] == ["llama-1 on gpu-2"]


def test_stale_counters_and_stale_gauges_prove_nothing() -> None:
    late = [Series(s.labels, s.points[:-10]) for s in told()]
    assert not hang(training(), late)["proven"]


def test_how_often_it_was_started_again_is_counted() -> None:
    assert hang(training(), told(), past("requeue_gang", LLAMA))["requeued_24h"] == 1
    assert hang(training(), told(), past("requeue_gang", ref("Workload", "other")))["requeued_24h"] == 0
