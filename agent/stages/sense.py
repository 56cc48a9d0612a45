"""Signals in, incidents out: what belongs together, what is new, what is over.

Which symptom a signal tells of is decided in `agent/evidence/symptoms.py`; here is only the bookkeeping, because
a storm of a hundred thousand lines must become one incident and a redelivery must become nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.domain.cluster import ClusterView
from agent.domain.incident import SIGNALS_KEPT, Incident, incident_id, incident_key
from agent.domain.signal import AlertBody, ConditionBody, FindingBody, Signal, XidBody
from agent.domain.thresholds import Thresholds
from agent.evidence.echoes import Closed, is_echo
from agent.evidence.subjects import is_strange, names_nothing
from agent.evidence.symptoms import Tells, related, tells

LastClosed = Callable[[str], Closed | None]
"""The newest closed incident of a key."""


class ChangeKind(StrEnum):
    OPENED = "opened"
    EXTENDED = "extended"  # it tells something that the incident did not know yet
    REPEATED = "repeated"  # the same again: counted, not recorded
    RECOVERED = "recovered"
    TURNED_AWAY = "turned_away"  # one more about something that the cluster does not have


STRANGERS_AT_MOST = 20  # open at once: a renamed rack, not what somebody makes up; a person is called for each
NAMELESS_AT_MOST = 20  # so are alerts that name no object: their own number, so that neither crowds out the other


@dataclass(frozen=True, slots=True)
class Change:
    kind: ChangeKind
    incident: Incident
    signal: Signal


def sense(
    batch: Sequence[Signal],
    open_incidents: Sequence[Incident],
    last_closed: LastClosed,
    view: ClusterView,
    now: datetime,
    thresholds: Thresholds,
) -> list[Change]:
    """What `batch` (oldest first) changes about the open incidents."""
    incidents = {incident.key: incident for incident in open_incidents}
    changes: list[Change] = []
    for signal in batch:
        told = tells(signal, view, thresholds)
        change = _place(signal, told, incidents, last_closed, view, now) if told else None
        if change is not None and change.kind is ChangeKind.OPENED and _too_many(change.incident, incidents, view):
            changes.append(Change(ChangeKind.TURNED_AWAY, change.incident, signal))
        elif change is not None:
            incidents[change.incident.key] = change.incident
            changes.append(change)
    return changes


def _too_many(opened: Incident, incidents: Mapping[str, Incident], view: ClusterView) -> bool:
    """About something that the cluster does not have, or nothing that it could, while as many such are open as may."""
    if names_nothing(opened.subject):
        return sum(names_nothing(each.subject) for each in incidents.values()) >= NAMELESS_AT_MOST
    if not is_strange(opened.subject, view):
        return False
    return sum(is_strange(each.subject, view) for each in incidents.values()) >= STRANGERS_AT_MOST


def _place(
    signal: Signal,
    told: Tells,
    incidents: dict[str, Incident],
    last_closed: LastClosed,
    view: ClusterView,
    now: datetime,
) -> Change | None:
    known = _incident_for(told, incidents)
    if told.over:
        return _recover(known, signal, view, now) if known else None
    if known is None:
        late = any(is_echo(signal, last_closed(key), now) for key in _keys(told))
        return _open(signal, told, now) if not late else None
    same = [s for s in known.signals if _same_tale(signal, s)]
    news = not same or any(_is_good(s) for s in same)
    others = tuple(s for s in known.signals if s not in same)
    relapses = _counted(known, signal) if any(_is_good(s) for s in same) else known.relapses
    extended = known.model_copy(
        update={
            "signals": (*others, signal)[-SIGNALS_KEPT:] if news else known.signals,
            "signal_count": known.signal_count + 1,
            "recovered_at": None,
            "relapses": relapses,
        }
    )
    return Change(ChangeKind.EXTENDED if news else ChangeKind.REPEATED, extended, signal)


def _incident_for(told: Tells, incidents: dict[str, Incident]) -> Incident | None:
    """The incident of this symptom and subject, or one that a related symptom opened about the same subject."""
    return next((incidents[key] for key in _keys(told) if key in incidents), None)


def _keys(told: Tells) -> list[str]:
    return [incident_key(symptom, told.subject) for symptom in (told.symptom, *related(told.symptom))]


def _open(signal: Signal, told: Tells, now: datetime) -> Change:
    key = incident_key(told.symptom, told.subject)
    incident = Incident(
        id=incident_id(key, signal), symptom=told.symptom, subject=told.subject, opened_at=now, signals=(signal,)
    )
    return Change(ChangeKind.OPENED, incident, signal)


def _recover(known: Incident, signal: Signal, view: ClusterView, now: datetime) -> Change | None:
    """Over when every state that was reported as bad has been reported as good since; a mere line has no such end."""
    if _ended_before(known, signal) and not _is_so_now(signal, view):
        counted = known.model_copy(update={"signal_count": known.signal_count + 1})
        return Change(ChangeKind.REPEATED, counted, signal)
    signals = (*(s for s in known.signals if not _same_tale(signal, s)), signal)[-SIGNALS_KEPT:]
    still_bad = any(_is_state(s) and not _is_good(s) for s in signals)
    updated = known.model_copy(
        update={
            "signals": signals,
            "signal_count": known.signal_count + 1,
            "recovered_at": None if still_bad else (known.recovered_at or now),
        }
    )
    if not still_bad and known.recovered_at is None:
        return Change(ChangeKind.RECOVERED, updated, signal)
    return Change(ChangeKind.REPEATED, updated, signal)


def _ended_before(known: Incident, good: Signal) -> bool:
    """The end of an earlier time, told late: what it would end, or all that the incident knows, is of after it."""
    bad = [s for s in known.signals if not _is_good(s)]
    meant = [s for s in bad if _same_tale(good, s)] or bad
    return bool(meant) and all(good.time < s.time for s in meant)


def _is_so_now(good: Signal, view: ClusterView) -> bool:
    """A condition that its node bears at this moment is no late word, whatever the clock that dated it says: NotReady
    is dated by the controller manager, Ready by the kubelet."""
    body = good.body
    if not isinstance(body, ConditionBody) or body.node not in view.nodes:
        return False
    return any((c.type, c.status) == (body.condition, body.status) for c in view.nodes[body.node].conditions)


def _counted(known: Incident, signal: Signal) -> dict[str, int]:
    body = signal.body
    name = body.condition if isinstance(body, ConditionBody) else getattr(body, "alertname", signal.type)
    return {**known.relapses, name: known.relapses.get(name, 0) + 1}


def _same_tale(a: Signal, b: Signal) -> bool:
    """Do both speak of the same thing, so that the newer replaces the older?"""
    one, two = a.body, b.body
    if isinstance(one, AlertBody) and isinstance(two, AlertBody):
        return (one.alertname, one.labels) == (two.alertname, two.labels)
    if isinstance(one, ConditionBody) and isinstance(two, ConditionBody):
        return (one.node, one.condition) == (two.node, two.condition)
    if isinstance(one, FindingBody) and isinstance(two, FindingBody):
        return (one.symptom, one.subject) == (two.symptom, two.subject)
    return a.type == b.type and a.subject == b.subject and _code(a) == _code(b)


def _code(signal: Signal) -> object:
    body = signal.body
    if isinstance(body, XidBody):
        return body.xid, body.gpu_uuid or body.pci_bus_id or body.gpu  # on another GPU it is another tale
    return getattr(body, "reason", None)


def _is_state(signal: Signal) -> bool:
    return isinstance(signal.body, AlertBody | ConditionBody | FindingBody)


def _is_good(signal: Signal) -> bool:
    body = signal.body
    if isinstance(body, ConditionBody):
        return body.healthy
    return isinstance(body, AlertBody | FindingBody) and body.status == "resolved"
