"""Keeps a requeued gang off named nodes, through the pod template of its job while that is suspended.

Kubernetes lets nobody change a pod's affinity once it exists, but a suspended job's template is free. Which nodes, and
why, is the caller's business; a cordoned node needs no exclusion at all.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

HOSTNAME = "kubernetes.io/hostname"
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Merge patches: the change and the way back, which is what was there."""

    body: JsonObject
    undo: JsonObject


def exclusion(kind: str, manifest: Mapping[str, Any], hostnames: Sequence[str]) -> Exclusion | None:
    """The patch that keeps the pods of `manifest` off `hostnames`; None for a kind without such a template."""
    return changed_templates(kind, manifest, "affinity", lambda affinity: _kept_off(affinity, hostnames))


def changed_templates(
    kind: str, manifest: Mapping[str, Any], field: str, change: Callable[[Any], Any]
) -> Exclusion | None:
    """The patch that changes one field of every pod spec that the object starts pods from."""
    spec = manifest.get("spec", {})
    match kind:
        case "Job":
            before = spec.get("template", {}).get("spec", {}).get(field)
            return Exclusion(_job_patch(field, change(before)), _job_patch(field, before))
        case "JobSet":
            return _list_patch(spec, "replicatedJobs", ("template", "spec", "template", "spec"), field, change)
        case "Gang":
            return _list_patch(spec, "podSets", ("template", "spec"), field, change)
        case "PyTorchJob":
            return _roles_patch(spec, field, change)
        case "RayJob":
            return _ray_patch(spec.get("rayClusterSpec", {}), field, change)
        case _:
            return None


def _job_patch(field: str, value: Any) -> JsonObject:
    return {"spec": {"template": {"spec": {field: value}}}}


def _list_patch(
    spec: Mapping[str, Any], key: str, path: tuple[str, ...], field: str, change: Callable[[Any], Any]
) -> Exclusion:
    """A merge patch replaces a list as a whole, so the whole list is written with one thing changed in each entry."""
    before = deepcopy(list(spec.get(key, ())))
    after = deepcopy(before)
    for entry in after:
        pod_spec = entry
        for part in path:
            pod_spec = pod_spec.setdefault(part, {})
        pod_spec[field] = change(pod_spec.get(field))
    return Exclusion({"spec": {key: after}}, {"spec": {key: before}})


def _roles_patch(spec: Mapping[str, Any], field: str, change: Callable[[Any], Any]) -> Exclusion | None:
    """Kubeflow writes a template for each role."""
    roles = spec.get("pytorchReplicaSpecs", {})
    before = {role: (each.get("template", {}).get("spec") or {}).get(field) for role, each in roles.items()}
    after = {role: change(value) for role, value in before.items()}
    return Exclusion(_of_roles(field, after), _of_roles(field, before)) if roles else None


def _of_roles(field: str, values: Mapping[str, Any]) -> JsonObject:
    templates = {role: {"template": {"spec": {field: value}}} for role, value in values.items()}
    return {"spec": {"pytorchReplicaSpecs": templates}}


def _ray_patch(cluster: Mapping[str, Any], field: str, change: Callable[[Any], Any]) -> Exclusion | None:
    """A resumed RayJob makes its cluster anew, from this."""
    if not cluster.get("headGroupSpec"):
        return None
    workers = _list_patch(cluster, "workerGroupSpecs", ("template", "spec"), field, change)
    value = (cluster["headGroupSpec"].get("template", {}).get("spec") or {}).get(field)
    body, undo = (
        {"spec": {"rayClusterSpec": {"headGroupSpec": {"template": {"spec": {field: head}}}, **patch["spec"]}}}
        for head, patch in ((change(value), workers.body), (value, workers.undo))
    )
    return Exclusion(body, undo)


def _kept_off(affinity: Mapping[str, Any] | None, hostnames: Sequence[str]) -> JsonObject:
    """Terms are alternatives, so each of them must rule the nodes out."""
    changed: JsonObject = deepcopy(dict(affinity or {}))
    required = changed.setdefault("nodeAffinity", {}).setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    expression = {"key": HOSTNAME, "operator": "NotIn", "values": list(hostnames)}
    terms = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*term.get("matchExpressions", ()), expression]} for term in terms
    ]
    return changed
