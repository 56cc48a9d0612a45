"""Whom would one pending workload send back, were it the only one to be decided for?"""

from scheduler_core.cases.fields import BadCase
from scheduler_core.cases.form import Answer, Case
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import decide
from scheduler_core.snapshot import Snapshot


def answer(case: Case, snapshot: Snapshot) -> Answer:
    if case.incoming is None:
        raise BadCase("incoming", "names the pending workload that is decided for")
    found = decide(Desk(snapshot, case.now_s, case.settings), case.incoming, case.now_s)
    preempted = {each.gang: str(each.cause) for each in found.victims}
    return Answer(preempted=preempted, mode=found.mode)
