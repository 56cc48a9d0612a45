"""Which symptom a signal tells of, and about whom. Pure; unknown things tell of nothing rather than of everything.

Only what a site would page for opens an incident by itself; the rest is context that an open incident takes along.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.domain.cluster import ClusterView, GangState, ObjectRef, Pod, node_ref
from agent.domain.incident import Symptom
from agent.domain.signal import AlertBody, ConditionBody, EventBody, FindingBody, Signal, XidBody
from agent.domain.thresholds import Thresholds
from agent.evidence.former import of_former
from agent.evidence.gangs import stuck_s
from agent.evidence.node_names import known_node
from agent.evidence.queue_events import told_by_queue
from agent.evidence.subjects import names_a_pod_that_is_gone, subject_of, unplaced
from agent.evidence.xid import HARMLESS_TO_THE_GPU, called_for

# Alerts whose meaning is known; an alert that is not here opens an incident that a person gets.
_ALERTS: Mapping[str, Symptom] = {
    "GPUXidError": Symptom.GPU_FAULT,
    "GPUHighTemperature": Symptom.GPU_FAULT,
    "GPUUnderutilized": Symptom.IDLE_GPU,
    "KubeNodeNotReady": Symptom.NODE_UNHEALTHY,
    "KubePodNotReady": Symptom.GANG_STUCK,
    "KubeContainerWaiting": Symptom.GANG_STUCK,
    "KubePodCrashLooping": Symptom.WORKLOAD_FAILING,
    "KubeJobFailed": Symptom.WORKLOAD_FAILING,
    "KubeHpaMaxedOut": Symptom.SERVICE_SATURATED,
}
_ABOUT_PODS = frozenset({Symptom.GANG_STUCK, Symptom.WORKLOAD_FAILING, Symptom.IDLE_GPU})
_GPU_CONDITIONS = frozenset({"SysLogsXIDError", "GpuMemWatch", "GpuThermalMarginWatch", "AcceleratedHardwareReady"})
_STUCK_EVENTS = frozenset({"FailedScheduling"})
_HANG_EVENTS = frozenset({"TaskHung"})
_FAILING_EVENTS = frozenset({"BackOff"})
OWN_LOOK = "watchkeeper/survey"

# A node with a sick GPU soon reports more: all of it is one incident.
_RELATED: Mapping[Symptom, tuple[Symptom, ...]] = {
    Symptom.NODE_UNHEALTHY: (Symptom.GPU_FAULT,),
    Symptom.GPU_FAULT: (Symptom.NODE_UNHEALTHY,),
    Symptom.ALERT: (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY, Symptom.IDLE_GPU, Symptom.GANG_STUCK),
}

_XID = re.compile(r"\bxid\b[^0-9]{0,40}?(?:\(PCI:[0-9a-fA-F:.]+\)\s*:\s*)?(\d{1,3})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tells:
    symptom: Symptom
    subject: ObjectRef
    over: bool = False  # the signal says that it has ended


def related(symptom: Symptom) -> tuple[Symptom, ...]:
    """Other symptoms whose open incident about the same subject a signal of this one belongs to."""
    return _RELATED.get(symptom, ())


def tells(signal: Signal, view: ClusterView, thresholds: Thresholds) -> Tells | None:
    """The symptom and subject of a signal, or None for mere context."""
    body = signal.body
    match body:
        case XidBody():
            node = body.node if signal.source == OWN_LOOK else known_node(body.node, view.nodes)
            return Tells(_of_node(Symptom.GPU_FAULT, node, signal, view), node_ref(node))
        case AlertBody():
            return _alert(signal, body, view)
        case ConditionBody():
            symptom = Symptom.GPU_FAULT if body.condition in _GPU_CONDITIONS else Symptom.NODE_UNHEALTHY
            node = known_node(body.node, view.nodes)
            former = not body.healthy and of_former(signal, view.nodes.get(node))
            return Tells(Symptom.ALERT if former else symptom, node_ref(node), over=body.healthy)
        case FindingBody():
            return Tells(Symptom(body.symptom), body.subject, over=body.status == "resolved")
        case EventBody():
            return _event(body, view, thresholds)
        case _:
            return None


def xids_in(signal: Signal) -> tuple[int, ...]:
    """The XID codes that a signal names; text is searched for the kernel's own form only."""
    body = signal.body
    if isinstance(body, XidBody):
        return (body.xid,)
    if isinstance(body, AlertBody) and body.alertname == "GPUXidError":
        label = body.labels.get("xid") or body.labels.get("err_code") or ""
        return (int(label),) if label.isdecimal() and 0 < int(label) < 1000 else ()
    if isinstance(body, ConditionBody) and body.condition == "SysLogsXIDError" and not body.healthy:
        found = _XID.search(body.message) or _XID.search(body.reason)
        return (int(found[1]),) if found else ()
    return ()


