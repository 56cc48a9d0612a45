"""Kueue's objects in the words of v1beta2, whichever version they were served in. Nowhere else is a version asked for.

Pure. An object is converted by the fields that it has, not by what its apiVersion says: manifests written by hand mix
the words, and a server converts them in between. What v1beta2 has no word for is dropped, as Kueue's own conversion
does; what is of the wrong shape is left as it is, for the reader to name.
"""

from collections.abc import Callable, Mapping
from typing import Any

Raw = Mapping[str, Any]

_STOPS_SEARCH = {"whenCanBorrow": "Borrow", "whenCanPreempt": "Preempt"}  # v1beta1's words for MayStopSearch
_CLASS_KINDS = {
    "kueue.x-k8s.io/workloadpriorityclass": ("kueue.x-k8s.io", "WorkloadPriorityClass"),
    "scheduling.k8s.io/priorityclass": ("scheduling.k8s.io", "PriorityClass"),
}
_PAST = "accumulatedPastExecutionTimeSeconds"
_PAST_MISSPELT = "accumulatedPastExexcutionTimeSeconds"  # v1beta1's own slip of the pen


def in_v1beta2(raw: Raw) -> Raw:
    convert = _CONVERSIONS.get(str(raw.get("kind")))
    return raw if convert is None else convert(raw)


def _cluster_queue(raw: Raw) -> Raw:
    spec = _part(raw, "spec")
    if spec is None:
        return raw
    new = _renamed(spec, "cohort", "cohortName")
    named = new.pop("admissionChecks", None)
    if isinstance(named, list) and named and "admissionChecksStrategy" not in new:
        new["admissionChecksStrategy"] = {"admissionChecks": [{"name": name} for name in named]}
    rules = new.get("flavorFungibility")
    if isinstance(rules, Mapping):
        new["flavorFungibility"] = {
            key: "MayStopSearch" if _STOPS_SEARCH.get(key) == value else value for key, value in rules.items()
        }
    return {**raw, "spec": new}


def _cohort(raw: Raw) -> Raw:
    spec = _part(raw, "spec")
    return raw if spec is None else {**raw, "spec": _renamed(spec, "parent", "parentName")}


def _workload(raw: Raw) -> Raw:
    made, spec, status = dict(raw), _part(raw, "spec"), _part(raw, "status")
    if spec is not None:
        made["spec"] = _with_class(spec)
    if status is not None:
        made["status"] = _with_slices(_renamed(status, _PAST_MISSPELT, _PAST))
    return made


def _with_class(spec: Raw) -> Raw:
    new = dict(spec)
    source, name = new.pop("priorityClassSource", None), new.pop("priorityClassName", None)
    if name and "priorityClassRef" not in new and source in _CLASS_KINDS:
        group, kind = _CLASS_KINDS[source]
        new["priorityClassRef"] = {"group": group, "kind": kind, "name": name}
    return new


def _with_slices(status: Raw) -> Raw:
    """v1beta1 lists each domain with its values; v1beta2 packs many into slices."""
    admission = status.get("admission")
    assigned = admission.get("podSetAssignments") if isinstance(admission, Mapping) else None
    if not isinstance(admission, Mapping) or not isinstance(assigned, list):
        return status
    return {**status, "admission": {**admission, "podSetAssignments": [_sliced(each) for each in assigned]}}


def _sliced(assignment: Any) -> Any:
    topology = assignment.get("topologyAssignment") if isinstance(assignment, Mapping) else None
    if not isinstance(topology, Mapping):
        return assignment
    domains = topology.get("domains")
    if not isinstance(domains, list) or not all(isinstance(each, Mapping) for each in domains):
        return assignment
    slices = [
        {
            "domainCount": 1,
            "valuesPerLevel": [{"universal": value} for value in each.get("values") or ()],
            "podCounts": {"universal": each.get("count")},
        }
        for each in domains
    ]
    return {**assignment, "topologyAssignment": {"levels": topology.get("levels"), "slices": slices}}


def _renamed(part: Raw, old: str, new: str) -> dict[str, Any]:
    made = dict(part)
    value = made.pop(old, None)
    if value is not None:
        made.setdefault(new, value)
    return made


def _part(raw: Raw, name: str) -> Raw | None:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else None


_CONVERSIONS: Mapping[str, Callable[[Raw], Raw]] = {
    "ClusterQueue": _cluster_queue,
    "Cohort": _cohort,
    "Workload": _workload,
}
