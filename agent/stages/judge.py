"""What the policies say about a proposal: the input they see, and their answer as a Verdict.

Entered twice: when the proposal is made, and on a fresh view just before execution. The input is built here by a pure
function and recorded whole, so that every decision can be replayed. An engine that gives no decision is a deny.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ClusterView, GangState, ObjectRef
from agent.domain.outcome import PastAction
from agent.domain.proposal import Proposal
from agent.domain.verdict import Decision, Obligations, Reason, Verdict
from agent.ports import JsonObject, PolicyEngine, PolicyUnavailable

Phase = Literal["propose", "execute"]


def judge(engine: PolicyEngine, policy_input: JsonObject) -> Verdict:
    """The engine's decision on `policy_input`; whatever is not a clean decision is a deny with its own code."""
    proposal_digest = policy_input["proposal"]["digest"]
    decision_id = "dec-" + digest_of([policy_input, engine.digest])[:12]
    try:
        raw = engine.decide(policy_input)
        return Verdict.model_validate(
            {**raw, "decision_id": decision_id, "policy_digest": engine.digest, "proposal_digest": proposal_digest}
        )
    except PolicyUnavailable as fault:
        reason = Reason(code=fault.code, message=str(fault), remedy="mend the policy engine; nothing is done meanwhile")
    except ValidationError as error:
        reason = Reason(code="policy.ill_typed", message=f"the decision has the wrong form: {error.errors()[0]['msg']}")
    return Verdict(
        decision_id=decision_id,
        decision=Decision.DENY,
        reasons=(reason,),
        policy_digest=engine.digest,
        proposal_digest=proposal_digest,
        obligations=Obligations(),
    )


def engine_failed(verdict: Verdict) -> bool:
    """Denied because there was no decision, not because of one."""
    return any(reason.code.startswith("policy.") for reason in verdict.reasons)


def approval_covers(
    request: ApprovalRequest | None, proposal: Proposal, verdict: Verdict, now: datetime
) -> tuple[bool, str]:
    """May an escalated proposal go ahead? The sentence says why not.

    The approval is for these steps (digest), under these policies, for these reasons, and not too long ago.
    """
    if request is None or request.state is not RequestState.APPROVED or request.decided_at is None:
        return False, "there is no approval"
    if request.digest != proposal.digest:
        return False, "what was approved has changed since"
    if request.verdict.policy_digest != verdict.policy_digest:
        return False, "the policies have changed since the approval"
    if (now - request.decided_at).total_seconds() > request.requirement.execute_within_s + verdict.obligations.notice_s:
        return False, "the approval is too old"
    asked = {reason.code for reason in request.verdict.reasons}
    new = sorted({reason.code for reason in verdict.reasons} - asked)
    if new:
        return False, f"there are reasons that nobody approved: {', '.join(new)}"
    return True, "approved"


def policy_input(
    proposal: Proposal,
    view: ClusterView,
    facts: Mapping[str, Any],
    history: Sequence[PastAction],
    *,
    phase: Phase,
    now: datetime,
    notice_given_at: datetime | None = None,
) -> JsonObject:
    """Everything a policy may look at, as plain JSON. Field by field in docs/policies.md."""
    touched = _touched(proposal, view)
    newest = max((e.observed_at for e in proposal.evidence), default=None)
    return {
        "now": rfc3339(now),
        "phase": phase,
        "proposal": _proposal(proposal),
        "facts": {
            "nodes": {
                "total": len(view.nodes),
                "eligible": sum(node.eligible for node in view.nodes.values()),
                "unschedulable": sum(node.unschedulable for node in view.nodes.values()),
            },
            "target": _marks(proposal.target, view),
            "namespaces": {n: {"annotations": dict(view.namespaces.get(n, {}))} for n in _namespaces(touched)},
            "touched": [{"ref": str(ref), "annotations": _marks(ref, view)["annotations"]} for ref in touched],
            "gangs": _gangs(proposal, view),
            "idle": facts.get("idle"),
            "evidence_observed_at": rfc3339(newest) if newest else None,
            "notice": {"given_at": rfc3339(notice_given_at)} if notice_given_at else None,
            "conflicts": list(facts.get("conflicts", ())),
        },
        "history": [_past(action) for action in history],
    }


def _proposal(proposal: Proposal) -> JsonObject:
    """Without prose and evidence: a policy decides on what will be done, never on words a stranger can write."""
    shown = proposal.json_object()
    for key in ("statement", "evidence", "prediction", "rests_on", "steps"):
        shown.pop(key)
    shown["target"] = proposal.target.json_object()
    return {**shown, "digest": proposal.digest}


def _touched(proposal: Proposal, view: ClusterView) -> list[ObjectRef]:
    """The target, the gangs and workloads in the blast radius, and the pods that are theirs or on the nodes named."""
    named = set(proposal.blast_radius.gangs) | set(proposal.blast_radius.workloads)
    refs = [ref for ref in (*view.gangs, *view.workloads) if str(ref) in named]
    pods = [
        pod.ref
        for pod in view.pods.values()
        if (proposal.destructive and pod.node in proposal.blast_radius.nodes and pod.phase in ("Pending", "Running"))
        or str(pod.owner) in named
        or str(pod.gang) in named
    ]
    return sorted({proposal.target, *refs, *pods}, key=str)


def _namespaces(touched: Sequence[ObjectRef]) -> list[str]:
    return sorted({ref.namespace for ref in touched if ref.namespace})


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
        on_nodes = sum(view.pods[(p.namespace or "", p.name)].node in nodes for p in gang.running)
        touched = len(gang.running) if str(ref) in named and not nodes else on_nodes
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


def _on_sick_node(pods: Sequence[ObjectRef], view: ClusterView) -> bool:
    """A gang with a member on a node that is cordoned or not ready makes no progress worth keeping."""
    for ref in pods:
        pod = view.pods[(ref.namespace or "", ref.name)]
        node = view.nodes.get(pod.node or "")
        if node is not None and not node.eligible:
            return True
    return False


def _past(action: PastAction) -> JsonObject:
    shown = action.json_object()
    shown["at"] = rfc3339(action.at)
    shown["target"] = action.target.json_object()
    return shown
