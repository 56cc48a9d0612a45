"""The log told in sentences: what one record says, for a person who was not there.

Pure. A record of a kind or form that is not known here is shown as what it is; nothing in the log is ever left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agent.compliance.predictions import came_of_it, predicted
from agent.compliance.stakes import in_all
from agent.domain.cluster import ObjectRef
from agent.domain.outcome import Foreseen
from agent.domain.proposal import Prediction
from agent.domain.stake import Stake

Payload = Mapping[str, Any]

RAW_CHARACTERS = 160
"""Of a record that has no sentence; `audit show` has the whole."""

DIGEST_CHARACTERS = 12
"""Enough to tell two bundles apart by eye."""


def sentence(kind: str, payload: Any) -> str:
    """What this record says."""
    teller = _TELLERS.get(kind)
    try:
        if teller and isinstance(payload, Mapping):
            return teller(payload)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # another version's form: shown raw
    return f"{kind}: {json.dumps(payload, ensure_ascii=False)[:RAW_CHARACTERS]}"


def _incident(payload: Payload) -> str:
    signals = payload["signal_count"]
    told = f"{signals} signal{'' if signals == 1 else 's'}"
    heading = {"extended": "More about it", "recovered": "It recovered"}.get(
        payload.get("change", ""), "Incident opened"
    )
    return f"{heading}: {payload['symptom']} on {named(payload['subject'])} ({told})."


def _diagnosis(payload: Payload) -> str:
    sure = f"{payload['confidence']:.0%} sure"
    return f"Diagnosis by {payload['source']}, {sure}: {_stop(payload['statement'])} Cause {payload['cause']}."


def _proposal(payload: Payload) -> str:
    foretold = payload.get("prediction")
    line = predicted(Prediction.model_validate(foretold)) if foretold else ""
    told = f" Predicted: {_stop(line)}" if line else ""
    lost = in_all([Stake.model_validate(each) for each in payload.get("at_stake") or ()])
    told += f" At stake: {_stop(lost)}" if lost else ""
    return f"Proposes {payload['action']} on {named(payload['target'])}: {_stop(payload['statement'])}{told}"


def _verdict(payload: Payload) -> str:
    verdict = payload["verdict"]
    when = "just before acting" if payload.get("input", {}).get("phase") == "execute" else "on the proposal"
    reasons = "; ".join(f"{r['message']} [{r['code']}]" for r in verdict["reasons"])
    return f"Policies say {verdict['decision']} {when}{': ' + reasons if reasons else ''}."


def _approval_requested(payload: Payload) -> str:
    groups = " and ".join(f"{g['count']} of {g['name']}" for g in payload["requirement"]["groups"])
    what = f"{payload['action']} on {named(payload['target'])}"
    return f"Asks {groups} to approve {what} until {payload['expires_at']} ({payload['request']})."


def _approval(payload: Payload) -> str:
    if payload["decision"] == "escalated":
        groups = " and ".join(f"{g['count']} of {g['name']}" for g in payload["groups"])
        return f"Nobody answered {payload['request']} in time; asks {groups} until {payload['expires_at']}."
    said = _SAID.get(payload["decision"])
    if said is None:
        why = f" ({_stop(payload['reason'])[:-1]})" if payload.get("reason") else ""
        return f"Request {payload['request']} was closed: {_CLOSED.get(payload['decision'], payload['decision'])}{why}."
    changes = ", ".join(f"{name} = {json.dumps(value)}" for name, value in (payload.get("changes") or {}).items())
    reason = f"{f' ({changes})' if changes else ''}{': ' + payload['reason'] if payload['reason'] else ''}"
    if not payload["counted"]:
        return f"{payload['by']} {said} by {payload['door']}, which does not count [{payload['code']}]{reason}."
    return f"{payload['by']} {said} by {payload['door']}{reason}."


_SAID = {
    "approve": "approved",
    "reject": "rejected",
    "edit": "changed what is asked",
    "withdraw": "took the yes back",
    "break_glass": "tried break-glass",
}


_CLOSED = {"consumed": "used up, as what it was for begins"}


def _break_glass(payload: Payload) -> str:
    skipped = ", ".join(payload.get("skipped") or ()) or "nobody else"
    return f"BREAK-GLASS: {payload['by']} approved by {payload['door']} without {skipped}: {_stop(payload['reason'])}"


def _notice(payload: Payload) -> str:
    return f"Told the {payload['audience']} of {named(payload['target'])}: {_stop(payload['message'])}"


def _notification_failed(payload: Payload) -> str:
    return f"Could not be told: {payload.get('audience', 'somebody')}."


def _cancellation(payload: Payload) -> str:
    return f"Withdrew proposal {payload['proposal']}: {_stop(payload['reason'])}"


def _intent(payload: Payload) -> str:
    doing = "take back" if payload.get("undo") else "do"
    return f"Is about to {doing} step {payload['step'] + 1} of {payload['action']} on {named(payload['target'])}."


def _outcome(payload: Payload) -> str:
    if payload.get("history"):
        return f"Earlier: {payload['action']} on {named(payload['target'])}, {payload.get('outcome', 'succeeded')}."
    step = "" if payload.get("step") is None else f"Step {payload['step'] + 1} of "
    detail = f": {payload['detail']}" if payload.get("detail") else ""
    return f"{step}{payload['action']} on {named(payload['target'])} {payload['outcome']}{detail}."


def _verification(payload: Payload) -> str:
    line = came_of_it(Foreseen.model_validate(each) for each in payload.get("foreseen") or ())
    told = f" {_stop(line[0].upper() + line[1:])}" if line else ""
    return f"{'It helped' if payload['helped'] else 'It did not help'}: {_stop(payload['statement'])}{told}"


def _incident_closed(payload: Payload) -> str:
    why = f": {_stop(payload['statement'])}" if payload.get("statement") else "."
    return f"Incident closed as {payload['state']}{why}"


def _refused(payload: Payload) -> str:
    place = f" at {payload['place']}" if payload["place"] else ""
    return f"Refused what came in by {payload['door']}{place}: {_stop(payload['reason'])}"


def _level_changed(payload: Payload) -> str:
    who, why = payload.get("by") or "The agent", _stop(payload["reason"])
    about = f"{payload.get('action', '')}{'' if payload.get('tenant', '*') == '*' else ' of ' + payload['tenant']}"
    told = {
        "granted": f"{who} granted {about} level {payload.get('to')}",
        "demoted": f"{who} lowered {about} to {payload.get('to')}",
        "lapsed": f"The grant of {about} is void",
        "withdrawn": f"{who} put {about} back to what the files say",
        "wrong": f"{who} called {payload.get('proposal')} wrong",
        "frozen": f"{who} froze the agent",
        "thawed": f"{who} ended the freeze",
        "breaker_tripped": "The breaker tripped",
        "breaker_reset": f"{who} reset the breaker",
    }
    return f"{told[payload['change']]}: {why}"


def _policy_loaded(payload: Payload) -> str:
    lost = [f"{kind} {', '.join(names)}" for kind, names in payload.get("lost", {}).items()]
    gone = f" Gone are {'; '.join(lost)}." if lost else ""
    return f"Loaded the policies with digest {payload['digest'][:DIGEST_CHARACTERS]}.{gone}"


def _policy_refused(payload: Payload) -> str:
    return (
        f"Refused the policies on the disk ({payload['code']}): {_stop(payload['reason'])} "
        f"Those with digest {payload['digest'][:DIGEST_CHARACTERS]} stay in force."
    )


def _heartbeat(payload: Payload) -> str:
    return "The agent is there and writes."


def _configuration(payload: Payload) -> str:
    return f"Started with the settings of digest {payload['digest'][:DIGEST_CHARACTERS]}."


def _log_read(payload: Payload) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in payload["asked"].items())
    return f"{payload['by']} read {payload['count']} records by {payload['door']}{': ' + asked if asked else ''}."


def _redaction(payload: Payload) -> str:
    return f"Erased {', '.join(payload['places'])} of record {payload['redacts']}: {_stop(payload['reason'])}"


def _retention(payload: Payload) -> str:
    gone = f"records {payload['first_dropped']} to {payload['first_kept'] - 1}"
    return f"Dropped {gone}, which were older than {payload['days']} days; their hashes stay."


def _admission_check(payload: Payload) -> str:
    said = {"allow": "Let in", "hold": "Held", "retry": "Sent back", "reject": "Refused"}[payload["decision"]]
    why = "; ".join(each["message"] for each in payload["reasons"])
    return f"{said}: {named(payload['target'])} in ClusterQueue {payload['cluster_queue']}: {_stop(why)}"


def named(target: Mapping[str, str]) -> str:
    return str(ObjectRef.model_validate(target))


def _stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


_TELLERS: dict[str, Callable[[Payload], str]] = {
    "incident": _incident,
    "diagnosis": _diagnosis,
    "proposal": _proposal,
    "verdict": _verdict,
    "approval_requested": _approval_requested,
    "approval": _approval,
    "break_glass": _break_glass,
    "notice": _notice,
    "notification_failed": _notification_failed,
    "cancellation": _cancellation,
    "intent": _intent,
    "outcome": _outcome,
    "verification": _verification,
    "incident_closed": _incident_closed,
    "refused": _refused,
    "level_changed": _level_changed,
    "policy_loaded": _policy_loaded,
    "policy_refused": _policy_refused,
    "heartbeat": _heartbeat,
    "configuration": _configuration,
    "admission_check": _admission_check,
    "log_read": _log_read,
    "redaction": _redaction,
    "retention": _retention,
}
