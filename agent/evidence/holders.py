"""Who holds GPUs: owners with their pods, and whether their GPUs could be taken back gently at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, ObjectRef, Pod, WorkloadClass
from agent.domain.duration import parse_duration
from agent.domain.outcome import PastAction
from agent.evidence.lookup import find_workload, raw_object, same_object

# How each kind gives its GPUs back. A kind that is not here cannot, or not without losing work.
RECLAIM_METHODS: Mapping[str, str] = {
    "Deployment": "scale_to_zero",
    "StatefulSet": "scale_to_zero",
    "InferenceService": "scale_to_zero",
    "Notebook": "stop",
    "Job": "suspend",
}
GANGS_THAT_WAIT = frozenset({"Workload", "Gang", "Job", "JobSet"})  # those that can be told to
# The default of the policies' data `idle.minimum`: how long idleness must last before it means something.
IDLE_MINIMUM_S: Mapping[str, int] = {"notebook": 3600, "serving": 7200, "training": 3600, "batch": 3600}
OPT_OUT = "watchkeeper.dev/opt-out"
LAST_ACTIVITY = "notebooks.kubeflow.org/last-activity"
WRONG_WITHIN_S = 7 * 24 * 3600  # a reclaim that was taken back in this time was wrong, and makes the next one slower


@dataclass(frozen=True, slots=True)
class Holder:
    ref: ObjectRef
    pods: tuple[Pod, ...]  # those that hold GPUs
    workload_class: WorkloadClass
    opted_out: bool

    @property
    def gpus(self) -> int:
        return sum(p.gpus for p in self.pods)

    @property
    def method(self) -> str | None:
        """None where nothing gentle works: an unknown kind, or a part of a gang. A whole gang its queue can suspend."""
        if not self.in_a_gang:
            return RECLAIM_METHODS.get(self.ref.kind)
        gangs = {str(p.gang) for p in self.pods}
        fits = all(p.gang is not None and p.gang.kind in GANGS_THAT_WAIT for p in self.pods)
        return "suspend" if fits and len(gangs) == 1 else None

    @property
    def in_a_gang(self) -> bool:
        return any(p.gang is not None for p in self.pods)


def holders(view: ClusterView) -> list[Holder]:
    """Every owner that holds GPUs, by reference."""
    by_owner: dict[ObjectRef, list[Pod]] = {}
    for _, pod in sorted(view.pods.items()):
        if pod.holds_gpus and pod.owner is not None and not pod.terminating:
            by_owner.setdefault(pod.owner, []).append(pod)
    return [holder_of(view, ref, tuple(by_owner[ref])) for ref in sorted(by_owner, key=str)]


def find_holder(view: ClusterView, ref: ObjectRef) -> Holder | None:
    return next((h for h in holders(view) if same_object(h.ref, ref)), None)


def holder_of(view: ClusterView, ref: ObjectRef, pods: tuple[Pod, ...]) -> Holder:
    workload = find_workload(view, ref)
    marks = dict(raw_object(view, ref).get("metadata", {}).get("annotations") or {})
    said = [marks, *(view.namespaces.get(ref.namespace or "", {}),), *(p.annotations for p in pods)]
    opted_out = any(m.get(OPT_OUT, "false").lower() != "false" for m in said)
    return Holder(ref, pods, workload.workload_class if workload else WorkloadClass.SERVING, opted_out)


def last_used(view: ClusterView, ref: ObjectRef) -> datetime | None:
    """When the notebook's own server last saw its user, as Kubeflow's culler notes it."""
    marks = raw_object(view, ref).get("metadata", {}).get("annotations") or {}
    try:
        return parse_rfc3339(str(marks[LAST_ACTIVITY]))
    except (KeyError, ValueError):
        return None  # not noted, or not a time: it says nothing


def taken_back(history: list[PastAction], ref: ObjectRef, now: datetime) -> int:
    """How often a reclaim of this owner's GPUs was undone of late."""
    since = now - timedelta(seconds=WRONG_WITHIN_S)
    return sum(
        p.action == "reclaim_idle_gpu" and p.undo and p.outcome in ("succeeded", "undone") and p.at >= since
        for p in history
        if same_object(p.target, ref)
    )


def required_idle_s(workload_class: WorkloadClass, minimum_s: Mapping[str, int], wrong: int) -> int:
    """The class minimum, once more for each time that it turned out wrong."""
    return minimum_s.get(workload_class.value, max(IDLE_MINIMUM_S.values())) * (1 + wrong)


def idle_minimum_s(limits: Mapping[str, Any]) -> Mapping[str, int]:
    """The class minimums of the policies' data (`idle.minimum`), over the defaults. Raises ValueError."""
    given = (limits.get("idle") or {}).get("minimum") or {}
    return {**IDLE_MINIMUM_S, **{str(name): int(parse_duration(text).total_seconds()) for name, text in given.items()}}
