"""How a request's changes stand in the log: the form of kinds `approval` and `break_glass`, and how a request is
replayed from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.domain.approval import Answer, ApprovalRequest, RequestState, ended, escalated, with_answer
from agent.domain.base import rfc3339
from agent.domain.proposal import Refusal
from agent.ports import JsonObject

ANSWERS = ("approve", "reject", "edit", "break_glass", "withdraw")
ESCALATED = "escalated"


def next_key(request: ApprovalRequest) -> str:
    return f"approval/{request.id}/{len(request.answers) + request.tier}"


def kind_of(payload: JsonObject) -> str:
    """Breaking the glass is a kind of its own, so that nobody has to look for it among the ordinary answers."""
    return "break_glass" if payload["decision"] == "break_glass" else "approval"


def _about(request: ApprovalRequest) -> JsonObject:
    proposal = request.proposal
    return {
        "request": request.id,
        "incident": request.incident,
        "proposal": proposal.id,
        "action": proposal.action,
        "target": proposal.target.json_object(),
        "tenant": proposal.tenant,
        "counted": True,
    }


def attributes(request: ApprovalRequest) -> dict[str, str]:
    proposal = request.proposal
    return {
        "incident": request.incident,
        "proposal": proposal.id,
        "action": proposal.action,
        "target": str(proposal.target),
        "tenant": proposal.tenant,
    }


def answer_payload(request: ApprovalRequest, answer: Answer) -> JsonObject:
    said: dict[str, Any] = answer.json_object()
    return _about(request) | said


def end_payload(request: ApprovalRequest, at: datetime, why: str = "") -> JsonObject:
    said = {"decision": request.state.value, "digest": request.digest, "at": rfc3339(at)}
    return _about(request) | said | ({"reason": why} if why else {})


def escalation_payload(request: ApprovalRequest, at: datetime) -> JsonObject:
    """`request` is asked of its new tier already."""
    return _about(request) | {
        "decision": ESCALATED,
        "digest": request.digest,
        "at": rfc3339(at),
        "tier": request.tier,
        "groups": [group.json_object() for group in request.asked.groups],
        "expires_at": rfc3339(request.expires_at),
    }


def replayed(request: ApprovalRequest, payload: JsonObject) -> ApprovalRequest:
    """The request after one recorded change. It counted when it was recorded, so the rules are not asked again."""
    if not payload["counted"]:
        return request
    if payload["decision"] in ANSWERS:
        known = {name: payload[name] for name in Answer.model_fields if name in payload}
        return with_answer(request, Answer.model_validate(known))
    at = datetime.fromisoformat(payload["at"])
    if payload["decision"] == ESCALATED:
        return escalated(request, at)
    changed = ended(request, RequestState(payload["decision"]), at)
    return request if isinstance(changed, Refusal) else changed
