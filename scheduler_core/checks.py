"""Admission checks: a gang first holds quota; its pods may run only when all checks of its queue are ready.

Somebody outside answers for the checks (`GangState.checks`). Retry gives the quota back, and the gang comes again by
the back-off rule; Rejected switches it off. Until all are ready it holds its quota and has no pods (Kueue, Admission
Check).
"""

from scheduler_core.changes import Activate, Requeue
from scheduler_core.model import Gang, Seconds
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import CheckState

_WORST_FIRST = (CheckState.REJECTED, CheckState.RETRY, CheckState.PENDING)


def verdict(snapshot: Snapshot, gang: Gang) -> CheckState:
    """The worst of what the checks of its queue say; one that says nothing is pending."""
    told = {snapshot.state_of(gang.name).checks.get(name, CheckState.PENDING) for name in checks_of(snapshot, gang)}
    return next((each for each in _WORST_FIRST if each in told), CheckState.READY)


def checks_of(snapshot: Snapshot, gang: Gang) -> tuple[str, ...]:
    """Those of its queue that are for the flavors that it was let in with; before that, for any of them."""
    if gang.queue is None:
        return ()
    queue, admission = snapshot.queues[gang.queue], snapshot.state_of(gang.name).admission
    if admission is None:
        return queue.checks
    return queue.checks_for({flavor for chosen in admission.flavors.values() for flavor in chosen.values()})


def has_checks(snapshot: Snapshot, gang: Gang) -> bool:
    return gang.queue is not None and bool(snapshot.queues[gang.queue].checks)


def settle(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> tuple[str, ...]:
    """Who must give its quota back for what a check has said does so. Says who did."""
    gone: list[str] = []
    if not any(queue.checks for queue in snapshot.queues.values()):
        return ()
    for gang in sorted(snapshot.gangs.values(), key=lambda gang: gang.name):
        if not has_checks(snapshot, gang) or snapshot.state_of(gang.name).admission is None:
            continue
        said = verdict(snapshot, gang)
        if said is CheckState.RETRY:
            Requeue(gang.name).apply(snapshot, now_s, settings)
            gone.append(gang.name)
        elif said is CheckState.REJECTED:
            Activate(gang.name, False).apply(snapshot, now_s, settings)
            snapshot.evict(gang.name, now_s)
            gone.append(gang.name)
    return tuple(gone)
