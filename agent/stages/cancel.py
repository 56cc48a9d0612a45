"""Withdrawing what is pending: the request is closed, the owner told if they had notice, and the next look decides."""

from agent.doing import Effectors
from agent.domain.thread import Move, Next, Thread
from agent.effects import StepCall, abandon, begun_at
from agent.ports import Ports
from agent.recording import once, tell


def cancel(thread: Thread, ports: Ports) -> Move:
    """A recovery, a drift or a late no: nothing of this proposal will be done."""
    proposal = thread.proposal
    if proposal is None:
        return Next("propose", thread)
    once(
        ports.ledger,
        "cancellation",
        f"cancellation:{proposal.id}",
        lambda: {"proposal": proposal.id, "reason": thread.statement, "request": thread.request},
        lambda _: {"incident": proposal.incident, "proposal": proposal.id, "action": proposal.action},
    )
    call = StepCall(proposal, 0, ports.clock.now(), since=ports.clock.now())
    if begun_at(call, ports.ledger) is not None:  # asked in vain of a repair system that was away; now it is too late
        abandon(call, Effectors.of(ports), f"not asked for any more: {thread.statement}")
    if thread.request is not None:
        ports.desk.close(thread.request, "cancelled")
    if thread.notice_at is not None:
        message = f"{proposal.action} on {proposal.target} will not happen: {thread.statement}"
        tell(ports.notifier, ports.ledger, "owner", proposal.target, message, key=f"{proposal.id}/cancelled")
    return Next("propose", thread.but(proposal=None, request=None, notice_at=None))
