"""Which symptom a signal tells of, and about whom. Pure; unknown things tell of nothing rather than of everything.

Only what a site would page for opens an incident by itself; the rest is context that an open incident takes along.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.domain.cluster import ClusterView, GangState, ObjectRef, node_ref
from agent.domain.incident import Symptom
from agent.domain.signal import AlertBody, ConditionBody, EventBody, FindingBody, Signal, XidBody
from agent.evidence.gangs import STUCK_AFTER_S, stuck_s

NODE_LABELS = ("node", "Hostname", "hostname", "kubernetes_node", "exported_node")
NAMESPACE_LABELS = ("exported_namespace", "namespace")
POD_LABELS = ("exported_pod", "pod")
AUTOSCALER_LABELS = ("horizontalpodautoscaler", "hpa", "exported_horizontalpodautoscaler")

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
_NODE_EVENTS = frozenset({"TaskHung"})
_FAILING_EVENTS = frozenset({"BackOff"})
BACKOFF_COUNT = 5  # the kubelet waits longer each time: by the fifth it has tried for some minutes

# A node with a sick GPU soon reports more: all of it is one incident.
_RELATED: Mapping[Symptom, tuple[Symptom, ...]] = {
    Symptom.NODE_UNHEALTHY: (Symptom.GPU_FAULT,),
    Symptom.GPU_FAULT: (Symptom.NODE_UNHEALTHY,),
    Symptom.ALERT: (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY, Symptom.IDLE_GPU, Symptom.GANG_STUCK),
}

_OWNER_LABELS: tuple[tuple[str, str, str], ...] = (
    ("notebook", "kubeflow.org/v1", "Notebook"),
    ("notebook_name", "kubeflow.org/v1", "Notebook"),
    ("deployment", "apps/v1", "Deployment"),
    ("statefulset", "apps/v1", "StatefulSet"),
    ("job_name", "batch/v1", "Job"),
)

_XID = re.compile(r"\bxid\b[^0-9]{0,40}?(?:\(PCI:[0-9a-fA-F:.]+\)\s*:\s*)?(\d{1,3})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tells:
    symptom: Symptom
    subject: ObjectRef
    over: bool = False  # the signal says that it has ended


def related(symptom: Symptom) -> tuple[Symptom, ...]:
    """Other symptoms whose open incident about the same subject a signal of this one belongs to."""
    return _RELATED.get(symptom, ())


def tells(signal: Signal, view: ClusterView) -> Tells | None:
    """The symptom and subject of a signal, or None for mere context."""
    body = signal.body
    match body:
        case XidBody():
            return Tells(Symptom.GPU_FAULT, node_ref(body.node))
        case AlertBody():
            return _alert(body, view)
        case ConditionBody():
            symptom = Symptom.GPU_FAULT if body.condition in _GPU_CONDITIONS else Symptom.NODE_UNHEALTHY
            return Tells(symptom, node_ref(body.node), over=body.healthy)
        case FindingBody():
            return Tells(Symptom(body.symptom), body.subject, over=body.status == "resolved")
        case EventBody():
            return _event(body, view)
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


def _alert(body: AlertBody, view: ClusterView) -> Tells | None:
    over = body.status == "resolved"
    symptom = _ALERTS.get(body.alertname, Symptom.ALERT)
    if symptom in _ABOUT_PODS and _names_a_pod_that_is_gone(body.labels, view):
        return None  # whatever it was, it has ended with the pod; often the agent itself moved the gang
    subject = _subject(symptom, body.labels, view)
    if symptom is Symptom.SERVICE_SATURATED:
        subject = _scaled(body.labels, view)
    if symptom is Symptom.GANG_STUCK and (subject is None or subject not in view.gangs):
        symptom = Symptom.WORKLOAD_FAILING  # a pod of no gang that does not start
    if subject is None:
        symptom, subject = Symptom.ALERT, _unplaced(body)
    return Tells(symptom, subject, over=over)


def _names_a_pod_that_is_gone(labels: Mapping[str, str], view: ClusterView) -> bool:
    pod = _first(labels, POD_LABELS)
    named_otherwise = any(labels.get(label) for label, _, _ in _OWNER_LABELS)
    return pod is not None and not named_otherwise and (_first(labels, NAMESPACE_LABELS) or "", pod) not in view.pods


def _subject(symptom: Symptom, labels: Mapping[str, str], view: ClusterView) -> ObjectRef | None:
    if symptom in (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY):
        return _node(labels, view)
    owner = _owner(labels, view, prefer_gang=symptom is Symptom.GANG_STUCK)
    return owner or _node(labels, view)


def _node(labels: Mapping[str, str], view: ClusterView) -> ObjectRef | None:
    name = _first(labels, NODE_LABELS)
    if name is None:  # `instance` is the exporter's address unless somebody relabelled it to the node
        host = labels.get("instance", "").rsplit(":", 1)[0]
        name = host if host in view.nodes else None
    if name is None:
        pod = view.pods.get((_first(labels, NAMESPACE_LABELS) or "", _first(labels, POD_LABELS) or ""))
        name = pod.node if pod else None
    return node_ref(name) if name else None


def _owner(labels: Mapping[str, str], view: ClusterView, *, prefer_gang: bool) -> ObjectRef | None:
    namespace = _first(labels, NAMESPACE_LABELS)
    if namespace is None:
        return None
    pod_name = _first(labels, POD_LABELS)
    pod = view.pods.get((namespace, pod_name)) if pod_name else None
    if pod is not None:
        return (pod.gang if prefer_gang and pod.gang else pod.owner) or pod.ref
    for label, api_version, kind in _OWNER_LABELS:
        if labels.get(label):
            ref = ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=labels[label])
            return _known(ref, view, prefer_gang=prefer_gang)
    return None


def _scaled(labels: Mapping[str, str], view: ClusterView) -> ObjectRef | None:
    """What the autoscaler that an alert names looks after; None where either is not known."""
    here = _first(labels, NAMESPACE_LABELS), _first(labels, AUTOSCALER_LABELS)
    for ref, raw in view.objects.items():
        if ref.kind == "HorizontalPodAutoscaler" and (ref.namespace, ref.name) == here:
            spec: Any = raw.get("spec") or {}
            scaled = spec.get("scaleTargetRef") or {}
            named = (scaled.get("kind"), ref.namespace, scaled.get("name"))
            return next((w for w in view.workloads if (w.kind, w.namespace, w.name) == named), None)
    return None


def _known(ref: ObjectRef, view: ClusterView, *, prefer_gang: bool) -> ObjectRef:
    """`ref` as the cluster knows it: the top of its owner chain, whatever version the alert's label implies."""
    if prefer_gang:
        for gang in view.gangs.values():
            if gang.job and (gang.job.kind, gang.job.namespace, gang.job.name) == (ref.kind, ref.namespace, ref.name):
                return gang.ref
    for known in view.workloads:
        if (known.kind, known.namespace, known.name) == (ref.kind, ref.namespace, ref.name):
            return known
    return ref


