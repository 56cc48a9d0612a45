"""What the agent once stopped, and whether somebody needs it again: by marks on the object and by waiting requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.domain.cluster import ObjectRef
from agent.evidence.holders import RECLAIM_METHODS
from agent.evidence.labels import NAMESPACE, first
from agent.ports import Series

# Marks that a reclaim leaves on its object (agent/actions/reclaim_methods.py writes them).
RECLAIMED_BY = "watchkeeper.dev/reclaimed-by"  # the proposal that did it
RESTORE = "watchkeeper.dev/restore"  # the owner asks for the GPUs back with "true"
KUBEFLOW_STOPPED = "kubeflow-resource-stopped"
WAITING_METRIC = "vllm:num_requests_waiting"
NAME_LABELS = ("model_name", "deployment", "service", "app", "statefulset", "inferenceservice")


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """`stopped`: it still is; somebody may have started it again by hand."""

    ref: ObjectRef
    proposal: str
    method: str
    stopped: bool


def reclaimed(ref: ObjectRef, manifest: Mapping[str, Any]) -> Reclaimed | None:
    marks = manifest.get("metadata", {}).get("annotations") or {}
    if RECLAIMED_BY not in marks:
        return None
    method = RECLAIM_METHODS.get(ref.kind, "suspend")
    return Reclaimed(ref, str(marks[RECLAIMED_BY]), method, _stopped(ref.kind, manifest, marks))


def wanted_by(taken: Reclaimed, manifest: Mapping[str, Any], waiting: Sequence[Series]) -> str:
    """`owner`, `requests` (as the series of waiting requests tell), or nothing."""
    marks = manifest.get("metadata", {}).get("annotations") or {}
    if str(marks.get(RESTORE, "")).lower() == "true":
        return "owner"
    return "requests" if any(requests_wait(s, taken.ref) for s in waiting) else ""


def requests_wait(series: Series, ref: ObjectRef) -> bool:
    """Do requests wait for the model that `ref` serves? Its pods are gone, so a gateway says so by name."""
    named = any(series.labels.get(label) == ref.name for label in NAME_LABELS)
    here = first(series.labels, NAMESPACE) in ("", ref.namespace)
    return named and here and bool(series.points) and series.points[-1][1] > 0


def _stopped(kind: str, manifest: Mapping[str, Any], marks: Mapping[str, Any]) -> bool:
    spec = manifest.get("spec", {})
    match kind:
        case "Notebook":
            return KUBEFLOW_STOPPED in marks
        case "Job" | "JobSet" | "TrainJob" | "PyTorchJob" | "MPIJob" | "RayJob":
            return bool(spec.get("suspend", False))
        case "Gang":
            return not spec.get("active", True)
        case "InferenceService":
            return bool(spec.get("predictor", {}).get("minReplicas", 1) == 0)
        case _:
            return bool(spec.get("replicas", 1) == 0)
