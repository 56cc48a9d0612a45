"""Who is let in, who is sent back, and who waits why, after so many cycles?"""

from scheduler_core.cases.form import Answer, Case, Entry, PodSetEntry
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import run
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Admission
from scheduler_core.unadmitted import reasons


def answer(case: Case, snapshot: Snapshot) -> Answer:
    desk = Desk(snapshot, case.now_s, case.settings)
    result = run(desk, case.now_s, case.cycles)
    return Answer(
        admitted={each.gang: _entry(snapshot, each.gang, each.queue) for each in result.admitted},
        preempted={name: str(cause) for name, (cause, _) in result.preempted.items()},
        pending=desk.lines.waiting(),
        inadmissible=desk.lines.parked(),
        resized={each.gang: each.after for each in result.resized},
        reason={name: str(reason) for name, reason in reasons(desk, result, case.now_s).items()},
    )


def _entry(snapshot: Snapshot, name: str, queue: str | None) -> Entry:
    """As it was let in; one that was sent back again has nothing to show."""
    admission = snapshot.state_of(name).admission
    return Entry(queue, () if admission is None else _pod_sets(admission))


def _pod_sets(admission: Admission) -> tuple[PodSetEntry, ...]:
    return tuple(
        PodSetEntry(name, count, admission.flavors.get(name, {}), admission.topology.get(name, ()))
        for name, count in admission.counts.items()
    )
