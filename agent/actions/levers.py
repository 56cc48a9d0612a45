"""How a queue is told to hold a gang back and to let it go: one safe lever per kind, never a status.

Which gang, and when, is for `requeue_gang`.
"""

from collections.abc import Mapping
from typing import Any

from agent.actions.base import Success
from agent.domain.cluster import ClusterView, Gang, ObjectRef
from agent.evidence.heeded import unseen

# The field of the spec that holds a gang back, and its value while it may run.
_LEVERS: dict[tuple[str, str], tuple[str, bool]] = {
    ("kueue.x-k8s.io", "Workload"): ("active", True),
    ("watchkeeper.dev", "Gang"): ("active", True),
    ("batch", "Job"): ("suspend", False),
    ("jobset.x-k8s.io", "JobSet"): ("suspend", False),
}
_DRIVERS = ("TrainJob", "RayJob", "MPIJob")  # they write the switch of the jobs below them again from their own
NATIVE = "scheduling.k8s.io"  # its PodGroup and Workload have no such field: all pods are evicted


def lever(ref: ObjectRef) -> tuple[str, bool] | None:
    """The field and its running value; None for a kind without one."""
    return _LEVERS.get((ref.api_version.rpartition("/")[0], ref.kind))


def lever_of(gang: Gang) -> tuple[str, bool]:
    """For a gang that `requeue_gang` did not refuse."""
    found = lever(gang.ref)
    if found is None:
        raise ValueError(f"{gang.ref} has no lever")
    return found


def evicted(ref: ObjectRef) -> bool:
    return ref.api_version.startswith(f"{NATIVE}/") and ref.kind in ("PodGroup", "Workload")


def driver_of(manifest: Mapping[str, Any]) -> str | None:
    """Who would at once undo what our hand does to this object's switch, named as people name it."""
    if manifest.get("kind") not in ("Job", "JobSet"):
        return None
    owners = manifest.get("metadata", {}).get("ownerReferences") or ()
    return next((f"{owner['kind']}/{owner.get('name')}" for owner in owners if owner.get("kind") in _DRIVERS), None)


def if_heeded(told: Success, target: ObjectRef, view: ClusterView) -> Success:
    """A success only once the queue's controller has seen what was written: else nothing has come of it yet."""
    waits = unseen(view, target) if told.done else ""
    return Success(None, f"{told.statement}, and {waits}") if waits else told
