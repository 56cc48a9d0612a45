"""Pods as the simulated control plane handles them: what state one is in, and the changes of state. Pure.

Every function that changes something returns the merge patch for it.
"""

from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.ports import JsonObject

GRACE = timedelta(seconds=2)  # from a deletion to the pod being gone
START_DELAY = timedelta(seconds=5)  # from binding to ready


def phase(pod: JsonObject) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def node_of(pod: JsonObject) -> str | None:
    return (pod.get("spec") or {}).get("nodeName") or None


def terminating(pod: JsonObject) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def finished(pod: JsonObject) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def active(pod: JsonObject) -> bool:
    return not finished(pod) and not terminating(pod)


def condition(manifest: JsonObject, kind: str) -> JsonObject | None:
    conditions = (manifest.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), None)


def holds(manifest: JsonObject, kind: str, status: str = "True") -> bool:
    found = condition(manifest, kind)
    return found is not None and found.get("status") == status


def ready(pod: JsonObject) -> bool:
    return phase(pod) == "Running" and holds(pod, "Ready") and not terminating(pod)


def unschedulable(pod: JsonObject) -> bool:
    found = condition(pod, "PodScheduled")
    return found is not None and found.get("status") == "False" and found.get("reason") == "Unschedulable"


def gated(pod: JsonObject) -> bool:
    return bool((pod.get("spec") or {}).get("schedulingGates"))


def with_conditions(manifest: JsonObject, now: datetime, *changed: JsonObject) -> list[JsonObject]:
    """The object's conditions with these set; a transition time moves only when the status does."""
    result = [dict(each) for each in (manifest.get("status") or {}).get("conditions") or []]
    for new in changed:
        old = next((each for each in result if each.get("type") == new["type"]), None)
        if old is None:
            result.append({**new, "lastTransitionTime": rfc3339(now)})
            continue
        if old.get("status") != new["status"] or "lastTransitionTime" not in old:
            old["lastTransitionTime"] = rfc3339(now)
        old.update(new)
    return result


def said(kind: str, holds: bool, reason: str = "", message: str = "") -> JsonObject:
    """A condition as `with_conditions` takes it."""
    return {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}


def deletion(now: datetime) -> JsonObject:
    return {
        "metadata": {
            "deletionTimestamp": rfc3339(now + GRACE),
            "deletionGracePeriodSeconds": int(GRACE.total_seconds()),
        }
    }


def binding(pod: JsonObject, node: str, now: datetime) -> JsonObject:
    scheduled = {"type": "PodScheduled", "status": "True", "reason": "", "message": ""}
    status = {"phase": "Pending", "conditions": with_conditions(pod, now, scheduled)}
    return {"spec": {"nodeName": node}, "status": status}


def started(pod: JsonObject, now: datetime) -> JsonObject:
    conditions = with_conditions(
        pod,
        now,
        said("Initialized", True),
        said("PodScheduled", True),
        said("ContainersReady", True),
        said("Ready", True),
    )
    running = {"running": {"startedAt": rfc3339(now)}}
    containers = [
        {"name": each.get("name", "main"), "ready": True, "restartCount": 0, "state": running}
        for each in pod["spec"].get("containers") or []
    ]
    return {
        "status": {
            "phase": "Running",
            "startTime": rfc3339(now),
            "conditions": conditions,
            "containerStatuses": containers,
        }
    }


def from_template(
    template: JsonObject, name: str, owner: JsonObject, labels: dict[str, str] | None = None
) -> JsonObject:
    """A new pod of `owner`, waiting for a node."""
    metadata = template.get("metadata") or {}
    made: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"].get("namespace"),
            "labels": {**(metadata.get("labels") or {}), **(labels or {})},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {name: value for name, value in (template.get("spec") or {}).items() if name != "nodeName"},
        "status": {"phase": "Pending"},
    }
    if made["metadata"]["namespace"] is None:
        del made["metadata"]["namespace"]
    return made


def owner_reference(owner: JsonObject) -> JsonObject:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selects(selector: Any, labels: Any) -> bool:
    """A label selector's matchLabels and matchExpressions. An empty selector selects everything; none, nothing."""
    if not isinstance(selector, dict):
        return False
    labels = labels or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_meets(each, labels) for each in selector.get("matchExpressions") or [])


def _meets(requirement: JsonObject, labels: JsonObject) -> bool:
    value, values = labels.get(requirement.get("key", "")), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
