"""A Gang: its minimum, who runs, and so its state.

A pod in phase Running counts as running even when it is not Ready (it holds its GPUs and its peers wait for it); one
that is being deleted does not, since nobody can count on it.
"""

from collections.abc import Sequence
from datetime import datetime

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields, ref_of
from agent.adapters.kubernetes.gang_size import QUEUE_LABEL, gpus_per_pod, is_queued, minimum_of, templates_of
from agent.domain.cluster import Gang, GangState, ObjectRef, Pod

_ENDED = ("Finished", "Complete", "Completed", "Failed")  # conditions of Workload, Job, JobSet


def gang_of(root: Fields, job_ref: ObjectRef | None, job: Fields | None, members: Sequence[Pod]) -> Gang:
    """`job_ref` names the object that owns the pods where it is another than `root`; `job` is it, if at hand."""
    metadata = root.within("metadata")
    minimum = minimum_of(root)
    running = tuple(p for p in members if p.phase == "Running" and not p.terminating)
    pending = tuple(p for p in members if p.phase == "Pending" and not p.terminating)
    state = _state(root, job, minimum, members)
    created_at = metadata.moment("creationTimestamp")
    return Gang(
        ref=ref_of(root),
        uid=metadata.text("uid"),
        minimum=minimum,
        state=state,
        running=tuple(p.ref for p in running),
        pending=tuple(p.ref for p in pending),
        priority=_priority(root, job, members),
        queue=_queue(root, job),
        gpus_per_pod=max((p.gpus for p in members), default=0)
        or gpus_per_pod(root)
        or (gpus_per_pod(job) if job else 0),
        job=job_ref,
        annotations={
            **(job.within("metadata").strings("annotations") if job else {}),
            **metadata.strings("annotations"),
        },
        created_at=created_at,
        stuck_since=_stuck_since(root, len(running), minimum, pending) if state is GangState.STUCK else None,
    )


def _state(root: Fields, job: Fields | None, minimum: int, members: Sequence[Pod]) -> GangState:
    running = sum(p.phase == "Running" and not p.terminating for p in members)
    pending = sum(p.phase == "Pending" and not p.terminating for p in members)
    done = sum(p.phase == "Succeeded" for p in members)
    if _ended(root) or (job and _ended(job)):
        return GangState.FINISHED
    if _suspended(root):
        return GangState.SUSPENDED
    winding_down = not pending and done > 0 and running + done >= minimum
    if winding_down and not running:
        return GangState.FINISHED
    if running >= minimum or winding_down:
        return GangState.RUNNING
    return GangState.STUCK if running else GangState.QUEUED


def _ended(root: Fields) -> bool:
    conditions = conditions_of(root.within("status"))
    return any(find(conditions, kind, "True") for kind in _ENDED)


def _suspended(root: Fields) -> bool:
    """A queued job is suspended by its queue, which only means that it waits."""
    spec = root.within("spec")
    return not spec.boolean("active", True) or (spec.boolean("suspend", False) and not is_queued(root))


def _priority(root: Fields, job: Fields | None, members: Sequence[Pod]) -> int:
    """As the queue says; else as the templates or, since a class is given by name there, the pods themselves do."""
    spec = root.within("spec")
    if spec.has("priority"):
        return spec.integer("priority", 0)
    templates = [*templates_of(root), *(templates_of(job) if job else [])]
    told = [t.integer("priority", 0) for t in templates if t.has("priority")]
    return max(told or [p.priority for p in members], default=0)


def _queue(root: Fields, job: Fields | None) -> str | None:
    spec = root.within("spec")
    labels = [r.within("metadata").strings("labels").get(QUEUE_LABEL, "") for r in (root, job) if r]
    return next((name for name in (spec.text("queueName"), spec.text("queue"), *labels) if name), None)


def _stuck_since(root: Fields, running: int, minimum: int, pending: Sequence[Pod]) -> datetime | None:
    """When the pod went missing that took the gang below its minimum, as far as anything still tells.

    A pod that is gone, and has no successor yet, tells nothing: since when the others run says nothing of it.
    """
    waits = sorted(p.pending_since for p in pending if p.pending_since)
    if waits:
        spare = max(0, running + len(pending) - minimum)
        return waits[min(spare, len(waits) - 1)]
    not_ready = find(conditions_of(root.within("status")), "PodsReady", "False")
    return not_ready.since if not_ready else None
