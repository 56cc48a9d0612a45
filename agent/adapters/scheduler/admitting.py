"""Which waiting gangs their queues let in by quota alone, as Kueue does, and whom they send back for it.

Nodes are found when the pods exist. Who is sent back leaves whole; whether it is let in again is for the next round
to say. What is decided here and what a look ahead foresees come of the same cycles (`settling.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from agent.adapters.scheduler.kueue_words import in_kueues_words
from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.scheduler.queues import queues_of
from agent.adapters.scheduler.rules import scheduling
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.reservations import Reservations
from scheduler_core.explain import explain
from scheduler_core.settings import Settings
from scheduler_core.settling import settle
from scheduler_core.start import Assignment
from scheduler_core.state import Phase
from scheduler_core.victims import Cause

BY_QUOTA = Settings(place=False)  # nodes are found when the pods exist


@dataclass(frozen=True)
class Admissions:
    admitted: dict[ObjectRef, Assignment] = field(default_factory=dict)
    waiting: dict[ObjectRef, str] = field(default_factory=dict)  # and why
    preempted: dict[ObjectRef, tuple[Cause, ObjectRef]] = field(default_factory=dict)  # why, and for whom


def admit_waiting(
    view: ClusterView,
    waiting: Collection[ObjectRef],
    spared: Collection[ObjectRef] = (),
    reservations: Reservations | None = None,
) -> Admissions:
    """`waiting` are gangs of this view that ask for quota; other gangs that hold none are left out.

    `spared` are gangs that may not be sent back; `reservations`: how queues of our own hold starts, if they do.
    """
    snapshot, queues, result = snapshot_of(view), queues_of(view), Admissions()
    names = {str(ref): ref for ref in waiting}
    for name in snapshot.pending_gangs():
        ref = names.get(name)
        if ref is None or queues.is_held(view.gangs[ref]):
            snapshot.remove_gang(name)
    if_held = [ref for ref in waiting if str(ref) not in snapshot.gangs]
    result.waiting.update({ref: f"LocalQueue {view.gangs[ref].queue} is stopped" for ref in if_held})
    now_s = view.taken_at.timestamp()
    settings = BY_QUOTA if reservations is None else scheduling(snapshot, reservations)
    every, kept = {str(ref): ref for ref in view.gangs}, {str(ref) for ref in spared}
    held = {name for name in snapshot.gangs if snapshot.state_of(name).admission is not None}
    settled = settle(snapshot, now_s, settings, kept)
    for assignment in (each for told in settled.results for each in told.admitted):
        if assignment.gang in names and snapshot.phase(assignment.gang) is not Phase.PENDING:
            result.admitted[names[assignment.gang]] = assignment
    for found in settled.preemptions:
        for victim in found.victims:
            if victim.gang in held:
                result.preempted[every[victim.gang]] = (victim.cause, every[found.gang])
    for name, ref in names.items():
        if ref not in result.admitted and name in snapshot.gangs:
            why = explain(snapshot, name, now_s, settings, kept, settled=True)
            result.waiting[ref] = in_kueues_words(snapshot.gang(name), why) if why else "it runs"
    return result
