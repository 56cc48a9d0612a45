"""Late news of what is closed already: the same trouble told again by another source, or by a storm that goes on.

One fault reaches the agent as a kernel line, a gauge, an event and an alert, minutes apart. Where the first of them was
enough to end the matter, the others must not begin it anew; a fault that comes back must.
"""

from dataclasses import dataclass
from datetime import datetime

from agent.domain.incident import Incident, IncidentState
from agent.domain.signal import AlertBody, ConditionBody, EventBody, FindingBody, Signal
from agent.evidence.symptoms import xids_in

OTHER_WITNESS_S = 900  # alerts have `for:` clauses and groups; the slowest of usual chains is well within this
STORM_S = 300  # lines of one storm follow each other faster than this
STANDING_S = 3600  # events of a standing condition are repeated for as long as it stands; once an hour is a reminder
OLD_NEWS_S = 3600  # a line told so long after it was: a log shipped late, or a clock gone wrong; no witness of today

_ENDED_WELL = frozenset({IncidentState.RESOLVED, IncidentState.CANCELLED, IncidentState.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Closed:
    """An incident that has ended, how, and when."""

    incident: Incident
    state: IncidentState
    at: datetime


def is_echo(signal: Signal, closed: Closed | None, now: datetime) -> bool:
    """Does the signal only repeat what the closed incident was about?"""
    if closed is None or _is_news(signal, closed):
        return False
    age_s = (now - closed.at).total_seconds()
    if closed.state in _ENDED_WELL:
        return signal.time <= closed.at and age_s <= OTHER_WITNESS_S  # it began before the end, and was told late
    if isinstance(signal.body, EventBody):
        return age_s <= STANDING_S
    same = [s.time for s in closed.incident.signals if (s.source, s.type) == (signal.source, signal.type)]
    if same:
        return (signal.time - max(same)).total_seconds() <= STORM_S
    return age_s <= OTHER_WITNESS_S


def _is_news(signal: Signal, closed: Closed) -> bool:
    if closed.state is IncidentState.EXPIRED and isinstance(signal.body, AlertBody):
        return True  # nobody answered, and somebody's alert asks again
    if closed.state is IncidentState.NO_ACTION and isinstance(signal.body, FindingBody):
        return True  # the agent looked again, and now it has lasted long enough to mean something
    return _tells_of_now(signal, closed.incident) or _names_new_xid(signal, closed.incident)


def _tells_of_now(signal: Signal, incident: Incident) -> bool:
    """All that the incident heard were lines that were old when they came, and the signal is not."""
    if any(isinstance(s.body, AlertBody | ConditionBody | FindingBody) for s in incident.signals):
        return False
    heard = [(incident.opened_at - s.time).total_seconds() for s in (*incident.signals, signal)]
    return min(heard[:-1], default=0) > OLD_NEWS_S >= heard[-1]


def _names_new_xid(signal: Signal, incident: Incident) -> bool:
    known = {xid for seen in incident.signals for xid in xids_in(seen)}
    return bool(set(xids_in(signal)) - known)
