"""What ails a node: the codes that its signals and gauges tell of, and whether the trouble is over.

Pure. A cleared gauge ends a fault only where it had shown that fault; silence ends nothing. Where the kernel's log and
DCGM tell different tales of one GPU, the milder one is believed first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from agent.domain.incident import Incident
from agent.domain.signal import AlertBody, Signal, XidBody
from agent.evidence.gpus import Gpus
from agent.evidence.recovery import named_recovery
from agent.evidence.symptoms import xids_in
from agent.evidence.xid import CONSEQUENCES, HARMLESS_TO_THE_GPU, FirstAction, Sighting, called_for, severity, worst

LOG_SOURCE = "logs"
SAME_TALE_S = 600  # a gauge that changed longer before the log's line than this tells of something else
_SAYS_NOTHING_ELSE = CONSEQUENCES | {63, 64, 154}  # these go along with other codes and contradict none
_NO_GPUS = Gpus()


@dataclass(frozen=True, slots=True)
class NodeFault:
    """`code` decides how the node is treated, and `action` is how. `active`: nothing says that it is over. `sick_gpus`:
    those whose gauges read a harmful code now. `disputed`: the log and DCGM disagree, and this is the milder of the
    two. `confirmed`: the GPU's gauge says the same, or there is none to say anything.
    """

    code: int
    codes: tuple[int, ...]
    action: FirstAction
    gpu: str
    gpu_uuid: str | None
    active: bool
    sick_gpus: tuple[str, ...]
    disputed: bool
    confirmed: bool
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class _Tale:
    """What was said about one GPU ("" for signals that name none)."""

    gpu: str
    codes: frozenset[int]
    action: FirstAction
    disputed: bool = False


def sightings_in(incident: Incident, gpus: Gpus = _NO_GPUS) -> list[Sighting]:
    return [
        Sighting(xid, gpus.resolved(_gpu(s)), s.time) for s in incident.signals if not _over(s) for xid in xids_in(s)
    ]


def node_fault(
    incident: Incident,
    history: Sequence[Sighting],
    current: Mapping[str, int] | None,
    repaired_at: datetime | None,
    gpus: Gpus = _NO_GPUS,
    mended: Mapping[str, datetime] = MappingProxyType({}),
) -> NodeFault | None:
    """The fault that the incident's signals (and gauges, where they could be read) tell of; None where none does.

    `history` are the gauges' changes within a day, `current` their values now, None when they cannot be read. `mended`
    are GPUs that were reset and since when: where another is sick too, that one is meant now.
    """
    told_of = sightings_in(incident, gpus)
    seen = [s for s in told_of if s.gpu not in mended or s.at > mended[s.gpu]]
    if not seen and not any(_harmful(code) for gpu, code in (current or {}).items() if gpu not in mended):
        seen = told_of
    shown = [Sighting(code, gpu, incident.opened_at) for gpu, code in sorted((current or {}).items()) if code]
    if seen:
        tales = [_told(incident, gpu, seen, history, gpus) for gpu in sorted({s.gpu for s in seen})]
    else:  # an old code in a gauge makes nothing worse; it only counts where no signal named any code
        tales = [_tale(gpu, [s for s in shown if s.gpu == gpu]) for gpu in sorted({s.gpu for s in shown})]
    if not tales:
        return None
    told = max(tales, key=lambda t: (severity(t.action), bool(t.gpu), t.gpu))
    told = _placed(told, current)
    code = worst(told.codes - CONSEQUENCES) or worst(told.codes) or 0
    return NodeFault(
        code=code,
        codes=tuple(sorted({s.xid for s in (*seen, *shown)})),
        action=told.action,
        gpu=told.gpu,
        gpu_uuid=told.gpu if told.gpu.startswith("GPU-") else _uuid(incident, code),
        active=_active(incident, code, history, current, repaired_at),
        sick_gpus=tuple(sorted(gpu for gpu, value in (current or {}).items() if _harmful(value))),
        disputed=told.disputed,
        confirmed=not current or told.gpu not in current or current[told.gpu] in told.codes,
        last_seen=max((s.at for s in seen if s.xid in told.codes), default=incident.opened_at),
    )


def _placed(tale: _Tale, current: Mapping[str, int] | None) -> _Tale:
    """A line whose bus id no series names belongs to the one GPU whose gauge reads its code."""
    same = [gpu for gpu, code in sorted((current or {}).items()) if code in tale.codes]
    return tale if tale.gpu in (current or {}) or len(same) != 1 else replace(tale, gpu=same[0])


def _told(incident: Incident, gpu: str, seen: Sequence[Sighting], history: Sequence[Sighting], gpus: Gpus) -> _Tale:
    of_gpu = [s for s in seen if s.gpu == gpu]
    named = [
        (s.time, action)
        for s in incident.signals
        if gpus.resolved(_gpu(s)) == gpu and (action := named_recovery(s)) is not None
    ]
    tale = _tale(gpu, of_gpu)
    if named:
        tale = replace(tale, action=max(named)[1])
    return _milder(tale, incident, history, gpus)


def _tale(gpu: str, sightings: Sequence[Sighting]) -> _Tale:
    codes = frozenset(s.xid for s in sightings)
    return _Tale(gpu, codes, called_for(codes))


def _milder(tale: _Tale, incident: Incident, history: Sequence[Sighting], gpus: Gpus) -> _Tale:
    """DCGM's word on this GPU, where it is of the same time and another than the log's."""
    logged = [s for s in incident.signals if s.source == LOG_SOURCE and gpus.resolved(_gpu(s)) == tale.gpu]
    lines = {xid for s in logged for xid in xids_in(s)}
    if not lines:
        return tale
    since = min(s.time for s in logged) - timedelta(seconds=SAME_TALE_S)
    by_gauge = {s.xid for s in history if s.gpu == tale.gpu and s.at >= since and s.xid}
    others = tale.codes - lines
    gauged = (by_gauge | others) - _SAYS_NOTHING_ELSE
    if not gauged or gauged & lines or called_for(gauged) is called_for(lines):
        return tale
    mild = min((gauged, lines), key=lambda codes: severity(called_for(codes)))
    return _Tale(tale.gpu, frozenset(mild), called_for(mild), disputed=True)


def _active(
    incident: Incident,
    code: int,
    history: Sequence[Sighting],
    current: Mapping[str, int] | None,
    repaired_at: datetime | None,
) -> bool:
    if any(_harmful(value) for value in (current or {}).values()):
        return True
    if repaired_at is not None:
        return any(s.time > repaired_at and code in xids_in(s) and not _over(s) for s in incident.signals)
    if any(_over(s) and code in xids_in(s) for s in incident.signals):
        return False
    showed = {s.gpu for s in history if s.xid == code}
    cleared = showed and current and all(current.get(gpu) == 0 for gpu in showed)
    return not cleared or _told_since(_cleared_at(showed, history), incident, code)


def _cleared_at(gpus: set[str], history: Sequence[Sighting]) -> datetime | None:
    """When the last of these gauges went back to 0; it is read coarsely, so rather minutes late than early."""
    return max((s.at for s in history if s.gpu in gpus and s.xid == 0), default=None)


def _told_since(cleared_at: datetime | None, incident: Incident, code: int) -> bool:
    """A line of the kernel after the gauge was cleared tells of the same fault come back."""
    return cleared_at is not None and any(
        s.source == LOG_SOURCE and s.time > cleared_at and code in xids_in(s) for s in incident.signals
    )


def _harmful(code: int) -> bool:
    return code > 0 and called_for({code}) not in HARMLESS_TO_THE_GPU


def _over(signal: Signal) -> bool:
    return isinstance(signal.body, AlertBody) and signal.body.status == "resolved"


def _gpu(signal: Signal) -> str:
    body = signal.body
    if isinstance(body, XidBody):
        return body.gpu_uuid or body.gpu or body.pci_bus_id or ""
    if isinstance(body, AlertBody):
        labels = body.labels
        return labels.get("UUID") or labels.get("gpu") or labels.get("pci_bus_id") or ""
    return ""


def _uuid(incident: Incident, code: int) -> str | None:
    found = (s.body.gpu_uuid for s in incident.signals if isinstance(s.body, XidBody) and s.body.xid == code)
    named = (
        s.body.labels.get("UUID") for s in incident.signals if isinstance(s.body, AlertBody) and code in xids_in(s)
    )
    return next((uuid for uuid in (*found, *named) if uuid), None)
