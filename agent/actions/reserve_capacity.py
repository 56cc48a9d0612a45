"""Holds named nodes for a waiting gang until a time: a taint on the nodes that only this gang's pods tolerate.

The lever is the scheduler's own, so a real cluster obeys it as the simulated one does (docs/decisions/0004). Whoever
runs there stays. What is held is let go when the gang runs, is gone, or at `until`: the marks on the nodes say which.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from agent.actions.base import Occasion, Plain, Repairs, Success, refused, unknown_target as unknown
from agent.actions.exclusion import changed_templates
from agent.actions.rights import CORE, LEVERS, patching
from agent.actions.written import spec_of, uid_of
from agent.domain.base import Noun, rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, Node, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.holding import RESERVED_BY, RESERVED_FOR, RESERVED_TAINT, RESERVED_UNTIL, is_reserved
from agent.evidence.lookup import find_gang, pods_of, raw_object, same_object

NODES_MAX = 64  # as many as requeue_gang keeps a gang off
RESERVED_AT_MOST_S = 4 * 3600  # a reboot and its checks take an hour; longer is a person's decision
UNMARKED = {RESERVED_FOR: None, RESERVED_BY: None, RESERVED_UNTIL: None}


class ReserveParameters(Noun):
    nodes: tuple[str, ...] = Field(min_length=1, max_length=NODES_MAX)
    until: AwareDatetime


class ReserveCapacity(Plain[ReserveParameters]):
    name = "reserve_capacity"
    parameters = ReserveParameters
    rights = (*patching(CORE, "Node", "Pod"), *LEVERS)
    verify_within_s = 120  # an API server that took the patches shows them at the next look

    def refuse(self, target: ObjectRef, params: ReserveParameters, view: ClusterView) -> Refusal | None:
        gang = find_gang(view, target)
        if gang is None:
            return unknown(target)
        if not same_object(gang.ref, target):
            return refused("precondition.owned_by_queue", f"{target} is driven by {gang.ref}", f"name {gang.ref}")
        if gang.state is not GangState.QUEUED or gang.running:
            return refused("precondition.not_waiting", f"{target} does not wait whole", "requeue it first")
        if not gang.uid or not (_waiting_pods(gang, view) or _can_change(gang, view)):
            return refused(
                "precondition.no_lever",
                f"the pods of a {_template(gang).kind} cannot be let onto held nodes",
                "tell a person",
            )
        return _time_refusal(params, view) or _nodes_refusal(params, view)

    def steps(
        self, target: ObjectRef, params: ReserveParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        """The gang is let in before anybody is kept out."""
        gang = find_gang(view, target)
        if gang is None:
            return ()
        marks = {
            RESERVED_FOR: json.dumps(gang.ref.json_object(), sort_keys=True),
            RESERVED_BY: occasion.proposal,
            RESERVED_UNTIL: rfc3339(params.until),
        }
        taint = {"key": RESERVED_TAINT, "value": gang.uid, "effect": "NoSchedule"}
        held = (_held(view.nodes[name], taint, marks) for name in sorted(set(params.nodes)))
        return (*_let_in(gang, view), *held)

    def blast_radius(self, target: ObjectRef, params: ReserveParameters, view: ClusterView) -> BlastRadius:
        nodes = [view.nodes[name] for name in sorted(set(params.nodes)) if name in view.nodes]
        return BlastRadius(nodes=tuple(node.name for node in nodes), gpus=sum(node.gpus for node in nodes))

    def rests_on(self, target: ObjectRef, params: ReserveParameters, view: ClusterView) -> dict[str, object]:
        gang = find_gang(view, target)
        nodes = {name: view.nodes[name] for name in sorted(set(params.nodes)) if name in view.nodes}
        return {
            "uid": gang.uid if gang else None,
            "queue": gang.queue if gang else None,
            "nodes": {name: {"uid": node.uid, "cordoned": node.unschedulable} for name, node in nodes.items()},
        }

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        """The nodes are held, or let go again."""
        wanted = proposal.undoes is None
        nodes = [
            view.nodes[step.target.name]
            for step in proposal.steps
            if step.target.name in view.nodes and step.target.kind == "Node"
        ]
        held = [node.name for node in nodes if is_reserved(node)]
        done = len(held) == len(nodes) if wanted else not held
        return Success(done or None, f"{len(held)} of {len(nodes)} nodes are held for {proposal.target}")

    def inverse(
        self, target: ObjectRef, params: ReserveParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        """Each node that still bears this proposal's mark; what another holds is not ours to let go."""
        mine = [node for _, node in sorted(view.nodes.items()) if node.annotations.get(RESERVED_BY) == undoes]
        return tuple(_let_go(node) for node in mine if is_reserved(node)) or None


