"""What ails a node: the codes that its signals and gauges tell of, and whether the trouble is over.

Pure. A cleared gauge ends a fault only where it had shown that fault; silence ends nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.domain.incident import Incident
from agent.domain.signal import AlertBody, Signal, XidBody
from agent.evidence.symptoms import xids_in
from agent.evidence.xid import HARMLESS_TO_THE_GPU, Sighting, first_action, worst


@dataclass(frozen=True, slots=True)
class NodeFault:
    """`code` decides how the node is treated. `active`: nothing says that it is over."""

    code: int
    codes: tuple[int, ...]
    gpu: str
    gpu_uuid: str | None
    active: bool
    last_seen: datetime


def sightings_in(incident: Incident) -> list[Sighting]:
    return [Sighting(xid, _gpu(s), s.time) for s in incident.signals if not _over(s) for xid in xids_in(s)]


def node_fault(
    incident: Incident,
    history: Sequence[Sighting],
    current: Mapping[str, int] | None,
    repaired_at: datetime | None,
) -> NodeFault | None:
    """The fault that the incident's signals (and gauges, where they could be read) tell of; None where none does.

    `history` are the gauges' changes within a day, `current` their values now, None when they cannot be read.
    """
    seen = sightings_in(incident)
    shown = [Sighting(code, gpu, incident.opened_at) for gpu, code in sorted((current or {}).items()) if code]
    code = worst(s.xid for s in (*seen, *_while_harmless(seen, shown)))
    if code is None:
        return None
    of_code = sorted((s for s in (*seen, *shown) if s.xid == code), key=lambda s: s.at)
    gpu = next((s.gpu for s in of_code if s.gpu), "")
    return NodeFault(
        code=code,
        codes=tuple(sorted({s.xid for s in (*seen, *shown)})),
        gpu=gpu,
        gpu_uuid=_uuid(incident, code) or (gpu if gpu.startswith("GPU-") else None),
        active=_active(incident, code, history, current, repaired_at),
        last_seen=max((s.at for s in seen if s.xid == code), default=incident.opened_at),
    )


def _while_harmless(seen: Sequence[Sighting], shown: Sequence[Sighting]) -> Sequence[Sighting]:
    """An old code in a gauge makes nothing worse; it only counts where no signal named any code."""
    return () if seen else shown


def _active(
    incident: Incident,
    code: int,
    history: Sequence[Sighting],
    current: Mapping[str, int] | None,
    repaired_at: datetime | None,
) -> bool:
    if current and any(_harmful(value) for value in current.values()):
        return True
    if repaired_at is not None:
        return any(s.time > repaired_at and code in xids_in(s) and not _over(s) for s in incident.signals)
    if any(_over(s) and code in xids_in(s) for s in incident.signals):
        return False
    showed = {s.gpu for s in history if s.xid == code}
    return not (showed and current and all(current.get(gpu) == 0 for gpu in showed))


def _harmful(code: int) -> bool:
    return code > 0 and first_action(code) not in HARMLESS_TO_THE_GPU


def _over(signal: Signal) -> bool:
    return isinstance(signal.body, AlertBody) and signal.body.status == "resolved"


def _gpu(signal: Signal) -> str:
    body = signal.body
    if isinstance(body, XidBody):
        return body.gpu_uuid or body.gpu or body.pci_bus_id or ""
    if isinstance(body, AlertBody):
        return body.labels.get("UUID") or body.labels.get("gpu") or body.labels.get("pci_bus_id") or ""
    return ""


def _uuid(incident: Incident, code: int) -> str | None:
    found = (s.body.gpu_uuid for s in incident.signals if isinstance(s.body, XidBody) and s.body.xid == code)
    named = (
        s.body.labels.get("UUID") for s in incident.signals if isinstance(s.body, AlertBody) and code in xids_in(s)
    )
    return next((uuid for uuid in (*found, *named) if uuid), None)
