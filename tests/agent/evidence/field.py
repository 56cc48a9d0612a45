"""A cluster told in the words of the field, by the real translation: `cluster().node("gpu-7").gang("llama", …)`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.adapters.kubernetes.translate import view_of
from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, ObjectRef, node_ref
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident, Symptom
from agent.domain.outcome import PastAction
from agent.domain.proposal import Prediction
from agent.domain.signal import AlertBody, Body, Signal, XidBody
from agent.ports import MetricsUnavailable, Relocation, Series

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
KUEUE, OURS, NATIVE = "kueue.x-k8s.io/v1beta2", "watchkeeper.dev/v1alpha1", "scheduling.k8s.io/v1alpha2"
Json = dict[str, Any]


def ref(kind: str, name: str, namespace: str | None = "lab") -> ObjectRef:
    versions = {
        "Workload": KUEUE, "Gang": OURS, "PodGroup": NATIVE, "Job": "batch/v1", "JobSet": "jobset.x-k8s.io/v1alpha2",
        "Notebook": "kubeflow.org/v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1",
        "InferenceService": "serving.kserve.io/v1beta1", "ConfigMap": "v1", "Pod": "v1",
        "HorizontalPodAutoscaler": "autoscaling/v2", "ReplicaSet": "apps/v1", "DaemonSet": "apps/v1",
        "ClusterQueue": KUEUE, "LocalQueue": KUEUE, "Queue": OURS,
    }  # fmt: skip
    return (
        node_ref(name)
        if kind == "Node"
        else ObjectRef(api_version=versions[kind], kind=kind, namespace=namespace, name=name)
    )


class Cluster:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}

    def queue(self, name: str, kind: str = "ClusterQueue", stop: str | None = None, **more: Any) -> "Cluster":
        """A ClusterQueue with the LocalQueue `main` of namespace lab, or one of our own Queues."""
        quota = {"flavor": "h200", "resource": "nvidia.com/gpu", "nominal": 32, **more.get("limits", {})}
        resource = {"name": "nvidia.com/gpu", "nominalQuota": "32", **more.get("limits", {})}
        group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "h200", "resources": [resource]}]}
        quotas: Json = {"quotas": [quota]} if kind == "Queue" else {"resourceGroups": [group]}
        spec = {**quotas, **({"stopPolicy": stop} if stop else {}), **more.get("spec", {})}
        if kind == "ClusterQueue":
            self._add(KUEUE, "LocalQueue", "main", "lab", {"spec": {"clusterQueue": name}})
        return self._add(KUEUE if kind == "ClusterQueue" else OURS, kind, name, None, {
            "metadata": {"annotations": more.get("annotations", {}), "labels": more.get("labels", {})}, "spec": spec,
        })  # fmt: skip

    def autoscaler(self, name: str, over: str, least: int, most: int, utilisation: int | None = None) -> "Cluster":
        target = {"type": "Utilization", "averageUtilization": utilisation}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}] if utilisation else []
        scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": over}
        return self._add("autoscaling/v2", "HorizontalPodAutoscaler", name, "lab", {
            "spec": {"scaleTargetRef": scaled, "minReplicas": least, "maxReplicas": most, "metrics": metrics},
        })  # fmt: skip

    def budget(self, name: str, least: int, **labels: str) -> "Cluster":
        return self._add("policy/v1", "PodDisruptionBudget", name, "lab", {
            "spec": {"minAvailable": least, "selector": {"matchLabels": labels}},
        })  # fmt: skip

    def node(self, name: str, gpus: int = 8, *, cordoned: bool = False, ready: bool = True, **more: Any) -> "Cluster":
        conditions = [{"type": "Ready", "status": str(ready)}, *more.get("conditions", ())]
        labels = {"kubernetes.io/hostname": name, "nvidia.com/gpu.product": more.get("product", "NVIDIA-H200")}
        return self._add("v1", "Node", name, None, {
            "metadata": {"labels": {**labels, **more.get("labels", {})}, "annotations": more.get("annotations", {})},
            "spec": {"unschedulable": cordoned, "taints": more.get("taints", [])},
            "status": {"allocatable": {"cpu": "96", "pods": "110", "nvidia.com/gpu": str(gpus)},
                       "conditions": conditions},
        })  # fmt: skip

    def nodes(self, *names: str) -> "Cluster":
        for name in names:
            self.node(name)
        return self

    def gang(self, name: str, on: Sequence[str], waiting: int = 0, kind: str = "Workload", **more: Any) -> "Cluster":
        """`on`: a pod runs on each of these nodes; `waiting` more are pending. Its Job is named like it."""
        size, gpus = len(on) + waiting, more.get("gpus", 8)
        born = rfc3339(NOW - timedelta(seconds=more.get("age_s", 7200)))
        job = self._job(name, size, gpus, born, kind)
        if kind in ("Workload", "Gang"):
            pod_sets = [{"name": "main", "count": size, "template": {"spec": _pod_spec(gpus)}}]
            queue = {"queueName": "main"} if kind == "Workload" else {"queue": "main"}
            spec = {"active": True, "priority": more.get("priority", 0), "podSets": pod_sets, **queue}
            owners = [_owner(job)] if kind == "Workload" else []
            self._add(ref(kind, name).api_version, kind, name, "lab", {
                "metadata": {"creationTimestamp": born, "ownerReferences": owners,
                             "annotations": more.get("annotations", {})},
                "spec": spec,
            })  # fmt: skip
        owner = job if kind != "Gang" else self.objects["Gang", name]
        for index, node in enumerate([*on, *[None] * waiting]):
            self.pod(f"{name}-{index}", node, owner=owner, gpus=gpus, stuck_s=more.get("stuck_s", 1200))
        return self

    def deployment(
        self, name: str, on: Sequence[str], gpus: int = 2, kind: str = "Deployment", **more: Any
    ) -> "Cluster":
        replicas = more.get("replicas", len(on))
        self._add(ref(kind, name).api_version, kind, name, "lab", {
            "metadata": {"annotations": more.get("annotations", {})},
            "spec": {"replicas": replicas, "template": {"spec": _pod_spec(gpus)}, **more.get("spec", {})},
        })  # fmt: skip
        for index, node in enumerate(on):
            self.pod(f"{name}-{index}", node, owner=self.objects[kind, name], gpus=gpus)
        return self

    def notebook(self, name: str, on: str | None, gpus: int = 2, **annotations: str) -> "Cluster":
        marks = {key.replace("__", "/").replace("_", "-"): value for key, value in annotations.items()}
        return self.deployment(name, [on] if on else [], gpus, kind="Notebook", annotations=marks)

    def pod(self, name: str, node: str | None, *, owner: Json | None = None, gpus: int = 8, **more: Any) -> "Cluster":
        spec = _pod_spec(gpus)
        since = rfc3339(NOW - timedelta(seconds=more.get("stuck_s", 1200)))
        if node:
            spec["nodeName"] = node
            status = {"phase": more.get("phase", "Running"), "conditions": [{"type": "Ready", "status": "True"}]}
        else:
            waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": since}
            status = {"phase": "Pending", "conditions": [waits]}
        return self._add("v1", "Pod", name, "lab", {
            "metadata": {"ownerReferences": [_owner(owner)] if owner else [], "labels": more.get("labels", {}),
                         "annotations": more.get("annotations", {}),
                         "uid": f"uid-pod-{name}" if node else f"uid-waiting-{name}"},
            "spec": spec,
            "status": status,
        })  # fmt: skip

    def change(self, kind: str, name: str, change: Mapping[str, Any]) -> "Cluster":
        self.objects[kind, name] = _merged(self.objects[kind, name], change)
        return self

    def without(self, kind: str, name: str) -> "Cluster":
        del self.objects[kind, name]
        return self

    def view(self) -> ClusterView:
        return view_of(self.objects.values(), NOW)

    def _job(self, name: str, size: int, gpus: int, born: str, kind: str) -> Json:
        if kind == "Gang":
            return {}
        queued = {"kueue.x-k8s.io/queue-name": "main"} if kind == "Workload" else {}
        annotations = {"watchkeeper.dev/gang": "true"} if kind == "Job" else {}
        self._add("batch/v1", "Job", name, "lab", {
            "metadata": {"creationTimestamp": born, "labels": queued, "annotations": annotations},
            "spec": {"suspend": False, "parallelism": size, "completions": size,
                     "template": {"spec": _pod_spec(gpus)}},
        })  # fmt: skip
        return self.objects["Job", name]

    def _add(self, api_version: str, kind: str, name: str, namespace: str | None, rest: Json) -> "Cluster":
        place = {"namespace": namespace} if namespace else {}
        metadata = {"name": name, "uid": f"uid-{kind.lower()}-{name}", **place, **rest.pop("metadata", {})}
        self.objects[kind, name] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
        return self


def cluster() -> Cluster:
    return Cluster()


def incident(symptom: Symptom, subject: ObjectRef, *bodies: Body, age_s: int = 60) -> Incident:
    signals = tuple(
        Signal(id=f"s{n}", source="test", type=f"dev.watchkeeper.{b.type}", time=NOW - timedelta(seconds=age_s), body=b)
        for n, b in enumerate(bodies)
    )
    return Incident(
        id="inc-1", symptom=symptom, subject=subject, opened_at=NOW - timedelta(seconds=age_s), signals=signals
    )


def xid(code: int, node: str = "gpu-7", **more: Any) -> XidBody:
    return XidBody(node=node, xid=code, **more)


def xid_alert(code: int, status: str, node: str = "gpu-7") -> AlertBody:
    labels = {"alertname": "GPUXidError", "node": node, "xid": str(code)}
    return AlertBody.model_validate({"alertname": "GPUXidError", "status": status, "labels": labels})


def diagnosis(cause: str = "xid.79") -> Diagnosis:
    return Diagnosis(
        incident="inc-1", cause=cause, statement="", source="playbook:p", playbook="p", confidence=0.95, evidence=()
    )


def past(action: str, target: ObjectRef, **more: Any) -> PastAction:
    given: Json = {"at": NOW - timedelta(minutes=20), "outcome": "succeeded", "incident": "inc-0", **more}
    return PastAction(action=action, target=target, **given)


class Told:
    """A Metrics port that answers with the series it was given, by metric name; `down` makes it answer nothing."""

    def __init__(self, *series: Series, down: bool = False) -> None:
        self.series, self.down, self.queries = list(series), down, 0

    def instant(self, query: str, at: datetime) -> list[Series]:
        found = self.range(query, at - timedelta(minutes=5), at, timedelta(minutes=1))
        return [Series(s.labels, s.points[-1:]) for s in found if s.points]

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        self.queries += 1
        if self.down:
            raise MetricsUnavailable("connection refused")
        name, _, matcher = query.partition("{")
        label, _, names = matcher.removesuffix('"}').partition('=~"')
        wanted = names.split("|")
        return [
            Series(s.labels, tuple(p for p in s.points if start <= p[0] <= end))
            for s in self.series
            if s.labels["__name__"] == name and (not label or s.labels.get(label) in wanted)
        ]


class Foresees:
    """A forecaster that knows who starts when whom is requeued."""

    def __init__(self, **starts: Sequence[str]) -> None:
        self.starts = starts

    def what_if(self, view: ClusterView, changes: Sequence[Mapping[str, Any]]) -> Prediction:
        requeued = [change["requeue"].name for change in changes if "requeue" in change]
        return Prediction(gangs_started=tuple(s for name in requeued or ["nobody"] for s in self.starts.get(name, ())))

    def seats(self, view: ClusterView, gang: ObjectRef, changes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        return ()

    def gather(
        self, view: ClusterView, gang: ObjectRef, pods: Sequence[ObjectRef], gangs: Sequence[ObjectRef], moves_max: int
    ) -> Sequence[Relocation] | None:
        return None


def series(name: str, value: float | Sequence[float], pod: str = "", *, for_s: int = 3 * 3600, **labels: str) -> Series:
    """`value` held for so long until now, a sample a minute; or the values, a minute apart, the last one now."""
    values = list(value) if isinstance(value, Sequence) else [float(value)] * (for_s // 60 + 1)
    points = tuple((NOW - timedelta(minutes=len(values) - 1 - n), float(v)) for n, v in enumerate(values))
    place = {"namespace": "lab", "pod": pod} if pod else {}
    return Series({"__name__": name, **place, **labels}, points)


def _owner(manifest: Json) -> Json:
    about = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "name": manifest["metadata"]["name"]}
    return {**about, "uid": manifest["metadata"]["uid"], "controller": True}


def _pod_spec(gpus: int) -> Json:
    return {
        "containers": [{"name": "main", "image": "app:1", "resources": {"requests": {"nvidia.com/gpu": str(gpus)}}}]
    }


def _merged(base: Json, change: Mapping[str, Any]) -> Json:
    out = dict(base)
    for key, value in change.items():
        out[key] = _merged(out.get(key) or {}, value) if isinstance(value, Mapping) else value
    return out
