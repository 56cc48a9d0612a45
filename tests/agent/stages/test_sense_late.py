"""What comes late or out of order: the end of an earlier time ends nothing, a former machine's word is not the new
one's, old news hides no new ones, and of what names nothing only so much is passed on."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agent.adapters.kubernetes.translate import view_of
from agent.domain.cluster import ClusterView
from agent.domain.incident import Incident, IncidentState, Symptom
from agent.domain.signal import AlertBody, Body, ConditionBody, Signal, XidBody
from agent.domain.thresholds import USUAL
from agent.evidence.echoes import Closed
from agent.stages.sense import NAMELESS_AT_MOST, Change, ChangeKind, sense

NOW = datetime(2026, 11, 2, 9, 6, tzinfo=UTC)
FIRST, LATER = "09:01:00", "09:05:00"


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-02T{clock}Z")


def cluster(born: str = "2026-11-01T08:00:00Z", *conditions: str, status: str = "True") -> ClusterView:
    said = [{"type": name, "status": status, "lastTransitionTime": "2026-11-02T09:03:00Z"} for name in conditions]
    metadata = {"name": "gpu-1", "uid": "n", "creationTimestamp": born}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"conditions": said}}
    return view_of([node], NOW)


def told(body: Body, clock: str) -> Signal:
    name = f"{body.model_dump_json()}{clock}"
    return Signal(id=name, source="test", type=body.type, subject="gpu-1", time=at(clock), body=body)


def alert(clock: str, status: str = "firing", name: str = "GPUXidError", **labels: str) -> Signal:
    body = {"alertname": name, "status": status, "labels": labels or {"node": "gpu-1", "xid": "79"}}
    return told(AlertBody.model_validate(body), clock)


def condition(clock: str, *, healthy: bool) -> Signal:
    status = "False" if healthy else "True"
    body = ConditionBody(node="gpu-1", condition="SysLogsXIDError", status=status, healthy=healthy, message="Xid: 79")
    return told(body, clock)


def xid(clock: str, code: int = 79) -> Signal:
    return told(XidBody(node="gpu-1", xid=code), clock)


def sensed(*signals: Signal, closed: Closed | None = None, view: ClusterView | None = None) -> list[Change]:
    return sense(signals, (), lambda _: closed, view or cluster(), NOW, USUAL)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (alert(LATER), alert(FIRST, "resolved")),
        (alert(LATER, name="NobodyKnowsIt"), alert(FIRST, "resolved", name="NobodyKnowsIt")),
        (condition(LATER, healthy=False), condition(FIRST, healthy=True)),
        (xid(LATER), alert(FIRST, "resolved")),
    ],
)
def test_the_end_of_an_earlier_time_ends_nothing_and_is_counted(bad: Signal, good: Signal) -> None:
    opened, counted = sensed(bad, good)
    assert (opened.kind, counted.kind) == (ChangeKind.OPENED, ChangeKind.REPEATED)
    assert (counted.incident.recovered_at, counted.incident.signals) == (None, (bad,))
    assert counted.incident.signal_count == 2


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (alert(FIRST), alert(LATER, "resolved")),
        (alert(FIRST), alert(FIRST, "resolved")),
        (condition(FIRST, healthy=False), condition(LATER, healthy=True)),
    ],
)
def test_its_own_end_ends_it(bad: Signal, good: Signal) -> None:
    assert sensed(bad, good)[-1].kind is ChangeKind.RECOVERED


@pytest.mark.parametrize(("now", "kind"), [("False", ChangeKind.RECOVERED), ("True", ChangeKind.REPEATED)])
def test_a_condition_that_the_node_bears_now_is_no_late_word_whatever_the_clock_of_the_kubelet_says(
    now: str, kind: ChangeKind
) -> None:
    view = cluster("2026-11-01T08:00:00Z", "SysLogsXIDError", status=now)
    assert sensed(condition(LATER, healthy=False), condition(FIRST, healthy=True), view=view)[-1].kind is kind


def test_an_end_told_late_is_no_recovery_of_what_had_recovered_and_came_back() -> None:
    spell = [alert(FIRST), alert("09:02:00", "resolved"), alert(LATER), alert("09:03:00", "resolved")]
    assert sensed(*spell)[-1].incident.recovered_at is None


@pytest.mark.parametrize("word", [xid("09:03:59"), alert("09:03:59"), condition("09:03:59", healthy=False)])
def test_a_word_from_before_the_machine_of_this_name_is_for_a_person(word: Signal) -> None:
    (change,) = sensed(word, view=cluster("2026-11-02T09:04:00Z"))
    assert (change.kind, change.incident.symptom) == (ChangeKind.OPENED, Symptom.ALERT)


@pytest.mark.parametrize("word", [xid("09:04:00"), xid(LATER), alert(LATER), condition(LATER, healthy=False)])
def test_a_word_of_its_own_time_is_about_it(word: Signal) -> None:
    assert sensed(word, view=cluster("2026-11-02T09:04:00Z"))[0].incident.symptom is Symptom.GPU_FAULT


def test_a_condition_that_the_new_node_bears_itself_is_its_own() -> None:
    view = cluster("2026-11-02T09:04:00Z", "SysLogsXIDError")
    assert sensed(condition("09:03:00", healthy=False), view=view)[0].incident.symptom is Symptom.GPU_FAULT


def test_a_word_that_comes_again_is_heard_though_the_former_machines_is_open_or_closed() -> None:
    view = cluster("2026-11-02T09:04:00Z")
    former, own = sensed(xid("09:03:00"), xid(LATER), view=view)
    assert (own.kind, own.incident.symptom) == (ChangeKind.OPENED, Symptom.GPU_FAULT)
    closed = {former.incident.key: Closed(former.incident, IncidentState.ESCALATED, NOW)}
    assert [c.kind for c in sense([xid(LATER)], (), closed.get, view, NOW, USUAL)] == [ChangeKind.OPENED]


def old(days: int) -> Closed:
    """An XID 79 that was told that long ago and came in just now: it was refused as old news."""
    incident: Incident = sensed(xid(FIRST).model_copy(update={"time": NOW - timedelta(days=days)}))[0].incident
    return Closed(incident, IncidentState.REFUSED, NOW)


def test_what_is_told_now_is_no_echo_of_old_news() -> None:
    assert [c.kind for c in sensed(alert(LATER), closed=old(days=4))] == [ChangeKind.OPENED]
    assert sensed(alert(LATER), closed=old(days=0)) == [], "another witness of the same"
    late = alert(LATER).model_copy(update={"time": NOW - timedelta(days=4)})
    assert sensed(late, closed=old(days=4)) == [], "as old as what was told"


def test_alerts_that_name_nothing_are_bounded_by_themselves() -> None:
    nameless = [alert(LATER, name=f"A{n}", namespace=f"ns{n}", pod="p") for n in range(120)]
    strange = [alert(LATER, name="KubeJobFailed", namespace="law", job_name=f"job-{n}") for n in range(3)]
    kinds = Counter(change.kind for change in sensed(*nameless, *strange))
    assert kinds == {ChangeKind.OPENED: NAMELESS_AT_MOST + 3, ChangeKind.TURNED_AWAY: 120 - NAMELESS_AT_MOST}
