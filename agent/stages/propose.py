"""The next thing to do about an incident: one proposal a round, each computed on a fresh look.

A remedy that was refused, rejected or done is not tried again in the same incident. After a recovery only what takes
back the agent's own doing is still proposed. When nothing is left, the incident closes; when it has to end badly, a
person is told, and that is a proposal like any other.
"""

from datetime import timedelta

from agent.domain.base import parse_rfc3339
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import IncidentState, Symptom
from agent.domain.proposal import Proposal, Refusal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.look import TAKES_BACK, Look, explained, look_at, proposals, remedies_of, remedy_key, with_edit
from agent.ports import Ports, Remedy
from agent.recording import once
from agent.resuming import CALLS, rounds_of

TWIN_LOOK_S = 60
_ONLY_SAVES = (Symptom.IDLE_GPU, Symptom.RESTORE_NEEDED, Symptom.SERVICE_OVERSIZED)
SEEN_AT_MOST = 5  # pieces of evidence that a person is told at once
SAID_CHARS, SEEN_CHARS = 1200, 700  # both together are a message that is shown without folding
ROUNDS = 32  # more proposals than this for one incident is a loop, not a remedy


def propose(thread: Thread, ports: Ports) -> Move:
    look = look_at(thread.incident, ports)
    diagnosis = thread.diagnosis
    if diagnosis is None:
        raise ValueError(f"incident {thread.incident} has no diagnosis")
    thread = _ending_of(thread, diagnosis)
    if thread.round >= ROUNDS:
        return Next("close", thread.but(ending=IncidentState.ESCALATED, statement=f"{ROUNDS} proposals did not end it"))
    remedies = [r for r in _wanted(thread, diagnosis, look, ports) if remedy_key(r) not in thread.tried]
    refusals: list[Refusal] = []
    for remedy, made in proposals(with_edit(remedies, thread.edit), diagnosis, look, thread.round, ports):
        if isinstance(made, Proposal):
            twin = _asked_elsewhere(made, ports)
            if twin is not None:
                return Wait(look.now + timedelta(seconds=TWIN_LOOK_S), f"{twin} asks for the same already", thread)
            return _proposed(thread, remedy, made, ports)
        refusals.append(made)
        thread = thread.but(tried=(*thread.tried, *_keys(thread, remedy)))
        if remedy.on_refusal == "stop":
            break
    badly = _ends_badly(thread, diagnosis, look, refusals)
    if badly is not None:
        ending, why = badly
        return Next("propose", thread.but(ending=ending, statement=why))
    return _closing(thread, diagnosis, look, ports)


def _closing(thread: Thread, diagnosis: Diagnosis, look: Look, ports: Ports) -> Move:
    """What keeps coming back is one incident: it stays open while it may. What turned out to be something else by now
    is not left to the playbook of before."""
    taken_over = _as_seen_now(thread, diagnosis, look, ports)
    if taken_over is not None:
        return Next("propose", thread.but(diagnosis=taken_over))
    stay_until = look.facts.values["stay_until"]
    if thread.ending is None and stay_until is not None and look.now < parse_rfc3339(stay_until):
        return Wait(parse_rfc3339(stay_until), "it may come back", thread)
    return Next("close", thread)


def _as_seen_now(thread: Thread, diagnosis: Diagnosis, look: Look, ports: Ports) -> Diagnosis | None:
    """The diagnosis of a sick node by another playbook that has something to do; a node's trouble tends to grow."""
    node = look.incident.symptom in (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY)
    if not node or thread.ending is not None or look.incident.recovered_at is not None:
        return None
    match = ports.playbooks.diagnose(look.incident, look.facts.values)
    if match is None or match.playbook == diagnosis.playbook:
        return None
    wanted = ports.playbooks.remedies(match.playbook, look.facts.values)
    if all(remedy_key(remedy) in thread.tried for remedy in wanted):
        return None
    payload = once(
        ports.ledger,
        "diagnosis",
        f"diagnosis:{thread.incident}/{thread.round}",
        lambda: explained(match, look).json_object(),
        lambda made: {"incident": thread.incident, "cause": made["cause"]},
    )
    return Diagnosis.model_validate(payload)


def _ends_badly(
    thread: Thread, diagnosis: Diagnosis, look: Look, refusals: list[Refusal]
) -> tuple[IncidentState, str] | None:
    """When nothing is left to try: what a person is called for."""
    if thread.ending is not None or look.incident.recovered_at is not None:
        return None
    if refusals:
        return IncidentState.ESCALATED, "; ".join(refusal.message for refusal in refusals)
    if thread.unhelped and not thread.told:
        return IncidentState.FAILED, thread.unhelped
    if _nobody_knows_yet(thread, diagnosis, look):
        return IncidentState.ESCALATED, f"no playbook explains it; {diagnosis.source} says: {diagnosis.statement}"
    return None