def _time_refusal(params: ReserveParameters, view: ClusterView) -> Refusal | None:
    latest = view.taken_at + timedelta(seconds=RESERVED_AT_MOST_S)
    if view.taken_at < params.until <= latest:
        return None
    told = f"{rfc3339(params.until)} is not between now and {rfc3339(latest)}"
    return refused("precondition.until", f"a reservation must end: {told}", "name an earlier end")


def _nodes_refusal(params: ReserveParameters, view: ClusterView) -> Refusal | None:
    for name in sorted(set(params.nodes)):
        node = view.nodes.get(name)
        if node is None or not node.eligible:
            return refused("precondition.node", f"node {name} takes no pods", "name nodes that are in service")
        if is_reserved(node):
            return refused("precondition.reserved", f"node {name} is reserved already", "wait until it is let go")
    return None


def _template(gang: Gang) -> ObjectRef:
    return gang.job or gang.ref


def _waiting_pods(gang: Gang, view: ClusterView) -> list[Pod]:
    pods = (pod for pod in pods_of(view, gang.ref) if pod.phase == "Pending" and not pod.terminating)
    return [pod for pod in pods if pod.node is None]


def _can_change(gang: Gang, view: ClusterView) -> bool:
    """A job's template is free while it is suspended, our own Gang's always."""
    template = _template(gang)
    return template.kind == "Gang" or (
        template.kind in ("Job", "JobSet") and spec_of(raw_object(view, template)).get("suspend") is True
    )


def _let_in(gang: Gang, view: ClusterView) -> Iterator[Step]:
    """Its pods that exist already may be given tolerations, and its template where pods are still to be made of it."""
    toleration = {"key": RESERVED_TAINT, "operator": "Equal", "value": gang.uid, "effect": "NoSchedule"}
    for pod in _waiting_pods(gang, view):
        before = spec_of(raw_object(view, pod.ref)).get("tolerations")
        body = {"spec": {"tolerations": _with(before, toleration)}}
        seen: dict[str, object] = {"spec": {"tolerations": list(before or [])}}
        # A toleration can never be taken from a pod again; for nodes that nobody holds it means nothing.
        yield Step(verb=Verb.PATCH, target=pod.ref, body=body, uid=pod.uid or None, seen=seen, undo=body)
    template = _template(gang)
    manifest = raw_object(view, template)
    change = changed_templates(template.kind, manifest, "tolerations", lambda before: _with(before, toleration))
    if change is not None and change.body != change.undo and _can_change(gang, view):
        before_it = change.undo
        yield Step(
            verb=Verb.PATCH, target=template, body=change.body, uid=uid_of(manifest), seen=before_it, undo=before_it
        )


def _with(before: list[Any] | None, toleration: dict[str, str]) -> list[Any]:
    listed = list(before or [])
    return listed if toleration in listed else [*listed, toleration]


def _held(node: Node, taint: dict[str, str], marks: dict[str, str]) -> Step:
    before = [dict(each) for each in node.taints]
    body: dict[str, object] = {"metadata": {"annotations": marks}, "spec": {"taints": [*before, taint]}}
    undo: dict[str, object] = {"metadata": {"annotations": UNMARKED}, "spec": {"taints": before}}
    seen: dict[str, object] = {"spec": {"taints": before}}
    return Step(verb=Verb.PATCH, target=node.ref, body=body, uid=node.uid or None, seen=seen, undo=undo)


def _let_go(node: Node) -> Step:
    kept = [dict(each) for each in node.taints if each.get("key") != RESERVED_TAINT]
    body: dict[str, object] = {"metadata": {"annotations": UNMARKED}, "spec": {"taints": kept}}
    seen: dict[str, object] = {"spec": {"taints": [dict(each) for each in node.taints]}}
    return Step(verb=Verb.PATCH, target=node.ref, body=body, uid=node.uid or None, seen=seen)
