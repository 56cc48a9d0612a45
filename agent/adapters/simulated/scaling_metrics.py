"""What a HorizontalPodAutoscaler's metrics read: the world's own series by name, as an adapter over Prometheus reads.

A name that Kubernetes cannot spell (vllm:num_requests_waiting) may be written with an underscore. Resource metrics are
the kubelets' (container_cpu_usage_seconds_total, container_memory_working_set_bytes).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.adapters.kubernetes.quantities import parse_quantity
from agent.adapters.simulated import autoscale, pods
from agent.adapters.simulated.promql import evaluate, parse
from agent.adapters.simulated.tsdb import SeriesStore
from agent.evidence.labels import first, pod_of
from agent.ports import JsonObject

NAMES = ("service", "deployment", "statefulset", "inferenceservice", "model_name", "app", "name")
_RESOURCES = {
    "cpu": "rate(container_cpu_usage_seconds_total{{{where}}}[2m])",
    "memory": "container_memory_working_set_bytes{{{where}}}",
}
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_AVERAGED = ("DCGM_",)  # of a pod's several GPUs the mean counts, of everything else the sum


@dataclass(frozen=True, slots=True)
class Scaled:
    """What an autoscaler looks at: the target's pods, and how many it has."""

    namespace: str
    name: str
    replicas: int
    pods: Sequence[JsonObject]

    @property
    def ready(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods if pods.ready(pod)]


class ScalingMetrics:
    def __init__(self, series: SeriesStore) -> None:
        self._series = series

    def wish(self, metric: JsonObject, scaled: Scaled, now: datetime) -> int | None:
        """The replicas that this metric asks for; None when nobody can say what it reads."""
        kind = str(metric.get("type"))
        about = metric.get(kind[:1].lower() + kind[1:]) or {}
        match kind:
            case "Resource" | "ContainerResource":
                return self._by_resource(about, scaled, now)
            case "Pods":
                values = self._per_pod(_named(about), scaled, now)
                target = _quantity(about, "averageValue")
                return autoscale.by_pods(values, scaled.ready, scaled.replicas, target) if values and target else None
            case "Object" | "External":
                return self._by_number(about, scaled, now, of_object=kind == "Object")
        return None

    def _by_resource(self, about: JsonObject, scaled: Scaled, now: datetime) -> int | None:
        name, target = str(about.get("name")), about.get("target") or {}
        query = _RESOURCES.get(name)
        used = self._by_pod(query.format(where=f'namespace="{scaled.namespace}"'), name, scaled, now) if query else {}
        wanted = _quantity(about, "averageValue")
        if used and target.get("averageUtilization"):
            asked = [_request(pod, name) for pod in scaled.pods if pod["metadata"]["name"] in used]
            wanted = sum(asked) / len(asked) * float(target["averageUtilization"]) / 100
        return autoscale.by_pods(used, scaled.ready, scaled.replicas, wanted) if used and wanted else None

    def _by_number(self, about: JsonObject, scaled: Scaled, now: datetime, *, of_object: bool) -> int | None:
        wanted = dict((about.get("metric") or {}).get("selector", {}).get("matchLabels") or {})
        whose = (about.get("describedObject") or {}).get("name") if of_object else None
        found = [
            value
            for labels, value in self._read(_named(about), now).items()
            if wanted.items() <= dict(labels).items() and (not whose or _is_about(dict(labels), whose, scaled))
        ]
        if not found:
            return None
        share, value = _quantity(about, "averageValue"), _quantity(about, "value")
        if share:
            return autoscale.by_average(sum(found), scaled.replicas, share)
        return autoscale.by_value(sum(found), len(scaled.ready), scaled.replicas, value) if value else None

    def _per_pod(self, name: str, scaled: Scaled, now: datetime) -> dict[str, float]:
        for spelled in (name, name.replace("_", ":", 1)):
            found = self._by_pod(_selector(spelled), name, scaled, now)
            if found:
                return found
        return {}

    def _by_pod(self, query: str, name: str, scaled: Scaled, now: datetime) -> dict[str, float]:
        mine = {pod["metadata"]["name"] for pod in scaled.pods}
        values: dict[str, list[float]] = {}
        for labels, value in self._evaluated(query, now).items():
            namespace, pod = pod_of(dict(labels))
            if pod in mine and namespace in ("", scaled.namespace):
                values.setdefault(pod, []).append(value)
        averaged = name.startswith(_AVERAGED)
        return {pod: sum(each) / (len(each) if averaged else 1) for pod, each in values.items()}

    def _read(self, name: str, now: datetime) -> Mapping[Any, float]:
        return self._evaluated(_selector(name), now) or self._evaluated(_selector(name.replace("_", ":", 1)), now)

    def _evaluated(self, query: str, now: datetime) -> Mapping[Any, float]:
        value = evaluate(self._series, parse(query), self._series.offset_us(now))
        return {} if isinstance(value, float) else value


def _selector(name: str) -> str:
    return name if _NAME.fullmatch(name) else f"{{__name__={json.dumps(name)}}}"


def _named(about: JsonObject) -> str:
    return str((about.get("metric") or {}).get("name") or "")


def _quantity(about: JsonObject, field: str) -> float:
    """0 where there is no such target."""
    text = (about.get("target") or {}).get(field)
    return float(parse_quantity(str(text))) if text is not None else 0.0


def _request(pod: JsonObject, resource: str) -> float:
    containers = (pod.get("spec") or {}).get("containers") or ()
    asked = [((each.get("resources") or {}).get("requests") or {}).get(resource, "0") for each in containers]
    return float(sum(parse_quantity(str(each)) for each in asked))


def _is_about(labels: Mapping[str, str], name: str, scaled: Scaled) -> bool:
    return labels.get("namespace", scaled.namespace) == scaled.namespace and first(labels, NAMES) == name
