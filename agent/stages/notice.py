"""Telling the owner, then waiting: activity or an opt-out in this time cancels what was going to happen."""

from datetime import datetime, timedelta

from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.duration import in_words
from agent.domain.proposal import Proposal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.ports import Ports
from agent.recording import once
from agent.rejecting import said_no


def notice(thread: Thread, ports: Ports) -> Move:
    proposal, verdict = thread.proposal, thread.verdict
    if proposal is None or verdict is None:
        raise ValueError(f"incident {thread.incident} has nothing to give notice of")
    grace_s = max(verdict.obligations.notice_s, proposal.notice_s)
    if grace_s == 0:
        return Next("judge_again", thread)
    no = said_no(thread, ports)
    if no is not None:
        return no
    incident = ports.incidents.get(thread.incident)
    if incident is not None and incident.recovered_at is not None:
        return Next("cancel", thread.but(statement="it recovered within the grace that its owner was given"))
    given_at = thread.notice_at or _tell_owner(proposal, grace_s, ports)
    thread = thread.but(notice_at=given_at)
    until = given_at + timedelta(seconds=grace_s)
    if ports.clock.now() < until:
        return Wait(until, "notice to the owner", thread)
    return Next("judge_again", thread)


def _tell_owner(proposal: Proposal, grace_s: int, ports: Ports) -> datetime:
    """When the owner was told. Told first, recorded then: grace that nobody was told of is none."""
    now = ports.clock.now()
    message = (
        f"{proposal.action} on {proposal.target} in {in_words(grace_s)}: {proposal.statement}. "
        "Use it, or annotate it with the opt-out, and nothing happens."
    )
    ports.notifier.notify("owner", proposal.target, message, key=f"{proposal.id}/notice")
    payload = once(
        ports.ledger,
        "notice",
        f"notice:{proposal.id}",
        lambda: {
            "proposal": proposal.id,
            "target": proposal.target.json_object(),
            "audience": "owner",
            "message": message,
            "grace_s": grace_s,
            "at": rfc3339(now),
        },
        lambda _: {"incident": proposal.incident, "proposal": proposal.id, "target": str(proposal.target)},
    )
    return parse_rfc3339(payload["at"])