def _alert(signal: Signal, body: AlertBody, view: ClusterView) -> Tells | None:
    over = body.status == "resolved"
    symptom = _ALERTS.get(body.alertname, Symptom.ALERT)
    if symptom in _ABOUT_PODS and names_a_pod_that_is_gone(body.labels, view):
        return None  # whatever it was, it has ended with the pod; often the agent itself moved the gang
    subject = subject_of(symptom, body.labels, view)
    if symptom is Symptom.GANG_STUCK and (subject is None or subject not in view.gangs):
        symptom = Symptom.WORKLOAD_FAILING  # a pod of no gang that does not start
    if subject is None:
        symptom, subject = Symptom.ALERT, unplaced(body)
    if subject.kind == "Node":
        symptom = _of_node(symptom, subject.name, signal, view)
    return Tells(symptom, subject, over=over)


def _of_node(symptom: Symptom, node: str, signal: Signal, view: ClusterView) -> Symptom:
    """Trouble of a node that this cluster does not have goes to a person: it may be spelled otherwise, or gone, or it
    was of a machine that had the name before. What the agent's own look finds is left alone, since one Prometheus may
    serve several clusters."""
    codes = xids_in(signal)
    harmless = called_for(codes) in HARMLESS_TO_THE_GPU if codes else symptom is Symptom.GPU_FAULT
    gone = node not in view.nodes or of_former(signal, view.nodes[node])
    if not gone or signal.source == OWN_LOOK or harmless:
        return symptom
    return Symptom.ALERT


def _event(body: EventBody, view: ClusterView, thresholds: Thresholds) -> Tells | None:
    queued = told_by_queue(body, view, thresholds)
    if queued is not None:
        return Tells(*queued)
    if body.severity != "Warning":
        return None
    if body.involved.kind == "Pod":
        pod = view.pods.get((body.involved.namespace or "", body.involved.name))
        return _pod_event(body, pod, view, thresholds) if pod else None
    if body.reason in _HANG_EVENTS and body.involved.kind == "Node":
        return Tells(Symptom.NODE_UNHEALTHY, node_ref(known_node(body.involved.name, view.nodes)))
    return None


def _pod_event(body: EventBody, pod: Pod, view: ClusterView, thresholds: Thresholds) -> Tells | None:
    gang = view.gangs.get(pod.gang) if pod.gang else None
    if body.reason in _STUCK_EVENTS and gang is not None and gang.state is GangState.STUCK:
        # A gang of which nothing runs waits in its queue, as queues are for; one that runs in part is stuck. One that
        # has only just begun to wait may be starting; if it stays stuck, the agent's own look finds it.
        young = gang.stuck_since is not None and stuck_s(gang, view.taken_at) < thresholds.gang_stuck_after_s
        return None if young else Tells(Symptom.GANG_STUCK, gang.ref)
    often = body.count >= thresholds.backoff_events_min  # the kubelet waits longer each time
    if body.reason in _FAILING_EVENTS and often and pod.gpus and pod.waiting_reason:
        return Tells(Symptom.WORKLOAD_FAILING, pod.owner or pod.ref)
    if body.reason in _HANG_EVENTS and gang is not None:
        return Tells(Symptom.WORKLOAD_HANGS, gang.ref)
    return None
