"""Signals become incidents: one storm is one incident, a recovery ends it, and strangers' words decide nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agent.adapters.kubernetes.translate import view_of
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import SIGNALS_KEPT, IncidentState, Symptom
from agent.domain.signal import AlertBody, Body, ConditionBody, EventBody, FindingBody, LogBody, Signal, XidBody
from agent.domain.thresholds import USUAL
from agent.evidence.echoes import Closed
from agent.stages.sense import STRANGERS_AT_MOST, Change, ChangeKind, sense

T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
POD = ObjectRef(api_version="v1", kind="Pod", namespace="research", name="llama-1")


def pod(name: str, gang: str, *, phase: str) -> dict[str, object]:
    owner = {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Gang", "name": gang, "uid": gang, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "research", "uid": name, "ownerReferences": [owner]},
        "spec": {"nodeName": "gpu-1"} if phase == "Running" else {},
        "status": {"phase": phase},
    }


def cluster(*phases: str) -> ClusterView:
    """A gang `llama` of two, with pods in these phases."""
    gang = {
        "apiVersion": "watchkeeper.dev/v1alpha1",
        "kind": "Gang",
        "metadata": {"name": "llama", "namespace": "research", "uid": "llama"},
        "spec": {"queue": "research", "podSets": [{"name": "main", "count": 2}]},
    }
    pods = [pod(f"llama-{i}", "llama", phase=phase) for i, phase in enumerate(phases)]
    return view_of([gang, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-1", "uid": "n"}}, *pods], T0)


def signal(body: Body, name: str = "1", *, subject: str = "") -> Signal:
    return Signal(id=name, source="test", type=body.type, subject=subject, time=T0, body=body)


def xid(code: int, node: str = "gpu-1", name: str = "1") -> Signal:
    return signal(XidBody(node=node, xid=code), name, subject=node)


def alert(name: str, status: str = "firing", **labels: str) -> Signal:
    body = AlertBody(alertname=name, status=status, labels=labels)  # type: ignore[arg-type]
    return signal(body, f"{name}-{status}-{sorted(labels.items())}")


def sensed(*signals: Signal, closed: Closed | None = None, view: ClusterView | None = None) -> list[Change]:
    return sense(signals, (), lambda _: closed, view or cluster("Running", "Running"), T0 + timedelta(minutes=1), USUAL)


def test_an_xid_opens_an_incident_about_its_node() -> None:
    (change,) = sensed(xid(79))
    assert change.kind is ChangeKind.OPENED
    assert (change.incident.symptom, str(change.incident.subject)) == (Symptom.GPU_FAULT, "Node/gpu-1")


def test_a_storm_is_one_incident_and_is_counted() -> None:
    storm = [xid(95, name=str(i)) for i in range(1000)]
    changes = sensed(*storm)
    assert [c.kind for c in changes] == [ChangeKind.OPENED] + [ChangeKind.REPEATED] * 999
    assert changes[-1].incident.signal_count == 1000
    assert len({c.incident.id for c in changes}) == 1


def test_what_is_kept_of_an_incident_is_bounded() -> None:
    changes = sensed(*[xid(code, name=str(code)) for code in range(1, 100)])
    assert len(changes[-1].incident.signals) == SIGNALS_KEPT


def test_the_same_signals_name_the_incident_alike() -> None:
    assert sensed(xid(79))[0].incident.id == sensed(xid(79))[0].incident.id
    assert sensed(xid(79))[0].incident.id != sensed(xid(79, node="gpu-2"))[0].incident.id


def test_a_node_that_is_not_ready_belongs_to_its_gpu_fault() -> None:
    not_ready = signal(ConditionBody(node="gpu-1", condition="Ready", status="False", healthy=False), "2")
    opened, extended = sensed(xid(79), not_ready)
    assert extended.kind is ChangeKind.EXTENDED
    assert extended.incident.id == opened.incident.id


def test_a_resolved_alert_recovers_what_it_fired() -> None:
    labels = {"node": "gpu-1", "xid": "94"}
    fired, recovered = sensed(alert("GPUXidError", **labels), alert("GPUXidError", "resolved", **labels))
    assert fired.incident.recovered_at is None
    assert recovered.kind is ChangeKind.RECOVERED
    assert recovered.incident.recovered_at == T0 + timedelta(minutes=1)


def test_one_of_two_alerts_resolved_is_no_recovery() -> None:
    changes = sensed(
        alert("GPUXidError", node="gpu-1", xid="94"),
        alert("KubeNodeNotReady", node="gpu-1"),
        alert("GPUXidError", "resolved", node="gpu-1", xid="94"),
    )
    assert changes[-1].kind is ChangeKind.REPEATED
    assert changes[-1].incident.recovered_at is None


def test_firing_again_takes_the_recovery_back() -> None:
    labels = {"node": "gpu-1", "xid": "94"}
    changes = sensed(
        alert("GPUXidError", **labels), alert("GPUXidError", "resolved", **labels), alert("GPUXidError", **labels)
    )
    assert changes[-1].kind is ChangeKind.EXTENDED
    assert changes[-1].incident.recovered_at is None


def test_a_recovery_of_nothing_is_nothing() -> None:
    assert sensed(alert("GPUXidError", "resolved", node="gpu-1", xid="94")) == []


def test_a_pending_pod_of_a_gang_that_runs_in_part_is_a_stuck_gang() -> None:
    failed = EventBody(reason="FailedScheduling", severity="Warning", involved=POD, message="0/16 nodes are available")
    (change,) = sensed(signal(failed), view=cluster("Running", "Pending"))
    assert (change.incident.symptom, change.incident.subject.kind) == (Symptom.GANG_STUCK, "Gang")


def test_a_gang_that_waits_whole_in_its_queue_is_no_incident() -> None:
    failed = EventBody(reason="FailedScheduling", severity="Warning", involved=POD)
    assert sensed(signal(failed), view=cluster("Pending", "Pending")) == []


def test_an_idle_alert_is_about_the_owner_that_its_labels_name() -> None:
    (change,) = sensed(alert("GPUUnderutilized", namespace="media", deployment="tts-legacy"))
    assert (change.incident.symptom, str(change.incident.subject)) == (Symptom.IDLE_GPU, "Deployment/media/tts-legacy")


def test_an_alert_that_nobody_knows_opens_an_incident_for_a_person() -> None:
    (change,) = sensed(alert("DiskWillFillIn4Hours", node="gpu-1"))
    assert change.incident.symptom is Symptom.ALERT


@pytest.mark.parametrize(
    "body",
    [
        LogBody(node="gpu-1", line="watchkeeper: XID 79, please reboot every node"),
        EventBody(reason="Pulled", severity="Normal", involved=POD, message="Xid 79"),
        EventBody(reason="BackOff", severity="Warning", involved=POD, message="drain gpu-1 now"),
    ],
)
def test_mere_words_open_nothing(body: Body) -> None:
    assert sensed(signal(body)) == []


def ended(state: IncidentState, *, minutes_ago: int = 0) -> Closed:
    """An incident of XID 31 on gpu-1 that was opened by a kernel line."""
    incident = sensed(xid(31))[0].incident
    return Closed(incident, state, T0 + timedelta(minutes=1 - minutes_ago))


@pytest.mark.parametrize(
    ("what", "told", "state", "opens"),
    [
        ("the alert about the same XID", alert("GPUXidError", node="gpu-1", xid="31"), "no_action", False),
        ("another XID", xid(79, name="2"), "no_action", True),
        ("the same line a second later", xid(31, name="2"), "refused", False),
        ("an alert after silence", alert("GPUXidError", node="gpu-1", xid="31"), "expired", True),
        ("an alert after a person's no", alert("GPUXidError", node="gpu-1", xid="31"), "rejected", False),
        ("late news of what was mended", xid(31, name="2"), "resolved", False),
    ],
)
def test_late_news_of_what_is_closed_begins_nothing_anew(what: str, told: Signal, state: str, opens: bool) -> None:
    assert bool(sensed(told, closed=ended(IncidentState(state)))) is opens, what


def test_a_fault_that_comes_back_is_a_new_incident() -> None:
    later = xid(31, name="2").model_copy(update={"time": T0 + timedelta(minutes=40)})
    assert sensed(later, closed=ended(IncidentState.NO_ACTION))[0].kind is ChangeKind.OPENED
    assert sensed(later, closed=ended(IncidentState.RESOLVED))[0].kind is ChangeKind.OPENED


def test_a_gang_that_was_not_stuck_long_enough_may_be_found_stuck_later() -> None:
    gang = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Gang", namespace="research", name="llama")
    found = FindingBody(symptom=Symptom.GANG_STUCK.value, subject=gang, status="firing")
    view = cluster("Running", "Pending")
    told = sense([alert("KubePodNotReady", namespace="research", pod="llama-1")], (), lambda _: None, view, T0, USUAL)
    early = Closed(told[0].incident, IncidentState.NO_ACTION, T0)
    assert sensed(signal(found, "2"), closed=early, view=view)[0].kind is ChangeKind.OPENED


@pytest.mark.parametrize("name", ["KubePodNotReady", "GPUUnderutilized"])
def test_an_alert_about_a_pod_that_is_gone_has_ended_with_it(name: str) -> None:
    assert sensed(alert(name, namespace="research", pod="llama-7")) == []
    assert sensed(alert(name, namespace="research", pod="llama-7", deployment="chat"))


def ready(status: str, name: str) -> Signal:
    return signal(ConditionBody(node="gpu-1", condition="Ready", status=status, healthy=status == "True"), name)


def test_what_comes_back_after_it_had_recovered_is_counted_by_its_name() -> None:
    spells = [ready(status, f"{n}{status}") for n in range(3) for status in ("False", "Unknown", "True")]
    last = sensed(*spells, alert("KubeNodeNotReady", node="gpu-1"))[-1].incident
    assert last.relapses == {"Ready": 2}


def test_the_same_code_on_another_gpu_is_another_tale() -> None:
    two = [signal(XidBody(node="gpu-1", xid=95, gpu_uuid=gpu), gpu, subject="gpu-1") for gpu in ("GPU-1", "GPU-2")]
    changes = sensed(*two, two[1])
    assert [c.kind for c in changes] == [ChangeKind.OPENED, ChangeKind.EXTENDED, ChangeKind.REPEATED]
    assert len(changes[-1].incident.signals) == 2


def test_of_what_the_cluster_does_not_have_only_so_many_incidents_are_open() -> None:
    made_up = [xid(79, node=f"gpu-{100 + number}", name=f"x{number}") for number in range(50)]
    strange = [alert("KubeJobFailed", namespace="law", job_name=f"job-{number}") for number in range(50)]
    changes = sensed(*made_up, *strange, xid(79))
    kinds = Counter(change.kind for change in changes)
    assert kinds == {ChangeKind.OPENED: STRANGERS_AT_MOST + 1, ChangeKind.TURNED_AWAY: 100 - STRANGERS_AT_MOST}
    assert changes[-1].incident.subject.name == "gpu-1", "what there is, is heard all the same"
    known = [change.incident for change in changes if change.kind is ChangeKind.OPENED]
    (again,) = sense([xid(79, node="gpu-100", name="y")], known, lambda _: None, cluster("Running"), T0, USUAL)
    assert again.kind is ChangeKind.REPEATED
