"""What KServe makes of an InferenceService in its RawDeployment mode: a Deployment, and an HPA if it may grow. Pure.

Only the predictor is played; a transformer or an explainer needs no GPU.
"""

from typing import Any

from agent.adapters.simulated import pods
from agent.ports import JsonObject

STOP = "serving.kserve.io/stop"
AUTOSCALER = "serving.kserve.io/autoscalerClass"
NAME_LABEL = "serving.kserve.io/inferenceservice"
CONTAINER = "kserve-container"
CPU_PERCENT = 80  # KServe's default target
NOT_OF_THE_POD = frozenset(
    {"minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling", "timeout", "batcher",
     "containerConcurrency", "canaryTrafficPercent", "logger", "labels", "annotations", "deploymentStrategy", "model",
     "workerSpec"}
)  # fmt: skip


def predictor_of(service: JsonObject) -> JsonObject:
    return dict((service.get("spec") or {}).get("predictor") or {})


def least(service: JsonObject) -> int:
    """0 for a service that is stopped."""
    if (service["metadata"].get("annotations") or {}).get(STOP) == "true":
        return 0
    said = predictor_of(service).get("minReplicas")
    return 1 if said is None else int(said)


def most(service: JsonObject) -> int:
    said = predictor_of(service).get("maxReplicas")
    return max(least(service), 1) if not said else max(int(said), least(service), 1)


def grows(service: JsonObject) -> bool:
    none = (service["metadata"].get("annotations") or {}).get(AUTOSCALER) in ("none", "external")
    return most(service) > max(1, least(service)) and not none


def component_name(service: JsonObject) -> str:
    return f"{service['metadata']['name']}-predictor"


def deployment(service: JsonObject) -> JsonObject:
    predictor, name = predictor_of(service), service["metadata"]["name"]
    labels = {"app": f"isvc.{component_name(service)}", NAME_LABEL: name, "component": "predictor"}
    template = {
        "metadata": {
            "labels": {**(predictor.get("labels") or {}), **labels},
            "annotations": dict(predictor.get("annotations") or {}),
        },
        "spec": _pod_spec(predictor),
    }
    spec: JsonObject = {"replicas": least(service), "selector": {"matchLabels": labels}, "template": template}
    if predictor.get("deploymentStrategy"):
        spec["strategy"] = predictor["deploymentStrategy"]
    return _owned(service, "apps/v1", "Deployment", labels) | {"spec": spec}


def autoscaler(service: JsonObject) -> JsonObject:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": component_name(service)}
    spec = {"scaleTargetRef": target, **limits(service), "metrics": _metrics(predictor_of(service))}
    return _owned(service, "autoscaling/v2", "HorizontalPodAutoscaler", {NAME_LABEL: service["metadata"]["name"]}) | {
        "spec": spec
    }


def limits(service: JsonObject) -> JsonObject:
    """As an autoscaler has them: it knows no service that is stopped."""
    return {"minReplicas": max(1, least(service)), "maxReplicas": most(service)}


def _pod_spec(predictor: JsonObject) -> JsonObject:
    spec = {name: value for name, value in predictor.items() if name not in NOT_OF_THE_POD}
    model = predictor.get("model")
    if model:
        image = model.get("image") or model.get("runtime") or "kserve/huggingfaceserver"
        container = {name: model[name] for name in ("args", "command", "env", "resources", "ports") if name in model}
        spec["containers"] = [{"name": CONTAINER, "image": image, **container}, *(spec.get("containers") or ())]
    return spec


def _metrics(predictor: JsonObject) -> list[JsonObject]:
    asked = (predictor.get("autoScaling") or {}).get("metrics") or ()
    found = [each for each in (_metric(one) for one in asked) if each is not None]
    if found:
        return found
    name, percent = predictor.get("scaleMetric") or "cpu", predictor.get("scaleTarget") or CPU_PERCENT
    if name not in ("cpu", "memory"):
        return [_by_name("Pods", name, {"type": "AverageValue", "averageValue": str(percent)})]
    target = {"type": "Utilization", "averageUtilization": int(percent)}
    return [{"type": "Resource", "resource": {"name": name, "target": target}}]


def _metric(asked: JsonObject) -> JsonObject | None:
    """KServe's spelling in Kubernetes'."""
    match asked.get("type"):
        case "Resource":
            return {"type": "Resource", "resource": dict(asked.get("resource") or {})}
        case "PodMetric":
            about = asked.get("podmetric") or {}
            names = (about.get("metric") or {}).get("metricNames") or [(about.get("metric") or {}).get("query", "")]
            return _by_name("Pods", str(names[0]), _target(about))
        case "External":
            about = asked.get("external") or {}
            return _by_name("External", str((about.get("metric") or {}).get("query", "")), _target(about))
    return None


def _target(about: JsonObject) -> JsonObject:
    said = about.get("target") or {}
    value = said.get("averageValue", said.get("value"))
    return {"type": "AverageValue", "averageValue": str(value if value is not None else 1)}


def _by_name(kind: str, name: str, target: JsonObject) -> JsonObject:
    return {"type": kind, kind.lower(): {"metric": {"name": name}, "target": target}}


def _owned(service: JsonObject, api_version: str, kind: str, labels: dict[str, Any]) -> JsonObject:
    metadata = {
        "name": component_name(service),
        "namespace": service["metadata"].get("namespace"),
        "labels": labels,
        "ownerReferences": [pods.owner_reference(service)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
