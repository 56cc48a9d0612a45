"""Kubernetes quantities and what a pod asks for: the larger of its init containers and of those that run together.

GPUs are whole devices and MIG slices alike: whoever holds a slice holds a GPU that another cannot have whole.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from agent.adapters.kubernetes.fields import Fields

GPU = "nvidia.com/gpu"
MAX_GPUS = 100_000  # of one container or node; more is a typing error
_GPU_LIKE = (GPU, "nvidia.com/gpu.shared")
_MIG_PREFIX = "nvidia.com/mig-"
_QUANTITY = re.compile(r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?")
_SUFFIX = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip


def parse_quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity stands for. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, suffix = match.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIX[suffix or ""])


def quantities(at: Fields, field: str) -> dict[str, str]:
    """A resource list, as written, once every quantity in it has been understood."""
    found = at.strings(field)
    for resource, text in found.items():
        whole = is_gpu(resource)
        try:
            number = parse_quantity(text)
        except ValueError:
            raise at.wrong(f"{field}.{resource}", f"expected a quantity, found {text!r}") from None
        if number < 0 or (whole and (number != int(number) or number > MAX_GPUS)):
            kind = f"whole quantity from 0 to {MAX_GPUS}" if whole else "quantity ≥ 0"
            raise at.wrong(f"{field}.{resource}", f"expected a {kind}, found {text!r}")
    return found


def is_gpu(resource: str) -> bool:
    return resource in _GPU_LIKE or resource.startswith(_MIG_PREFIX)


def gpus_in(resources: Mapping[str, str]) -> int:
    return sum(int(parse_quantity(text)) for resource, text in resources.items() if is_gpu(resource))


def pod_requests(spec: Fields) -> dict[str, str]:
    """What the scheduler must find room for, given a pod's (or a pod template's) spec."""
    together = [_container_requests(c) for c in spec.objects("containers")]
    before: list[dict[str, str]] = []
    for container in spec.objects("initContainers"):
        sidecar = container.text("restartPolicy") == "Always"
        (together if sidecar else before).append(_container_requests(container))
    if spec.has("overhead"):
        together.append(quantities(spec, "overhead"))
    return _larger([_sum(together), *before])


def _container_requests(container: Fields) -> dict[str, str]:
    resources = container.within("resources")
    limits, requests = quantities(resources, "limits"), quantities(resources, "requests")
    if not limits or limits == requests:
        return requests
    return {**limits, **requests} if requests else limits


def _sum(parts: list[dict[str, str]]) -> dict[str, str]:
    if len(parts) == 1:
        return parts[0]  # as written
    names = sorted({name for part in parts for name in part})
    return {name: _plain(sum(parse_quantity(part[name]) for part in parts if name in part)) for name in names}


def _larger(parts: list[dict[str, str]]) -> dict[str, str]:
    best: dict[str, str] = {}
    for part in parts:
        for name, text in part.items():
            if name not in best or parse_quantity(text) > parse_quantity(best[name]):
                best[name] = text
    return best


def _plain(number: Decimal | int) -> str:
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
