"""The Forecaster port: a what-if on a fork of the core's snapshot of this view."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.adapters.scheduler.gangs import pod_name
from agent.adapters.scheduler.mapping import snapshot_of
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.proposal import Prediction
from scheduler_core.changes import Change, Cordon, Drain, Evict, Remove, Requeue, Scale
from scheduler_core.whatif import what_if


class SchedulerForecaster:
    def what_if(self, view: ClusterView, changes: Sequence[Mapping[str, Any]]) -> Prediction:
        """Raises ValueError for a change that it does not know, and for one about something that is not there."""
        wanted = [each for change in changes for each in _changes(view, change)]
        effect = what_if(snapshot_of(view), wanted, view.taken_at.timestamp())
        return Prediction(
            gpus_free_before=effect.gpus_free_before,
            gpus_free_after=effect.gpus_free_after,
            gangs_started=effect.started,
            gangs_pending={name: f"{why.reason}: {why.message}" for name, why in effect.still_pending.items()},
        )


def _changes(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    if "requeue" in change:
        gang = _gang(view, change["requeue"])
        excluded = tuple(node for node in change.get("exclude_nodes") or () if node in view.nodes)
        return [Requeue(str(gang.ref), 0, excluded)]
    if "cordon" in change:
        return [Cordon(str(change["cordon"]))]
    if "drain" in change:
        return [Drain(str(change["drain"]))]
    if "evict" in change:
        return [Evict(f"{change['evict'].namespace or ''}/{change['evict'].name}")]
    if "scale" in change:
        return _scaling(change["scale"], change.get("replicas"))
    if "remove" in change:
        return _removal(view, change["remove"])
    raise ValueError(f"what-if: no change is called {', '.join(sorted(change)) or '(nothing)'}")


def _scaling(owner: ObjectRef, replicas: int | None) -> list[Change]:
    """What an autoscaler makes of new limits is not known."""
    if replicas is None:
        raise ValueError(f"what-if: how many replicas {owner} will have is not known")
    return [Scale(str(owner), replicas)]


def _gang(view: ClusterView, ref: ObjectRef) -> Gang:
    for gang in view.gangs.values():
        if ref in (gang.ref, gang.job):
            return gang
    raise ValueError(f"what-if: {ref} is no gang of this view")


def _removal(view: ClusterView, owner: ObjectRef) -> list[Change]:
    gone: list[Change] = [
        Remove(gang=str(gang.ref))
        for gang in view.gangs.values()
        if owner in (gang.ref, gang.job) and gang.state is not GangState.FINISHED
    ]
    for pod in view.pods_of(owner):
        if pod.gang is None and pod.phase in ("Pending", "Running") and (pod.node is not None or not pod.terminating):
            gone.append(Remove(pod=pod_name(pod)))
    return gone
