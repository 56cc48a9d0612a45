"""dcgm-exporter: the series of one node's GPUs, from what the pods on them do."""

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from agent.adapters.simulated.behaviour import Behaviour
from agent.adapters.simulated.exporters.activity import NOTHING, Activity
from agent.adapters.simulated.exporters.gpu_models import PRODUCT_LABEL, GpuModel, model_of
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.ports import JsonObject

BUS_IDS = ("1B", "43", "52", "61", "9D", "C3", "D1", "DF")  # of an HGX board
COOL_C, HOT_C, THROTTLED_C = 32, 70, 91
IDLE_CLOCK_MHZ = 345
THROTTLED_SHARE = 0.55  # of clock, power and work that a throttled GPU has left
GPU_IDLE, SW_POWER_CAP, HW_THERMAL_SLOWDOWN = 0x1, 0x4, 0x40  # bits of NVML's clocks event reasons
REASONS = {"thermal": HW_THERMAL_SLOWDOWN, "power": SW_POWER_CAP}
VIOLATIONS = {"thermal": "DCGM_FI_DEV_THERMAL_VIOLATION", "power": "DCGM_FI_DEV_POWER_VIOLATION"}
NANOSECONDS = 1e9
ENERGY, MILLIJOULES = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 1e3  # since the driver was loaded

Holder = tuple[str, str, str, Activity]  # namespace, pod, container, what it does


def product_of(node: JsonObject) -> str:
    return str((node["metadata"].get("labels") or {}).get(PRODUCT_LABEL, "NVIDIA"))


def series(
    node: str, product: str, holders: Sequence[Holder | None], throttled: Behaviour | None
) -> dict[Labels, Sample]:
    """`holders`: who has each GPU, in their order."""
    found: dict[Labels, Sample] = {}
    for index, holder in enumerate(holders):
        labels = device_labels(node, product, index)
        doing = NOTHING
        if holder is not None:
            labels["namespace"], labels["pod"], labels["container"], doing = holder
        slowed = throttled.detail if throttled is not None and doing.percent else ""
        gauges = _gauges(model_of(product), doing, slowed)
        for name, value in gauges.items():
            found[labels_of(name, labels)] = Sample(value)
        found[labels_of(ENERGY, labels)] = Sample(None, MILLIJOULES * gauges["DCGM_FI_DEV_POWER_USAGE"])
        for kind, name in VIOLATIONS.items():
            found[labels_of(name, labels)] = Sample(None, NANOSECONDS * THROTTLED_SHARE if slowed == kind else 0.0)
    return found


def device_labels(node: str, product: str, index: int) -> dict[str, str]:
    return {
        "gpu": str(index),
        "UUID": f"GPU-{uuid5(NAMESPACE_URL, f'watchkeeper:{node}:{index}')}",
        "pci_bus_id": f"00000000:{BUS_IDS[index % len(BUS_IDS)]}:00.0",
        "device": f"nvidia{index}",
        "modelName": product,
        "Hostname": node,
    }


def _gauges(model: GpuModel, doing: Activity, slowed: str) -> dict[str, float]:
    share = THROTTLED_SHARE if slowed else 1.0
    used = round(model.memory_mib * doing.memory)
    effort = doing.effort * share
    reasons = REASONS[slowed] if slowed else 0 if doing.percent else GPU_IDLE
    return {
        "DCGM_FI_DEV_GPU_UTIL": doing.percent,
        "DCGM_FI_DEV_MEM_COPY_UTIL": round(doing.tensor * share * 100),
        "DCGM_FI_DEV_FB_USED": used,
        "DCGM_FI_DEV_FB_FREE": model.memory_mib - used,
        "DCGM_FI_DEV_POWER_USAGE": round(model.idle_w + (model.peak_w - model.idle_w) * effort),
        "DCGM_FI_DEV_GPU_TEMP": THROTTLED_C if slowed == "thermal" else round(COOL_C + (HOT_C - COOL_C) * effort),
        "DCGM_FI_DEV_SM_CLOCK": round(model.clock_mhz * share) if doing.percent else IDLE_CLOCK_MHZ,
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": reasons,
        "DCGM_FI_DEV_XID_ERRORS": 0,
        "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
        "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 0,
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": doing.percent / 100,
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": round(doing.tensor * share, 4),
        "DCGM_FI_PROF_DRAM_ACTIVE": round(doing.tensor * share * 0.8, 4),
    }
