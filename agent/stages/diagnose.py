"""What is wrong: playbooks first, then the reasoner; what neither explains goes to a person with its evidence.

What nobody explains at once may be the first line of something that is explained a moment later (an XID 48 just before
the 79): it is looked at once more before a model is asked or anybody is called.
"""

from datetime import timedelta

from agent.domain.base import parse_rfc3339
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.domain.thread import Move, Next, Thread, Wait
from agent.evidence.facts import Facts
from agent.look import Look, explained, look_at
from agent.ports import JsonObject, PlaybookMatch, Ports, StillThinking
from agent.recording import once

SETTLE_S = 15
THINKING_S = 2  # how often a model is asked for its answer: soon enough for a person, seldom enough for a disk


def diagnose(thread: Thread, ports: Ports) -> Move:
    if ports.reasoner.thinking(thread.incident):
        return _let_it_think(thread, ports)
    look = look_at(thread.incident, ports)
    match = ports.playbooks.diagnose(look.incident, look.facts.values)
    settle_until = look.facts.values["settle_until"]
    if settle_until is not None and look.now < parse_rfc3339(settle_until):
        return Wait(parse_rfc3339(settle_until), "it may pass by itself", thread)
    settled_at = look.incident.opened_at + timedelta(seconds=SETTLE_S)
    if match is None and look.now < settled_at:
        return Wait(settled_at, "more may be on its way", thread)
    try:
        payload = once(
            ports.ledger,
            "diagnosis",
            f"diagnosis:{thread.incident}",
            lambda: _diagnosis(match, look, ports).json_object(),
            lambda made: {"incident": thread.incident, "cause": made["cause"]},
        )
    except StillThinking:
        return _let_it_think(thread, ports)
    return Next("propose", thread.but(diagnosis=Diagnosis.model_validate(payload)))


def _let_it_think(thread: Thread, ports: Ports) -> Move:
    """The other incidents go on; what happens to this one meanwhile is looked at when the model has spoken."""
    return Wait(ports.clock.now() + timedelta(seconds=THINKING_S), "the model is asked", thread)


def _diagnosis(match: PlaybookMatch | None, look: Look, ports: Ports) -> Diagnosis:
    if match is None:
        return _without_playbook(look, ports)
    return explained(match, look)


def _without_playbook(look: Look, ports: Ports) -> Diagnosis:
    """The reasoner's word with what was really seen beside it; a model brings no evidence of its own."""
    explained = ports.reasoner.explain(look.incident, look.view)
    if explained is None:
        return _unexplained(look.incident, look.facts)
    return explained.model_copy(update={"evidence": look.facts.evidence, "facts": look.facts.values})


def _unexplained(incident: Incident, facts: Facts) -> Diagnosis:
    values: JsonObject = dict(facts.values)
    return Diagnosis(
        incident=incident.id,
        cause="unknown",
        statement=f"no playbook explains {incident.symptom.value} on {incident.subject}",
        source="none",
        playbook=None,
        confidence=0.0,
        evidence=facts.evidence,
        facts=values,
    )
