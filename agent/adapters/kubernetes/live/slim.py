"""What is kept of an object that is followed: all but what nobody reads, and what objects have in common only once.

A pod's containers keep what a scheduler and a judge of GPUs read, and what tells the template they were made of.
Templates of what owns pods stay whole, since they are patched and rolled back. Equal parts of different objects become
one (hash consing), so what is kept must not be changed in place.
"""

from collections.abc import Mapping
from typing import Any

from agent.ports import JsonObject

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_CONTAINER_KEPT = ("name", "image", "command", "args", "env", "resources", "restartPolicy")
_POD_SPEC_DROPPED = (
    *("volumes", "serviceAccount", "serviceAccountName", "securityContext", "dnsPolicy", "dnsConfig"),
    *("hostAliases", "imagePullSecrets", "readinessGates", "enableServiceLinks"),
)
_STATUS_LISTS = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_POD_STATUS_DROPPED = ("hostIP", "hostIPs", "podIP", "podIPs", "qosClass", "observedGeneration")
_POD_CONDITIONS_DROPPED = ("Initialized", "ContainersReady", "PodReadyToStartContainers")  # what Ready says is enough
_CONDITION_KEPT = ("type", "status", "reason", "message", "lastTransitionTime")  # a heartbeat is no change
_CONTAINER_STATUS_KEPT = ("name", "ready", "restartCount", "state", "lastState", "started")
_NODE_STATUS_DROPPED = ("images", "volumesInUse", "volumesAttached", "daemonEndpoints", "config")
SHARED_AT_MOST = 50_000  # parts, some 25 MB; then sharing begins anew, and what is shared already stays so


def slim(raw: JsonObject) -> JsonObject:
    """A copy without the rest."""
    kept = {**raw, "metadata": _metadata(raw.get("metadata"))}
    if raw.get("apiVersion") == "v1" and raw.get("kind") == "Pod":
        kept["spec"], kept["status"] = _pod_spec(raw.get("spec")), _pod_status(raw.get("status"))
    elif raw.get("apiVersion") == "v1" and raw.get("kind") == "Node":
        kept["status"] = _conditions(_without(raw.get("status"), _NODE_STATUS_DROPPED), ())
    return kept


class Shared:
    """Gives equal JSON values as one and the same. Not safe for several threads."""

    def __init__(self) -> None:
        self._parts: dict[Any, Any] = {}

    def of(self, value: Any) -> Any:
        if len(self._parts) > SHARED_AT_MOST:
            self._parts.clear()
        return self._one(value)

    def _one(self, value: Any) -> Any:
        """A part is known by its own parts, which are shared already and so are told apart by identity."""
        kind, parts = type(value), self._parts
        if kind is str:
            return parts.setdefault(value, value)
        if kind is dict:
            inner = {parts.setdefault(name, name): self._one(each) for name, each in value.items()}
            return parts.setdefault((dict, *map(id, inner), *map(id, inner.values())), inner)
        if kind is list:
            items = [self._one(each) for each in value]
            return parts.setdefault((list, *map(id, items)), items)
        if value is None or kind is bool:
            return value
        return parts.setdefault((kind, value), value)


def _metadata(metadata: Any) -> Any:
    if not isinstance(metadata, Mapping):
        return metadata
    kept = _without(metadata, ("managedFields", "selfLink", "generateName"))
    annotations = kept.get("annotations")
    if isinstance(annotations, Mapping) and LAST_APPLIED in annotations:
        kept["annotations"] = _without(annotations, (LAST_APPLIED,))
    return kept


def _pod_spec(spec: Any) -> Any:
    return _with_lists(_without(spec, _POD_SPEC_DROPPED), _CONTAINER_LISTS, _CONTAINER_KEPT)


def _pod_status(status: Any) -> Any:
    kept = _conditions(_without(status, _POD_STATUS_DROPPED), _POD_CONDITIONS_DROPPED)
    return _with_lists(kept, _STATUS_LISTS, _CONTAINER_STATUS_KEPT)


def _conditions(status: Any, dropped: tuple[str, ...]) -> Any:
    if isinstance(status, dict) and isinstance(status.get("conditions"), list):
        told = (each for each in status["conditions"] if not (isinstance(each, dict) and each.get("type") in dropped))
        status["conditions"] = [_only(each, _CONDITION_KEPT) for each in told]
    return status


def _with_lists(values: Any, lists: tuple[str, ...], kept: tuple[str, ...]) -> Any:
    """Of the members of these lists only the fields that are kept."""
    if not isinstance(values, dict):
        return values
    for name in lists:
        if isinstance(values.get(name), list):
            values[name] = [_only(each, kept) for each in values[name]]
    return values


def _only(values: Any, names: tuple[str, ...]) -> Any:
    return {name: values[name] for name in names if name in values} if isinstance(values, Mapping) else values


def _without(values: Any, names: tuple[str, ...]) -> Any:
    """What is no object stays what it is: whoever reads it names the fault."""
    if not isinstance(values, Mapping):
        return values
    return {name: value for name, value in values.items() if name not in names}
