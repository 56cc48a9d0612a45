"""Is a request on the desk what the log says it is? The desk's table is a projection: who can write the database can
write into it that everybody has agreed. So before anything is done by an approval it is made again from the log's
records alone, each answer counted once more by the rules, and the row has to be the same.

What a person saw is bound in by the digest of the proposal as it was shown. What groups a person was in when the answer
counted is on the record with it, and not asked of today's settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from agent.adapters.store import changes
from agent.domain.approval import Answer, ApprovalRequest, Person, RequestState, Rules
from agent.domain.base import digest_of
from agent.domain.counting import counted
from agent.domain.verdict import ApprovalRequirement
from agent.ports import JsonObject, Ledger

_SNAPSHOT = ("requirement", "requested_at", "expires_at", "requested_by", "editors", "editor_accounts")
_WHOEVER_BROKE_IT = "whoever broke the glass"
"""Stands for the groups that might when it was broken: whether they might was asked then, and is on the record."""


class Proof(NamedTuple):
    """`differs` is empty where the row is as recorded. `recorded`: what the log says; None where it cannot be told."""

    differs: str
    recorded: ApprovalRequest | None


def proof_of(row: ApprovalRequest, ledger: Ledger) -> Proof:
    """Raises LedgerUnavailable."""
    asked = ledger.find(f"approval_requested:{row.id}")
    if asked is None:
        return Proof("it was never asked", None)
    try:
        first = _as_asked(row, asked)
        if isinstance(first, str):
            return Proof(first, None)
        recorded = _replayed(first, ledger)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        return Proof(f"its records cannot be read: {error}", None)
    if isinstance(recorded, str):
        return Proof(recorded, None)
    return Proof(_difference(row, recorded), recorded)


def _as_asked(row: ApprovalRequest, asked: Mapping[str, Any]) -> ApprovalRequest | str:
    """The request as it was made, or what in the row was not so."""
    if (asked["request"], asked["digest"]) != (row.id, row.digest):
        return "what it is for was another thing when it was asked"
    if asked.get("shown") != digest_of(row.proposal.json_object()):
        return "what it shows is not what was asked"
    verdict = row.verdict
    said = [reason.json_object() for reason in verdict.reasons]
    if (asked["reasons"], asked.get("policies")) != (said, verdict.policy_digest):
        return "the reasons that it shows are not those for which it was asked"
    snapshot = {
        "requirement": ApprovalRequirement.model_validate(asked["requirement"]),
        "requested_at": datetime.fromisoformat(asked["requested_at"]),
        "expires_at": datetime.fromisoformat(asked["expires_at"]),
        "requested_by": str(asked["requested_by"]),
        "editors": tuple(asked["editors"]),
        "editor_accounts": tuple(asked["editor_accounts"]),
        "state": RequestState.PENDING,
        "answers": (),
        "decided_at": None,
        "tier": 0,
        "tier_at": None,
    }
    return row.model_copy(update=snapshot)


def _replayed(request: ApprovalRequest, ledger: Ledger) -> ApprovalRequest | str:
    """Each change in its place; the first that cannot be one is named."""
    while request.state in (RequestState.PENDING, RequestState.APPROVED):
        key = changes.next_key(request)
        payload = ledger.find(key)
        if payload is None:
            return request
        why = _unbelievable(request, payload)
        if why:
            return f"record {key} is none that counts: {why}"
        request = changes.replayed(request, payload)
    return request


def _unbelievable(request: ApprovalRequest, payload: JsonObject) -> str:
    if payload.get("counted") is not True or payload.get("request") != request.id:
        return "it is not about this request"
    if payload.get("digest") != request.digest and payload["decision"] != "withdraw":
        return "it is for another digest"
    if payload["decision"] not in changes.ANSWERS:
        return ""
    answer = Answer.model_validate({name: payload[name] for name in Answer.model_fields if name in payload})
    broken = answer.decision == "break_glass"
    rules = Rules(
        single_operator=answer.by if answer.alone else None, break_glass=(_WHOEVER_BROKE_IT,) if broken else ()
    )
    groups = (*answer.groups, *([_WHOEVER_BROKE_IT] if broken else []))
    result = counted(request, answer, Person(name=answer.by, groups=groups), rules)
    return "" if isinstance(result, ApprovalRequest) else result.message


def _difference(row: ApprovalRequest, recorded: ApprovalRequest) -> str:
    for name in (*_SNAPSHOT, "answers", "tier", "tier_at", "state", "decided_at"):
        if getattr(row, name) != getattr(recorded, name):
            return f"its {name.replace('_', ' ')} is not as recorded"
    return ""
