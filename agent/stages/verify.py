"""Did the cluster get better? The action's own success test, on fresh views, until it holds or its time is over.

Telemetry lags behind: a gauge read right after a repair is a sample from before it. So a repair is only believed when
the node's fault no longer shows, or when it still shows although no sample can be that old any more.
"""

from datetime import timedelta

from agent.actions.catalogue import CATALOGUE
from agent.domain.incident import IncidentState
from agent.domain.outcome import Verification
from agent.domain.proposal import Proposal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.look import look_at
from agent.ports import Ports
from agent.recording import once

LOOK_EVERY_S = 30
SETTLE_S = 330  # Prometheus looks back at most 300 s: past this, no read returns a sample from before the action


def verify(thread: Thread, ports: Ports) -> Move:
    proposal, since = thread.proposal, thread.since
    if proposal is None or since is None:
        raise ValueError(f"incident {thread.incident} has nothing to verify")
    action = CATALOGUE[proposal.action]
    now = ports.clock.now()
    deadline = since + timedelta(seconds=action.verify_within_s)
    success = action.succeeded(proposal, ports.views.take(), now, ports.repairs.state)
    if success.done is None and now < deadline:
        return Wait(min(now + timedelta(seconds=LOOK_EVERY_S), deadline), success.statement, thread)
    if success.done and proposal.action == "request_node_repair":
        thread = thread.but(good_since=thread.good_since or now)
        settled_at = (thread.good_since or now) + timedelta(seconds=SETTLE_S)
        if now < settled_at and _fault_shows(thread, ports):
            why = "the telemetry may still be from before the repair"
            return Wait(min(now + timedelta(seconds=LOOK_EVERY_S), settled_at), why, thread)
    helped = _record(proposal, bool(success.done), success.statement, ports)
    if helped and proposal.action == "notify":
        return Next("propose", thread.but(told=True, proposal=None))
    if helped:
        return Next("propose", thread.but(helped=(*thread.helped, proposal.id), proposal=None))
    ending = thread.ending or IncidentState.FAILED
    failed = thread.but(ending=ending, statement=f"{proposal.action} did not help: {success.statement}")
    undoable = not proposal.protective and all(step.undo is not None for step in proposal.steps)
    return Next("undo" if undoable else "propose", failed)


def _fault_shows(thread: Thread, ports: Ports) -> bool:
    node = look_at(thread.incident, ports).facts.values.get("node") or {}
    return bool(node.get("fault_active"))


def _record(proposal: Proposal, helped: bool, statement: str, ports: Ports) -> bool:
    payload = once(
        ports.ledger,
        "verification",
        f"verification:{proposal.id}",
        lambda: Verification(proposal=proposal.id, helped=helped, statement=statement).json_object(),
        lambda made: {
            "incident": proposal.incident,
            "proposal": proposal.id,
            "action": proposal.action,
            "target": str(proposal.target),
            "outcome": "helped" if made["helped"] else "did_not_help",
        },
    )
    return bool(payload["helped"])
