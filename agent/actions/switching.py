"""The two positions of a queue's own switch on a gang: out (`spec.active` false) and in again.

Kueue's Workload and our Gang have one; for a Job or JobSet without a queue there is `requeue_gang` and reclaiming.
"""

from typing import ClassVar

from agent.actions.base import NoParameters, Occasion, Plain, refused, unknown_target as unknown, wrong_kind
from agent.actions.levers import lever
from agent.actions.rights import KUEUE, OURS, patching
from agent.actions.written import Manifest, forget, remember, remembered, spec_of, uid_of
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Refusal, Step, Verb
from agent.evidence.lookup import active_pods, find_gang, pods_of, raw_object, same_object


class Switching(Plain[NoParameters]):
    """What both actions share: target, steps, blast radius and the way back."""

    name: str
    to_active: ClassVar[bool]
    parameters = NoParameters
    rights = (*patching(KUEUE, "Workload"), *patching(OURS, "Gang"))

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        held_by = lever(target)
        if held_by is None or held_by[0] != "active":
            return wrong_kind(self.name, target, "Kueue's Workload and Gang")
        gang = find_gang(view, target)
        if gang is None or not same_object(gang.ref, target):
            return unknown(target)
        if gang.state is GangState.FINISHED:
            return refused("precondition.not_running", f"{target} has finished", "nothing to do")
        if is_active(raw_object(view, target)) is self.to_active:
            position = "active" if self.to_active else "deactivated"
            return refused("precondition.no_change", f"{target} is {position} already", "nothing to do")
        return self.refuse_switch(gang, view)

    def refuse_switch(self, gang: Gang, view: ClusterView) -> Refusal | None:
        return None

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        before: dict[str, object] = {"metadata": forget(), "spec": {"active": not self.to_active}}
        marks = remember(occasion.proposal, {"active": not self.to_active})
        body: dict[str, object] = {"metadata": marks, "spec": {"active": self.to_active}}
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest), undo=before),)

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        pods = members(target, view)
        return BlastRadius(gangs=(str(target),), pods=len(pods), gpus=sum(pod.gpus for pod in pods))

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        gang, manifest = find_gang(view, target), raw_object(view, target)
        return {
            "uid": uid_of(manifest),
            "active": is_active(manifest),
            "queue": gang.queue if gang else None,
            "minimum": gang.minimum if gang else None,
        }

    def inverse(
        self, target: ObjectRef, params: NoParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        manifest = raw_object(view, target)
        if remembered(manifest, undoes) is None or is_active(manifest) is not self.to_active:
            return None
        body: dict[str, object] = {"metadata": forget(), "spec": {"active": not self.to_active}}
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest)),)


def is_active(manifest: Manifest) -> bool:
    return spec_of(manifest).get("active", True) is not False


def members(target: ObjectRef, view: ClusterView) -> tuple[Pod, ...]:
    return active_pods(pods_of(view, target))
