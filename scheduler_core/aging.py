"""Waiting counts: a gang climbs one class of priority for every so many seconds, so that none waits for ever.

Priorities are any integers (Kubernetes' own reach two billion), so a climb of one would mean nothing. A class is
therefore a priority that some gang of the snapshot has, and one step of age is the next higher of them. At the top a
gang has nobody above it, and of equals whoever waits longest comes first: it waits at most the number of classes times
`aging_s` before only those that came earlier are before it. What a gang's age came to when it was let in stays with it
while it runs (`lifted_when_admitted`): it is not sent back for a priority that its waiting had reached.
"""

from bisect import bisect_left
from collections.abc import Sequence

from scheduler_core.holders import queued_since_s
from scheduler_core.model import Gang, Seconds
from scheduler_core.snapshot import Snapshot
from scheduler_core.waiting import may_start

Classes = Sequence[int]  # the priorities there are, ascending


def classes_of(snapshot: Snapshot) -> list[int]:
    return sorted({gang.priority for gang in snapshot.gangs.values()})


def lifted(priority: int, waited_s: Seconds, classes: Classes, aging_s: Seconds | None) -> int:
    """The priority that so much waiting makes of this one."""
    if aging_s is None or waited_s < aging_s:
        return priority
    stands = bisect_left(classes, priority)
    return classes[min(len(classes) - 1, stands + int(waited_s // aging_s))]


def line(snapshot: Snapshot, now_s: Seconds, aging_s: Seconds | None = None) -> list[Gang]:
    """All that may start, in one line: the higher priority with its age, then the longer wait, then the name."""
    gangs = [gang for name in snapshot.pending_gangs() if may_start(snapshot, gang := snapshot.gang(name), now_s)]
    classes = classes_of(snapshot) if aging_s is not None else ()

    def turn(gang: Gang) -> tuple[int, Seconds, str, str]:
        since_s = queued_since_s(gang, snapshot.state_of(gang.name))
        return (-lifted(gang.priority, now_s - since_s, classes, aging_s), since_s, gang.uid or gang.name, gang.name)

    return sorted(gangs, key=turn)


def lifted_when_admitted(snapshot: Snapshot, name: str, classes: Classes, aging_s: Seconds | None) -> int:
    """Its priority with the age that it had when it was let in; without an admission its own."""
    gang, state = snapshot.gang(name), snapshot.state_of(name)
    if state.admission is None:
        return gang.priority
    return lifted(gang.priority, state.admission.at_s - queued_since_s(gang, state), classes, aging_s)
