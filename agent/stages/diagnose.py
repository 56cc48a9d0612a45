"""What is wrong: playbooks first, then the reasoner; what neither explains goes to a person with its evidence.

What nobody explains at once may be the first line of something that is explained a moment later (an XID 48 just before
the 79): it is looked at once more before anybody is called.
"""

from datetime import timedelta

from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.domain.thread import Move, Next, Thread, Wait
from agent.evidence.facts import Facts
from agent.look import Look, look_at
from agent.ports import JsonObject, Ports
from agent.recording import once

SETTLE_S = 15


def diagnose(thread: Thread, ports: Ports) -> Move:
    look = look_at(thread.incident, ports)
    made = _diagnosis(look, ports)
    settled_at = look.incident.opened_at + timedelta(seconds=SETTLE_S)
    if made.source == "none" and look.now < settled_at:
        return Wait(settled_at, "more may be on its way", thread)
    payload = once(
        ports.ledger,
        "diagnosis",
        f"diagnosis:{thread.incident}",
        made.json_object,
        lambda made: {"incident": thread.incident, "cause": made["cause"]},
    )
    return Next("propose", thread.but(diagnosis=Diagnosis.model_validate(payload)))


def _diagnosis(look: Look, ports: Ports) -> Diagnosis:
    match = ports.playbooks.diagnose(look.incident, look.facts.values)
    if match is not None:
        return Diagnosis(
            incident=look.incident.id,
            cause=match.cause,
            statement=match.statement,
            source=f"playbook:{match.playbook}",
            playbook=match.playbook,
            confidence=match.confidence,
            evidence=look.facts.evidence,
            facts=look.facts.values,
        )
    return ports.reasoner.explain(look.incident, look.view) or _unexplained(look.incident, look.facts)


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