def _nobody_knows_yet(thread: Thread, diagnosis: Diagnosis, look: Look) -> bool:
    """What only a model explained ends with a person: one who approved what helped, or one who is called now."""
    alone = diagnosis.source.startswith("model:") and thread.ending is None and look.incident.recovered_at is None
    return alone and not (thread.helped and thread.request)


def _asked_elsewhere(made: Proposal, ports: Ports) -> str | None:
    """Two incidents may ask for one remedy; a person is asked once, and the other incident looks again after it."""
    for request in ports.desk.pending():
        asked = request.proposal
        if (asked.action, asked.target) == (made.action, made.target) and asked.incident != made.incident:
            return request.id
    return None


def _ending_of(thread: Thread, diagnosis: Diagnosis) -> Thread:
    """What nobody could explain ends with a person."""
    if thread.ending is None and diagnosis.source == "none":
        return thread.but(ending=IncidentState.ESCALATED, statement=diagnosis.statement)
    return thread


def _wanted(thread: Thread, diagnosis: Diagnosis, look: Look, ports: Ports) -> list[Remedy]:
    if thread.ending is not None:
        return [_tell(thread, look)] if _worth_telling(thread, look) else []
    remedies = remedies_of(diagnosis, look, ports)
    if look.incident.recovered_at is None:
        return remedies
    return [r for r in remedies if r.action in TAKES_BACK or r.undoes]


def _worth_telling(thread: Thread, look: Look) -> bool:
    """Somebody is called for trouble that goes on; not because the agent may not save a few idle GPUs."""
    verdict = thread.verdict
    only_suggests = verdict is not None and any(r.code == "autonomy.suggest" for r in verdict.reasons)
    match thread.ending:
        case IncidentState.REJECTED | IncidentState.EXPIRED | IncidentState.CANCELLED:
            return False  # somebody was asked already
        case IncidentState.REFUSED:
            return only_suggests or look.incident.symptom not in _ONLY_SAVES
        case _:
            return True


def _tell(thread: Thread, look: Look) -> Remedy:
    incident = look.incident
    said = f"{incident.id}: {incident.symptom.value} on {incident.subject}. {thread.statement}".strip()
    message = f"{said[:SAID_CHARS]}{_seen(thread)}"
    return Remedy(
        action="notify",
        target=incident.subject,
        parameters={"audience": "oncall", "message": message},
        statement=CALLS,
        on_refusal="stop",
    )


def _seen(thread: Thread) -> str:
    """The evidence of the diagnosis, for a person who has nothing else before them; the log has all of it."""
    evidence = thread.diagnosis.evidence if thread.diagnosis else ()
    seen = "; ".join(each.statement for each in evidence[:SEEN_AT_MOST])
    return f". Seen: {seen[:SEEN_CHARS]}" if seen else ""


def _keys(thread: Thread, remedy: Remedy | Proposal) -> tuple[str, ...]:
    """What is not to be tried again: of an edited remedy, what the playbook asked for too."""
    own = remedy_key(remedy)
    original = thread.edit.remedy if thread.edit is not None and remedy.edited_by else own
    return (own,) if original == own else (own, original)


def _proposed(thread: Thread, remedy: Remedy, made: Proposal, ports: Ports) -> Move:
    """What a run that was interrupted has recorded for this round stands, if it is still the remedy that is wanted."""
    payload = once(
        ports.ledger,
        "proposal",
        f"proposal:{made.id}",
        lambda: {**made.json_object(), "digest": made.digest, "remedy": remedy_key(remedy)},
        lambda _: {
            "incident": made.incident,
            "proposal": made.id,
            "action": made.action,
            "target": str(made.target),
            **({"tenant": made.tenant} if made.tenant else {}),
        },
    )
    standing = Proposal.model_validate({name: payload[name] for name in payload if name not in ("digest", "remedy")})
    at_hand = _at_hand(thread, standing)
    if payload["remedy"] == remedy_key(remedy):
        tried = (*thread.tried, *_keys(thread, remedy))
        return Next("judge", at_hand.but(tried=tried, on_refusal=remedy.on_refusal))
    recalled = next(r for r in rounds_of(ports.ledger.story(made.incident), ports.desk.get) if r.proposal.id == made.id)
    if recalled.spent:  # begun, or somebody has said no: it is brought to its end, and the other one is next
        return Next("judge", at_hand.but(tried=(*thread.tried, *_keys(thread, standing)), on_refusal="stop"))
    asked = recalled.request.id if recalled.request is not None else None
    why = thread.statement if thread.ending else f"{standing.action} on {standing.target} is no longer called for"
    return Next("cancel", at_hand.but(request=asked, notice_at=recalled.notice_at, statement=why))


def _at_hand(thread: Thread, proposal: Proposal) -> Thread:
    return thread.but(
        proposal=proposal,
        round=thread.round + 1,
        verdict=None,
        judged=0,
        judged_at=None,
        request=None,
        notice_at=None,
        step=0,
        canary=None,
        since=None,
        good_since=None,
    )
