"""Which GPU is meant, and whose it is: kernel lines name a PCI bus id, alerts an index, repairs a UUID.

What dcgm-exporter says about each GPU of a node joins the three. A GPU that no series describes is not known, and what
is not known is not guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.evidence.labels import node_of, pod_of
from agent.ports import Series

_BUS_ID = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-7])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Gpu:
    uuid: str
    index: str
    bus_id: str
    mig: bool
    pods: frozenset[tuple[str, str]]  # (namespace, name) of those that the exporter saw on it


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of one node, as far as telemetry describes them."""

    known: tuple[Gpu, ...] = ()

    def find(self, name: str) -> Gpu | None:
        """By UUID, index or bus id; None when none or more than one answers to it."""
        found = [gpu for gpu in self.known if name and name in (gpu.uuid, gpu.index, gpu.bus_id)]
        found = found or [gpu for gpu in self.known if gpu.bus_id and gpu.bus_id == bus_id(name)]
        return found[0] if len(found) == 1 else None

    def resolved(self, name: str) -> str:
        """The UUID where it is known, else the name as it came."""
        gpu = self.find(name)
        return gpu.uuid if gpu else bus_id(name) or name


def bus_id(text: str) -> str:
    """`PCI:0000:b3:00` and `00000000:B3:00.0` name one device."""
    found = _BUS_ID.search(text)
    return f"{int(found[1], 16):x}:{found[2]}:{found[3]}".lower() if found else ""


def gpus_of(node: str, series: Iterable[Series]) -> Gpus:
    by_uuid: dict[str, Gpu] = {}
    for one in series:
        labels = one.labels
        uuid = labels.get("UUID") or labels.get("uuid") or ""
        if not uuid or node_of(labels) != node:
            continue
        before = by_uuid.get(uuid)
        pod = pod_of(labels)
        pods = (before.pods if before else frozenset()) | ({pod} if pod[1] else frozenset())
        by_uuid[uuid] = Gpu(
            uuid=uuid,
            index=labels.get("gpu", "") or (before.index if before else ""),
            bus_id=bus_id(labels.get("pci_bus_id", "")) or (before.bus_id if before else ""),
            mig=bool(labels.get("GPU_I_ID")) or (before is not None and before.mig),
            pods=pods,
        )
    return Gpus(tuple(by_uuid[uuid] for uuid in sorted(by_uuid)))
