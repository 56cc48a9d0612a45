"""How a request's changes stand in the log: the form of kind `approval`, and how a request is replayed from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.domain.approval import Answer, ApprovalRequest, RequestState, ended, with_answer
from agent.domain.base import rfc3339
from agent.domain.proposal import Refusal
from agent.ports import JsonObject


def next_key(request: ApprovalRequest) -> str:
    return f"approval/{request.id}/{len(request.answers)}"


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


def end_payload(request: ApprovalRequest, at: datetime) -> JsonObject:
    return _about(request) | {"decision": request.state.value, "digest": request.digest, "at": rfc3339(at)}


def replayed(request: ApprovalRequest, payload: JsonObject) -> ApprovalRequest:
    """The request after one recorded change. It counted when it was recorded, so the rules are not asked again."""
    if not payload["counted"]:
        return request
    if payload["decision"] in ("approve", "reject"):
        return with_answer(request, Answer.model_validate({name: payload[name] for name in Answer.model_fields}))
    changed = ended(request, RequestState(payload["decision"]), datetime.fromisoformat(payload["at"]))
    return request if isinstance(changed, Refusal) else changed
