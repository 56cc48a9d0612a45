"""How the pods of a workload are replaced by new ones: what restarts and rollbacks share.

Only the pod template is ever written; how fast pods follow is the owner's own update strategy.
"""

from agent.actions.base import refused, unknown_target as unknown, wrong_kind
from agent.actions.written import Manifest, driven_by_another, spec_of
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Refusal
from agent.evidence.lookup import active_pods, find_workload, pods_of, raw_object

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def refuse_rollout(action: str, target: ObjectRef, view: ClusterView) -> Refusal | None:
    """Why a new template would reach nobody, or is another's to write."""
    if target.kind not in KINDS:
        return wrong_kind(action, target, ", ".join(KINDS))
    manifest = raw_object(view, target)
    if not manifest:
        return unknown(target)
    if spec_of(manifest).get("paused"):
        return refused("precondition.paused", f"{target} is paused", "ask who paused it")
    if (spec_of(manifest).get("updateStrategy") or {}).get("type") == "OnDelete":
        return refused("precondition.no_lever", f"{target} replaces pods only when they are deleted", "ask its owner")
    return driven_by_another(target, view)


def rollout_radius(target: ObjectRef, view: ClusterView) -> BlastRadius:
    pods = rolled(target, view)
    return BlastRadius(workloads=(str(target),), pods=len(pods), gpus=sum(pod.gpus for pod in pods))


def rolled(target: ObjectRef, view: ClusterView) -> tuple[Pod, ...]:
    return active_pods(pods_of(view, target))


def wanted(target: ObjectRef, view: ClusterView) -> int:
    """How many pods it is to have; those of a DaemonSet its controller counts."""
    workload = find_workload(view, target)
    if workload is not None and workload.replicas is not None:
        return workload.replicas
    status = raw_object(view, target).get("status") or {}
    return int(status.get("desiredNumberScheduled") or 0)


def template_of(manifest: Manifest) -> Manifest:
    template = spec_of(manifest).get("template")
    return template if isinstance(template, dict) else {}
