"""Which flavors would one pending workload be charged to, on what terms, were it the only one to be decided for?"""

from scheduler_core.cases.deciding import entry_of, incoming_of
from scheduler_core.cases.form import Answer, Case
from scheduler_core.desk import Desk
from scheduler_core.fungibility import Mode
from scheduler_core.kueue_cycle import decide
from scheduler_core.sites import domains
from scheduler_core.snapshot import Snapshot


def answer(case: Case, snapshot: Snapshot) -> Answer:
    found = decide(Desk(snapshot, case.now_s, case.settings), incoming_of(case, snapshot), case.now_s)
    entry = entry_of(found.gang.queue, found.counts, found.flavors, domains(found.seats))
    admitted = {} if found.mode is Mode.NO_FIT else {found.name: entry}
    return Answer(admitted=admitted, mode=found.mode, borrowing=found.borrowing)
