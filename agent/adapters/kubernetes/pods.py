"""A Pod as one object says it. Its owner and its gang are decided by the objects around it (translate.py)."""

from datetime import datetime

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import gpus_in, pod_requests
from agent.domain.cluster import Condition, ObjectRef, Pod

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def pod_of(root: Fields, ref: ObjectRef) -> Pod:
    metadata, spec, status = root.within("metadata"), root.within("spec"), root.within("status")
    phase = status.text("phase", "Pending") or "Pending"
    if phase not in _PHASES:
        raise status.wrong("phase", f"expected one of {', '.join(_PHASES)}, found {phase!r}")
    conditions = conditions_of(status)
    created_at = metadata.moment("creationTimestamp")
    requests = pod_requests(spec)
    unscheduled = find(conditions, "PodScheduled", "False")
    return Pod(
        ref=ref,
        uid=metadata.text("uid"),
        node=spec.text("nodeName") or None,
        phase=phase,
        ready=phase == "Running" and find(conditions, "Ready", "True") is not None,
        gpus=gpus_in(requests),
        labels=metadata.strings("labels"),
        annotations=metadata.strings("annotations"),
        owner=None,
        gang=None,
        created_at=created_at,
        unschedulable=unscheduled is not None and unscheduled.reason == "Unschedulable",
        waiting_reason=_waiting_reason(status),
        terminating=metadata.has("deletionTimestamp"),
        pending_since=_pending_since(unscheduled, created_at) if phase == "Pending" else None,
        priority=spec.integer("priority", 0),
        requests=requests,
    )


def _pending_since(unscheduled: Condition | None, created_at: datetime | None) -> datetime | None:
    return (unscheduled.since if unscheduled else None) or created_at


def _waiting_reason(status: Fields) -> str:
    """Of the first container that waits for something worth a name."""
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.objects(field):
            reason = container.within("state", "waiting").text("reason")
            if reason and reason not in ("ContainerCreating", "PodInitializing"):
                return reason
    return ""
