"""How a service stands and how far it may fall: ready pods, what its disruption budgets leave it, how it is rolled.

Shared by what is predicted and by what is looked at afterwards, so that both count alike.
"""

from datetime import datetime, timedelta
from math import ceil, floor

from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.evidence.lookup import pods_of, raw_object
from agent.evidence.pod_series import STALE_S, fresh, key_of, read_pods
from agent.evidence.restore import WAITING_METRIC
from agent.ports import Metrics, MetricsUnavailable

ROLLED_AT_ONCE = "25%"  # Kubernetes' own default for a Deployment


def ready_pods(view: ClusterView, owner: ObjectRef) -> tuple[Pod, ...]:
    return tuple(p for p in pods_of(view, owner) if p.ready and p.phase == "Running" and not p.terminating)


def floor_of(view: ClusterView, owner: ObjectRef) -> int | None:
    """How many ready pods its budgets leave it at least; None where no budget speaks of them."""
    ready = ready_pods(view, owner)
    allowed = [
        budget.disruptions_allowed
        for budget in view.disruptions
        if budget.ref.namespace == owner.namespace
        and any(budget.selector.items() <= dict(pod.labels).items() for pod in ready)
    ]
    return max(0, len(ready) - min(allowed)) if allowed else None


def requests_waiting(view: ClusterView, owner: ObjectRef, metrics: Metrics, now: datetime) -> int | None:
    """Over all its pods, as their servers count now; None where any of them does not say, or nobody can be asked."""
    pods = ready_pods(view, owner)
    try:
        read = read_pods(metrics, WAITING_METRIC, pods, now - timedelta(seconds=STALE_S), now)
    except MetricsUnavailable:
        return None
    series = [one for found in read.values() for one in found]
    if not pods or set(read) != {key_of(pod) for pod in pods} or not all(fresh(one.points, now) for one in series):
        return None
    return int(sum(one.points[-1][1] for one in series))


def down_at_once(view: ClusterView, owner: ObjectRef, wanted: int) -> int:
    """How many of its pods may be gone at one time while it is rolled, by its own strategy."""
    spec = raw_object(view, owner).get("spec") or {}
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    if strategy.get("type") == "Recreate":
        return wanted
    rolling = strategy.get("rollingUpdate") or {}
    if owner.kind != "Deployment":
        return min(wanted, max(1, _share(rolling.get("maxUnavailable", 1), wanted, up=True)))
    down = _share(rolling.get("maxUnavailable", ROLLED_AT_ONCE), wanted, up=False)
    surge = _share(rolling.get("maxSurge", ROLLED_AT_ONCE), wanted, up=True)
    return min(wanted, down if down or surge else 1)  # Kubernetes makes it one where both come out as none


def _share(value: object, of: int, *, up: bool) -> int:
    """`25%` or a number; the API server takes nothing else."""
    text = str(value)
    if not text.endswith("%"):
        return int(text) if text.isdecimal() else 0
    percent = text[:-1]
    part = of * (int(percent) if percent.isdecimal() else 0) / 100
    return ceil(part) if up else floor(part)
