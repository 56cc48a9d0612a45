"""Which object an alert's labels are about: the node, the owner of a pod, what an autoscaler looks after. Pure."""

from collections.abc import Mapping
from typing import Any

from agent.domain.cluster import ClusterView, ObjectRef, node_ref
from agent.domain.incident import Symptom
from agent.domain.signal import AlertBody
from agent.evidence.lookup import raw_object
from agent.evidence.node_names import known_node

NODE_LABELS = ("node", "Hostname", "hostname", "kubernetes_node", "exported_node")
NAMESPACE_LABELS = ("exported_namespace", "namespace")
POD_LABELS = ("exported_pod", "pod")
AUTOSCALER_LABELS = ("horizontalpodautoscaler", "hpa", "exported_horizontalpodautoscaler")

_OWNER_LABELS: tuple[tuple[str, str, str], ...] = (
    ("notebook", "kubeflow.org/v1", "Notebook"),
    ("notebook_name", "kubeflow.org/v1", "Notebook"),
    ("deployment", "apps/v1", "Deployment"),
    ("statefulset", "apps/v1", "StatefulSet"),
    ("job_name", "batch/v1", "Job"),
)

OWNER_LABELS = tuple(label for label, _, _ in _OWNER_LABELS)


def names_a_pod_that_is_gone(labels: Mapping[str, str], view: ClusterView) -> bool:
    pod = _first(labels, POD_LABELS)
    named_otherwise = any(labels.get(label) for label, _, _ in _OWNER_LABELS)
    return pod is not None and not named_otherwise and (_first(labels, NAMESPACE_LABELS) or "", pod) not in view.pods


def subject_of(symptom: Symptom, labels: Mapping[str, str], view: ClusterView) -> ObjectRef | None:
    if symptom in (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY):
        return _node(labels, view)
    if symptom is Symptom.SERVICE_SATURATED:
        return _scaled(labels, view)
    owner = _owner(labels, view, prefer_gang=symptom is Symptom.GANG_STUCK)
    return owner or _node(labels, view)


def _node(labels: Mapping[str, str], view: ClusterView) -> ObjectRef | None:
    name = _first(labels, NODE_LABELS)
    if name is None:  # `instance` is the exporter's address unless somebody relabelled it to the node
        host = labels.get("instance", "").rsplit(":", 1)[0]
        name = host if known_node(host, view.nodes) in view.nodes else None
    if name is None:
        pod = view.pods.get((_first(labels, NAMESPACE_LABELS) or "", _first(labels, POD_LABELS) or ""))
        name = pod.node if pod else None
    return node_ref(known_node(name, view.nodes)) if name else None


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


def is_strange(subject: ObjectRef, view: ClusterView) -> bool:
    """A node or an owner of pods that the cluster does not have; what is looked up nowhere is not."""
    if subject.kind == "Node":
        return subject.name not in view.nodes
    if subject.kind not in {kind for _, _, kind in _OWNER_LABELS}:
        return False
    return subject not in view.workloads and subject not in view.gangs and not raw_object(view, subject)


def names_nothing(subject: ObjectRef) -> bool:
    """It stands for an alert whose labels name no object."""
    return subject.kind == "Alert"


def unplaced(body: AlertBody) -> ObjectRef:
    namespace = _first(body.labels, NAMESPACE_LABELS)
    return ObjectRef(
        api_version="monitoring.coreos.com/v1", kind="Alert", namespace=namespace, name=body.alertname or "unnamed"
    )


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)
