"""Who waits and may start, and in which order within its queue."""

from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import StopPolicy
from scheduler_core.snapshot import Snapshot


def order(snapshot: Snapshot, gang: Gang) -> tuple[int, Seconds, str]:
    queued_s = snapshot.state_of(gang.name).queued_s
    return (-gang.priority, gang.created_s if queued_s is None else queued_s, gang.name)


def may_start(snapshot: Snapshot, gang: Gang, now_s: Seconds) -> bool:
    """Not switched off, not held or gated, itself or with its queue, not backing off."""
    requeue_at_s = snapshot.state_of(gang.name).requeue_at_s
    held = (
        gang.held
        or gang.gates
        or (gang.queue is not None and snapshot.queues[gang.queue].stop_policy is not StopPolicy.NONE)
    )
    return gang.active and not held and (requeue_at_s is None or requeue_at_s <= now_s)


def lines(snapshot: Snapshot, now_s: Seconds) -> dict[str, list[Gang]]:
    """The gangs that may start, queue by queue in their order, parked ones included. Without a queue: queue ""."""
    result: dict[str, list[Gang]] = {}
    for name in snapshot.pending_gangs():
        gang = snapshot.gang(name)
        if may_start(snapshot, gang, now_s):
            result.setdefault(gang.queue or "", []).append(gang)
    for waiting in result.values():
        waiting.sort(key=lambda gang: order(snapshot, gang))
    return result
