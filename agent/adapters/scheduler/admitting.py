"""Which waiting gangs their queues let in by quota alone, as Kueue does, and whom they send back for it.

Nodes are found when the pods exist. Who is sent back leaves whole; whether it is let in again is for the next round
to say. What is decided here and what a look ahead foresees come of the same cycles (`settling.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.scheduler.kueue_words import in_kueues_words
from agent.adapters.scheduler.mapping import mapped
from agent.adapters.scheduler.rules import scheduling
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.reservations import Reservations
from scheduler_core.explain import explain
from scheduler_core.settling import Settled, settle
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment
from scheduler_core.state import Admission, DomainCount, Phase
from scheduler_core.victims import Cause


@dataclass(frozen=True)
class Seats:
    """Where the pods of a set are to stand: the labels of the levels, and how many in which domain."""

    levels: tuple[str, ...]
    domains: tuple[DomainCount, ...]


@dataclass(frozen=True)
class Admissions:
    admitted: dict[ObjectRef, Assignment] = field(default_factory=dict)
    waiting: dict[ObjectRef, str] = field(default_factory=dict)  # and why
    preempted: dict[ObjectRef, tuple[Cause, ObjectRef]] = field(default_factory=dict)  # why, and for whom
    places: dict[ObjectRef, dict[str, Seats]] = field(default_factory=dict)  # by pod set, where a topology has seats


def admit_waiting(
    view: ClusterView,
    waiting: Collection[ObjectRef],
    spared: Collection[ObjectRef] = (),
    reservations: Reservations | None = None,
    rules: KueueRules = KINDLY,
) -> Admissions:
    """`waiting` are gangs of this view that ask for quota; other gangs that hold none are left out.

    `spared` are gangs that may not be sent back; `reservations`: how queues of our own hold starts, if they do.
    """
    seen = mapped(view, rules)
    snapshot, queues, result = seen.snapshot, seen.queues, Admissions()
    names = {str(ref): ref for ref in waiting}
    for name in snapshot.pending_gangs():
        ref = names.get(name)
        if ref is None or queues.is_held(view.gangs[ref]):
            snapshot.remove_gang(name)
    if_held = [ref for ref in waiting if str(ref) not in snapshot.gangs]
    result.waiting.update({ref: f"LocalQueue {view.gangs[ref].queue} is stopped" for ref in if_held})
    now_s = view.taken_at.timestamp()
    settings = scheduling(snapshot, reservations, queues.rules)
    settings = replace(settings, place=False) if reservations is None else settings  # its pods are yet to be made
    every, kept = {str(ref): ref for ref in view.gangs}, {str(ref) for ref in spared}
    held = {name for name in snapshot.gangs if snapshot.state_of(name).admission is not None}
    settled = settle(snapshot, now_s, settings, kept)
    _keep_admitted(result, snapshot, settled, names)
    for found in settled.preemptions:
        for victim in found.victims:
            if victim.gang in held:
                result.preempted[every[victim.gang]] = (victim.cause, every[found.gang])
    for name, ref in names.items():
        if ref not in result.admitted and name in snapshot.gangs:
            why = explain(snapshot, name, now_s, settings, kept, settled=True)
            result.waiting[ref] = in_kueues_words(snapshot.gang(name), why) if why else "it runs"
    return result


def _keep_admitted(result: Admissions, snapshot: Snapshot, settled: Settled, names: Mapping[str, ObjectRef]) -> None:
    """Those of `names` that were let in and have not been sent back since."""
    for assignment in (each for told in settled.results for each in told.admitted):
        if assignment.gang in names and snapshot.phase(assignment.gang) is not Phase.PENDING:
            ref, admission = names[assignment.gang], snapshot.state_of(assignment.gang).admission
            result.admitted[ref] = assignment
            if admission is not None and admission.topology:
                result.places[ref] = _places(snapshot, admission)


def _places(snapshot: Snapshot, admission: Admission) -> dict[str, Seats]:
    found = {}
    for name, domains in sorted(admission.topology.items()):
        flavors = [snapshot.flavors[each] for each in sorted(set(admission.flavors.get(name, {}).values()))]
        topology = next((snapshot.topologies[each.topology] for each in flavors if each.topology), None)
        if topology is not None and domains:
            found[name] = Seats(topology.levels[-len(domains[0].values) :], domains)
    return found
