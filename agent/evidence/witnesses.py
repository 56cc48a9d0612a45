"""What each metric says about one moment of a GPU: idle, busy, or nothing.

Metrics of one family come from one source and fail together, so only different families count as independent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Saying(StrEnum):
    IDLE = "idle"
    BUSY = "busy"
    NOTHING = "nothing"


Labels = Mapping[str, str]

ENGINE_IDLE_RATIO = 0.01  # profiling counters show a little noise on an idle GPU
# Idle draw by model with a margin for an open CUDA context, in watts. A GPU above twice that does work; between, or of
# a model that is not here, the draw says nothing. The first name that the model's name contains counts.
IDLE_POWER_W: tuple[tuple[str, float], ...] = (
    ("GB300", 230.0), ("GB200", 220.0), ("GH200", 150.0), ("B300", 220.0), ("B200", 200.0), ("H200", 120.0),
    ("H100", 110.0), ("H800", 110.0), ("H20", 110.0), ("A100", 85.0), ("A800", 85.0), ("V100", 70.0), ("L40", 60.0),
    ("A40", 60.0), ("A30", 45.0), ("A10", 45.0), ("L4", 30.0), ("T4", 25.0),
)  # fmt: skip
SURELY_BUSY_POWER_W = 300.0  # of any model


@dataclass(frozen=True, slots=True)
class Metric:
    """`per_gpu`: one series per GPU (else per pod). `counts`: a growing number, whose growth is what counts."""

    family: str
    per_gpu: bool
    says: Callable[[float, Labels], Saying]
    counts: bool = False


def _zero(value: float, labels: Labels) -> Saying:
    return Saying.IDLE if value == 0 else Saying.BUSY


def _ratio(value: float, labels: Labels) -> Saying:
    return Saying.IDLE if value <= ENGINE_IDLE_RATIO else Saying.BUSY


def _power(value: float, labels: Labels) -> Saying:
    model = labels.get("modelName", "").upper()
    ceiling = next((watts for name, watts in IDLE_POWER_W if name in model), None)
    if ceiling is not None and value <= ceiling:
        return Saying.IDLE
    busy_above = 2 * ceiling if ceiling is not None else SURELY_BUSY_POWER_W
    return Saying.BUSY if value > busy_above else Saying.NOTHING


_UTILISATION = Metric("utilisation", True, _zero)
_ENGINE = Metric("engine_activity", True, _ratio)
_REQUESTS = Metric("requests", False, _zero)
_PROGRESS = Metric("progress", False, _zero, counts=True)

# FB_USED is missing on purpose: memory that is held is not activity.
METRICS: Mapping[str, Metric] = {
    "DCGM_FI_DEV_GPU_UTIL": _UTILISATION,
    "DCGM_FI_DEV_MEM_COPY_UTIL": _UTILISATION,
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": _ENGINE,
    "DCGM_FI_PROF_SM_ACTIVE": _ENGINE,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": _ENGINE,
    "DCGM_FI_PROF_DRAM_ACTIVE": _ENGINE,
    "DCGM_FI_DEV_POWER_USAGE": Metric("power", True, _power),
    "vllm:num_requests_running": _REQUESTS,
    "vllm:num_requests_waiting": _REQUESTS,
    "train_steps_total": _PROGRESS,
    "training_step": _PROGRESS,
    "training_steps_total": _PROGRESS,
}
