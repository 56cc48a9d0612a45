"""Why those that wait were not let in, told after a row of cycles: one word a gang, in Kueue's vocabulary.

What the cycles found out is taken from them; who was never looked at is weighed here as it would be next.
`explain.py` says it at length, with the number that binds.
"""

from scheduler_core.checks import verdict
from scheduler_core.desk import Desk
from scheduler_core.explain_topology import topology_reason
from scheduler_core.explanation import Reason
from scheduler_core.kueue_cycle import Round, decide
from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import StopPolicy
from scheduler_core.start import least_counts
from scheduler_core.state import CheckState
from scheduler_core.topology import Failure


def reasons(desk: Desk, result: Round, now_s: Seconds) -> dict[str, Reason]:
    """Of every gang that holds no quota, or holds it and waits for its admission checks."""
    found = {name: Reason.HELD for name in _unchecked(desk)}
    for name in sorted(desk.snapshot.pending_gangs()):
        gang = desk.snapshot.gang(name)
        if _suspended(desk, gang):
            found[name] = Reason.SUSPENDED
        elif gang.gates:
            found[name] = Reason.HELD
        else:
            word = result.why.get(name) or _weighed(desk, name, now_s)
            found[name] = _of_topology(desk, name, now_s) if word is Reason.TOPOLOGY_PLACEMENT_FAILED else word
    return found


def _unchecked(desk: Desk) -> list[str]:
    snapshot = desk.snapshot
    if not any(queue.checks for queue in snapshot.queues.values()):
        return []
    let_in = [name for name in sorted(snapshot.gangs) if snapshot.state_of(name).admission is not None]
    return [name for name in let_in if verdict(snapshot, snapshot.gang(name)) is not CheckState.READY]


def _suspended(desk: Desk, gang: Gang) -> bool:
    queue = None if gang.queue is None else desk.snapshot.queues[gang.queue]
    return not gang.active or gang.held or (queue is not None and queue.stop_policy is not StopPolicy.NONE)


def _weighed(desk: Desk, name: str, now_s: Seconds) -> Reason:
    """It would fit where nobody stands before it: then it is others that it waits for."""
    state = desk.snapshot.state_of(name)
    if state.requeue_at_s is not None and state.requeue_at_s > now_s:
        return Reason.BACKING_OFF
    return decide(desk, name, now_s).reason or Reason.WAITING_FOR_QUOTA


def _of_topology(desk: Desk, name: str, now_s: Seconds) -> Reason:
    """Is it the topology, or are its pods too large, or is what is free scattered in parts smaller than they are?"""
    found = decide(desk, name, now_s)
    least = least_counts(desk.snapshot, found.gang)
    seats = desk.sites.find(found.gang, least, found.flavors) if found.flavors else ()
    return topology_reason(seats) if isinstance(seats, Failure) else Reason.TOPOLOGY_PLACEMENT_FAILED