def _unplaced(body: AlertBody) -> ObjectRef:
    namespace = _first(body.labels, NAMESPACE_LABELS)
    return ObjectRef(
        api_version="monitoring.coreos.com/v1", kind="Alert", namespace=namespace, name=body.alertname or "unnamed"
    )


def _event(body: EventBody, view: ClusterView) -> Tells | None:
    if body.severity != "Warning":
        return None
    involved = body.involved
    if body.reason in _STUCK_EVENTS and involved.kind == "Pod":
        gang = view.gang_of_pod(involved.namespace or "", involved.name)
        # A gang of which nothing runs waits in its queue, as queues are for; one that runs in part is stuck.
        if gang is None or gang.state is not GangState.STUCK:
            return None
        # One that has only just begun to wait may be starting; if it stays stuck, the agent's own look finds it.
        young = gang.stuck_since is not None and stuck_s(gang, view.taken_at) < STUCK_AFTER_S
        return None if young else Tells(Symptom.GANG_STUCK, gang.ref)
    if body.reason in _FAILING_EVENTS and involved.kind == "Pod" and body.count >= BACKOFF_COUNT:
        pod = view.pods.get((involved.namespace or "", involved.name))
        backs_off = pod is not None and pod.gpus > 0 and pod.waiting_reason != ""
        return Tells(Symptom.WORKLOAD_FAILING, pod.owner or pod.ref) if pod and backs_off else None
    if body.reason in _NODE_EVENTS and involved.kind == "Node":
        return Tells(Symptom.NODE_UNHEALTHY, node_ref(involved.name))
    return None


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)
