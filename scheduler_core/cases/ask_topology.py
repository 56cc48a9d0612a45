"""Where would the pods of one workload go? One that is in already gets new places for the pods on its lost nodes."""

from scheduler_core.cases.deciding import entry_of, incoming_of
from scheduler_core.cases.form import Answer, Case
from scheduler_core.desk import Desk
from scheduler_core.explanation import Reason
from scheduler_core.fungibility import Mode
from scheduler_core.kueue_cycle import decide
from scheduler_core.sites import domains
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Admission
from scheduler_core.topology import Failure


def answer(case: Case, snapshot: Snapshot) -> Answer:
    name, desk = incoming_of(case, snapshot), Desk(snapshot, case.now_s, case.settings)
    admission = snapshot.state_of(name).admission
    if admission is not None:
        return _replaced(desk, name, admission)
    found = decide(desk, name, case.now_s)
    if found.mode is Mode.FIT:
        entry = entry_of(found.gang.queue, found.counts, found.flavors, domains(found.seats))
        return Answer(admitted={name: entry}, reason={})
    return _refused(name, found.reason or Reason.WAITING_FOR_QUOTA)


def _replaced(desk: Desk, name: str, admission: Admission) -> Answer:
    gang, lost = desk.snapshot.gang(name), desk.snapshot.state_of(name).unhealthy_nodes
    seats = desk.sites.replace_lost(gang, admission, lost)
    if isinstance(seats, Failure):
        return _refused(name, Reason.TOPOLOGY_PLACEMENT_FAILED)
    return Answer(admitted={name: entry_of(gang.queue, admission.counts, admission.flavors, domains(seats))}, reason={})


def _refused(name: str, reason: Reason) -> Answer:
    return Answer(admitted={}, reason={name: str(reason)})
