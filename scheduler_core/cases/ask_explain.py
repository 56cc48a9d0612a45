"""Why does every workload wait that does not run, which number binds, and what would let it in?"""

from scheduler_core.cases.form import Answer, Binding, Case
from scheduler_core.explain import explain_all
from scheduler_core.explanation import Reason
from scheduler_core.snapshot import Snapshot

_OF_ITS_OWN = (Reason.SUSPENDED, Reason.HELD, Reason.BACKING_OFF)  # what may stand in the way of one that holds quota


def answer(case: Case, snapshot: Snapshot) -> Answer:
    found = explain_all(snapshot, case.now_s, case.settings)
    if case.incoming is not None:
        found = {name: each for name, each in found.items() if name == case.incoming}
    elif not case.settings.place:  # then nobody tells whether the pods of those that are in have started
        waiting = snapshot.pending_gangs()
        found = {name: each for name, each in found.items() if name in waiting or each.reason in _OF_ITS_OWN}
    return Answer(
        reason={name: str(each.reason) for name, each in found.items()},
        binding={name: Binding(each.resource, each.wanted, each.available) for name, each in found.items()},
        remedy={name: each.remedy for name, each in found.items()},
    )
