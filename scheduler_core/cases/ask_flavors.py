"""Which flavors would one pending workload be charged to, on what terms, were it the only one to be decided for?"""

from scheduler_core.cases.fields import BadCase
from scheduler_core.cases.form import Answer, Case, Entry, PodSetEntry
from scheduler_core.desk import Desk
from scheduler_core.fungibility import Mode
from scheduler_core.kueue_cycle import decide
from scheduler_core.nomination import Nomination
from scheduler_core.sites import domains
from scheduler_core.snapshot import Snapshot


def answer(case: Case, snapshot: Snapshot) -> Answer:
    found = decide(Desk(snapshot, case.now_s, case.settings), _incoming(case, snapshot), case.now_s)
    admitted = {} if found.mode is Mode.NO_FIT else {found.name: _entry(found)}
    return Answer(admitted=admitted, mode=found.mode, borrowing=found.borrowing)


def _incoming(case: Case, snapshot: Snapshot) -> str:
    """The one it names, or the only one that waits."""
    waiting = snapshot.pending_gangs()
    if case.incoming is not None:
        return case.incoming
    if len(waiting) != 1:
        raise BadCase("incoming", f"is missing, and {len(waiting)} workloads wait")
    return waiting[0]


def _entry(found: Nomination) -> Entry:
    places = domains(found.seats)
    pod_sets = (
        PodSetEntry(name, count, found.flavors.get(name, {}), places.get(name, ()))
        for name, count in found.counts.items()
    )
    return Entry(found.gang.queue, tuple(pod_sets))
