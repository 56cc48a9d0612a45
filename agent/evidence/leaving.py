"""Who may be asked to leave a sick node before a repair that would stop what runs there, and who stays, and why.

Asked to leave is what its controller starts again elsewhere as it was: a replica of a service, with a node to go to and
a disruption budget that lets it go. A notebook and a job of its own lose their work by leaving, and what nobody starts
again is lost itself: those are for a person. Pure; gangs leave whole, by another way.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.domain.cluster import ClusterView, Node, Pod, WorkloadClass
from agent.evidence.holders import Holder, holder_of
from agent.evidence.lookup import active_pods

REPLICAS = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "InferenceService"})


@dataclass(frozen=True, slots=True)
class Staying:
    pod: Pod
    why: str

    def __str__(self) -> str:
        return f"{self.pod.ref} ({self.why})"


def parted(pods: Sequence[Pod], node: Node, view: ClusterView) -> tuple[list[Pod], list[Staying]]:
    """Those who may go, one after the other, and those who stay."""
    room = _room_elsewhere(node, view) if pods else 0
    reasons = [(pod, _why_it_stays(pod, room, view)) for pod in pods]
    return [pod for pod, why in reasons if not why], [Staying(pod, why) for pod, why in reasons if why]


def _why_it_stays(pod: Pod, room: int, view: ClusterView) -> str:
    """Empty where nothing is said against its leaving."""
    if pod.gang is not None:
        return f"part of {pod.gang}"
    if pod.owner is None:
        return "nothing would start it again"
    holder, spent = holder_of(view, pod.owner, (pod,)), _spent_budget(pod, view)
    reasons = {
        "its owner opted out": holder.opted_out,
        f"{pod.owner.kind}: it would lose its work": not _one_like_another(holder),
        "it is leaving already": pod.terminating,
        f"the disruption budget {spent} lets nobody go": bool(spent),
        "no other node has room for it": pod.gpus > room,
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _one_like_another(holder: Holder) -> bool:
    return holder.ref.kind in REPLICAS and holder.workload_class is WorkloadClass.SERVING


def _spent_budget(pod: Pod, view: ClusterView) -> str:
    """The first budget that selects it and allows no disruption now; an empty selector selects all, as in policy/v1."""
    return next(
        (
            budget.ref.name
            for budget in sorted(view.disruptions, key=lambda budget: str(budget.ref))
            if budget.ref.namespace == pod.ref.namespace
            and budget.selector.items() <= dict(pod.labels).items()
            and budget.disruptions_allowed < 1
        ),
        "",
    )


def _room_elsewhere(node: Node, view: ClusterView) -> int:
    """The most GPUs free on one other node. They are what is scarce; other wishes are the scheduler's to meet."""
    held = Counter[str | None]()
    for pod in active_pods(view.pods.values()):
        held[pod.node] += pod.gpus
    others = (other for other in view.nodes.values() if other.eligible and other.name != node.name)
    return max((other.gpus - held[other.name] for other in others), default=-1)
