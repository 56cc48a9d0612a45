"""What a GPU of a model has and draws: the few numbers by which an SRE tells an idle one from one at work."""

from dataclasses import dataclass

PRODUCT_LABEL = "nvidia.com/gpu.product"


@dataclass(frozen=True, slots=True)
class GpuModel:
    name: str
    memory_mib: int
    idle_w: int
    peak_w: int
    clock_mhz: int  # of the SMs under load, when nothing slows them


# The first whose name the product label contains, so the longer names stand before what they contain.
MODELS = (
    GpuModel("GB200", 189_471, 130, 1200, 1980),
    GpuModel("B200", 183_359, 140, 1000, 1965),
    GpuModel("GH200", 97_871, 90, 700, 1980),
    GpuModel("H200", 143_771, 76, 700, 1980),
    GpuModel("H100", 81_559, 70, 700, 1980),
    GpuModel("A100", 81_920, 55, 400, 1410),
    GpuModel("V100", 32_768, 40, 300, 1530),
    GpuModel("L40S", 46_068, 35, 350, 2520),
    GpuModel("L40", 46_068, 35, 300, 2490),
    GpuModel("A40", 46_068, 30, 300, 1740),
    GpuModel("A10", 23_028, 20, 150, 1695),
    GpuModel("L4", 23_034, 13, 72, 2040),
    GpuModel("T4", 15_360, 10, 70, 1590),
)
UNKNOWN = GpuModel("NVIDIA", 81_559, 60, 660, 1800)


def model_of(product: str) -> GpuModel:
    return next((model for model in MODELS if model.name in product.upper()), UNKNOWN)
