"""Proposals and refusals of one action on a cluster told in the words of the field."""

from typing import Any

from evidence.field import NOW, Cluster, cluster, diagnosis, incident, ref

from agent.actions.base import Success, Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.proposal import Proposal, Refusal, Verb

NODE = ref("Node", "gpu-7")


def propose(action: str, target: ObjectRef, where: Cluster | ClusterView, **parameters: Any) -> Proposal | Refusal:
    wish = {k: parameters.pop(k) for k in ("undoes",) if k in parameters}
    view = where.view() if isinstance(where, Cluster) else where
    about = incident(Symptom.GPU_FAULT, NODE)
    return build_proposal(CATALOGUE[action], about, 2, Wish(target, parameters, "because", **wish), view, diagnosis())


def proposed(action: str, target: ObjectRef, where: Cluster | ClusterView, **parameters: Any) -> Proposal:
    made = propose(action, target, where, **parameters)
    assert isinstance(made, Proposal), made
    return made


def refusal(action: str, target: ObjectRef, where: Cluster, **parameters: Any) -> str:
    made = propose(action, target, where, **parameters)
    assert isinstance(made, Refusal), made
    return made.code


def success(made: Proposal, where: Cluster, repair: Any = "unknown") -> Success:
    return CATALOGUE[made.action].succeeded(
        made, where.view(), NOW, lambda key: repair if key == "inc-1/2/0" else "failed"
    )


def ours(name: str = "gpu-7", **more: Any) -> Cluster:
    return cluster().node(name, cordoned=True, annotations={"watchkeeper.dev/cordoned-by": "watchkeeper"}, **more)


def after(made: Proposal, where: Cluster) -> Cluster:
    """The objects as the proposal's patches and scales leave them."""
    for step in made.steps:
        if step.verb is Verb.PATCH:
            where.change(step.target.kind, step.target.name, step.body)
        if step.verb is Verb.SCALE:
            where.change(step.target.kind, step.target.name, {"spec": dict(step.body)})
    return where
