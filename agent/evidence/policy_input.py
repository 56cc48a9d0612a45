"""Everything that a policy may look at, as plain JSON: pure, recorded whole, so that each decision can be replayed.

Prose stays out: a policy decides on what will be done, never on words that a stranger can write.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.diagnosis import Evidence
from agent.domain.outcome import PastAction
from agent.domain.proposal import Proposal
from agent.domain.standing import Standing
from agent.evidence.lookup import active_pods, find_workload, pods_of, tenant_pods_on
from agent.evidence.past_shown import as_recorded, history_shown, whole_where_it_is
from agent.evidence.windows import windows_at
from agent.ports import JsonObject

Phase = Literal["propose", "execute"]


def policy_input(  # noqa: PLR0913 - one for each part of what a policy may look at
    proposal: Proposal,
    view: ClusterView,
    facts: Mapping[str, Any],
    history: Sequence[PastAction],
    *,
    phase: Phase,
    now: datetime,
    notice_given_at: datetime | None = None,
    windows: Sequence[Mapping[str, Any]] = (),
    standing: Standing | None = None,
) -> JsonObject:
    """Everything a policy may look at, as plain JSON. Field by field in docs/policies.md.

    `windows` are the declared change windows; without a `standing` nobody has granted, demoted or frozen anything.
    """
    touched = _touched(proposal, view)
    spaces = _namespaces(proposal, touched)
    ineligible = sorted(node.name for node in view.nodes.values() if not node.eligible)
    return {
        "now": rfc3339(now),
        "phase": phase,
        "proposal": _proposal(proposal),
        "facts": {
            "nodes": {
                "total": len(view.nodes),
                "eligible": len(view.nodes) - len(ineligible),
                "ineligible": ineligible,
            },
            "target": _marks(proposal.target, view),
            "namespaces": {n: {"annotations": dict(view.namespaces.get(n, {}))} for n in spaces},
            "touched": [_touch(ref, view) for ref in touched],
            "gangs": _gangs(proposal, view),
            "workload": _workload(proposal.target, view),
            "budgets": _budgets(proposal, view),
            "idle": facts.get("idle"),
            "evidence": [_seen(each, now) for each in proposal.evidence],
            "notice": {"given_at": rfc3339(notice_given_at)} if notice_given_at else None,
            "conflicts": list(facts.get("conflicts", ())),
            "windows": windows_at(windows, now),
        },
        "standing": (standing or Standing()).for_policies(),
        "history": history_shown(history, now),
    }


def _proposal(proposal: Proposal) -> JsonObject:
    shown = proposal.json_object()
    for key in ("statement", "evidence", "prediction", "at_stake", "rests_on", "steps"):
        shown.pop(key, None)
    shown["target"] = proposal.target.json_object()
    return {**shown, "digest": proposal.digest}


def _touched(proposal: Proposal, view: ClusterView) -> list[ObjectRef]:
    """The target, what the steps act on, the gangs and workloads in the blast radius, and the pods that are theirs or
    on the nodes named."""
    named = set(proposal.blast_radius.gangs) | set(proposal.blast_radius.workloads)
    refs = [ref for ref in (*view.gangs, *view.workloads) if str(ref) in named] if named else []
    on_nodes = [p for n in proposal.blast_radius.nodes for p in view.pods_on(n)] if proposal.destructive else []
    pods = [pod.ref for pod in (*on_nodes, *view.pods_named(named))]
    return sorted({proposal.target, *(step.target for step in proposal.steps), *refs, *pods}, key=str)


def _touch(ref: ObjectRef, view: ClusterView) -> JsonObject:
    pod = view.pods.get((ref.namespace or "", ref.name)) if ref.kind == "Pod" else None
    owner = pod.owner if pod is not None else None
    return {"ref": str(ref), "owner": str(owner) if owner else None, "annotations": _marks(ref, view)["annotations"]}


def _namespaces(proposal: Proposal, touched: Sequence[ObjectRef]) -> list[str]:
    """Of what is touched, and of what the blast radius names although the view does not have it."""
    named = [ref.split("/") for ref in (*proposal.blast_radius.gangs, *proposal.blast_radius.workloads)]
    seen = {ref.namespace for ref in touched if ref.namespace}
    return sorted(seen | {parts[1] for parts in named if len(parts) == 3})


def _marks(ref: ObjectRef, view: ClusterView) -> JsonObject:
    thing: Any = (
        view.nodes.get(ref.name)
        if ref.kind == "Node"
        else view.workloads.get(ref) or view.gangs.get(ref) or view.pods.get((ref.namespace or "", ref.name))
    )
    raw: Any = view.objects.get(ref, {})
    metadata = raw.get("metadata", {})
    labels = getattr(thing, "labels", None) or metadata.get("labels") or {}
    annotations = getattr(thing, "annotations", None) or metadata.get("annotations") or {}
    return {"labels": dict(labels), "annotations": dict(annotations)}


def _gangs(proposal: Proposal, view: ClusterView) -> list[JsonObject]:
    """Each gang that loses running pods by this proposal, and whether it loses them all."""
    if not proposal.destructive:
        return []
    nodes = set(proposal.blast_radius.nodes) if proposal.target.kind == "Node" else set()
    named = set(proposal.blast_radius.gangs)
    listed = []
    for ref, gang in sorted(view.gangs.items(), key=lambda item: str(item[0])):
        touched = len(gang.running) if str(ref) in named and not nodes else _stopped(gang, proposal, nodes, view)
        if touched or str(ref) in named:
            listed.append(
                {
                    "ref": str(ref),
                    "minimum": gang.minimum,
                    "running": len(gang.running),
                    "touched": touched,
                    "whole": touched == len(gang.running),
                    "healthy": gang.state is GangState.RUNNING and not _on_sick_node(gang.running, view),
                }
            )
    return listed


def _workload(target: ObjectRef, view: ClusterView) -> JsonObject | None:
    """What the target is for, how many pods it has, and how many of them its disruption budgets let go at once."""
    workload = find_workload(view, target)
    if workload is None:
        return None
    pods = [pod for pod in active_pods(pods_of(view, target)) if not pod.terminating]
    allowed = [
        budget.disruptions_allowed
        for budget in view.disruptions
        if budget.ref.namespace == target.namespace
        and any(budget.selector.items() <= dict(pod.labels).items() for pod in pods)
    ]
    least = min(allowed, default=None)
    return {"class": workload.workload_class.value, "pods": len(pods), "disruptions_allowed": least}


def _budgets(proposal: Proposal, view: ClusterView) -> list[JsonObject]:
    """The disruption budgets of who works on a node that is acted on: how many each lets go, how many would."""
    if not proposal.destructive or proposal.target.kind != "Node":
        return []
    pods = tenant_pods_on(view, proposal.target.name)
    listed = []
    for budget in sorted(view.disruptions, key=lambda budget: str(budget.ref)):
        wanted = budget.selector.items()
        touched = sum(p.ref.namespace == budget.ref.namespace and wanted <= dict(p.labels).items() for p in pods)
        if touched:
            allowed = budget.disruptions_allowed
            listed.append({"ref": str(budget.ref), "disruptions_allowed": allowed, "touched": touched})
    return listed


def _stopped(gang: Gang, proposal: Proposal, nodes: set[str], view: ClusterView) -> int:
    """Of a node's gang: all where a step acts on the gang itself, else those on the nodes or told to leave."""
    acted_on = {step.target for step in proposal.steps}
    if gang.ref in acted_on:
        return len(gang.running)
    return sum(p in acted_on or view.pods[(p.namespace or "", p.name)].node in nodes for p in gang.running)


def _on_sick_node(pods: Sequence[ObjectRef], view: ClusterView) -> bool:
    """A gang with a member on a node that is cordoned or not ready makes no progress worth keeping."""
    for ref in pods:
        pod = view.pods[(ref.namespace or "", ref.name)]
        node = view.nodes.get(pod.node or "")
        if node is not None and not node.eligible:
            return True
    return False


def _seen(evidence: Evidence, now: datetime) -> JsonObject:
    """When it was seen; what was seen, and the name that a sender gives itself, are prose."""
    at = rfc3339(evidence.observed_at)
    return {"kind": evidence.kind, "observed_at": at, "age_s": _age_s(at, now)}


def _age_s(at: str, now: datetime) -> float:
    """Reckoned here, once: to read a time costs a policy more than all else that it does. Of the times as recorded."""
    return whole_where_it_is((as_recorded(now) - parse_rfc3339(at)).total_seconds())
