"""Two answers that only a trial can give: others are on their way out for it, or no domain holds its pods.

Of the quota that binds without a trial `quota_shortage.py` tells, of nodes `shortage.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from scheduler_core.bid import Ground
from scheduler_core.explain_topology import of_topology
from scheduler_core.explanation import Explanation, Reason
from scheduler_core.flavors import Books, Chosen, Want, choices
from scheduler_core.holders import Holders
from scheduler_core.lines import turn
from scheduler_core.model import Gang, Seconds
from scheduler_core.nomination import Nominating
from scheduler_core.pencil import Pencil
from scheduler_core.quota import PreemptionRules
from scheduler_core.settings import Settings
from scheduler_core.shortage import NAMES_LIMIT
from scheduler_core.sites import Sites
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import least_counts
from scheduler_core.state import Phase
from scheduler_core.topology import Failure

_OTHERS_COULD_LEAVE = (Reason.WAITING_FOR_QUOTA, Reason.TOPOLOGY_PLACEMENT_FAILED, Reason.FRAGMENTED)


def room_by_preemption(
    snapshot: Snapshot,
    gang: Gang,
    lacking: Explanation,
    now_s: Seconds,
    settings: Settings,
    spared: Collection[str] = (),
) -> Explanation | None:
    """What it lacks it will have once those have left that were sent back already, or will be in the next cycle."""
    if gang.queue is None or lacking.reason not in _OTHERS_COULD_LEAVE:
        return None
    leaving = snapshot.leaving_gangs()
    if not leaving and snapshot.queues[gang.queue].preemption == PreemptionRules():
        return None
    pencil, holders, sites = Pencil(snapshot.quota_tree, snapshot.usage), Holders.of(snapshot), Sites(snapshot)
    ground = Ground(pencil, holders, snapshot.queues, now_s, settings, frozenset(spared))
    when = turn(gang, snapshot.state_of(gang.name))
    gone = [each for name in leaving if (each := holders.find(name)) is not None]
    with pencil.without((each.queue, each.charge) for each in gone), sites.without(leaving):
        fits = bool(gone) and Nominating(snapshot, ground, sites).nominate(gang, when).does
    if fits:
        remedy = "wait until they have left"
        return awaits(
            lacking, [each.name for each in gone], "were sent back and hold theirs until they have left", remedy
        )
    victims = Nominating(snapshot, ground, sites).nominate(gang, when).victims
    if not victims:
        return None
    if gang.preemption_gates:
        return kept_by_gates(lacking, gang)
    return awaits(lacking, [each.gang for each in victims], "are sent back for it", "the next cycle sends them back")


def kept_by_gates(lacking: Explanation, gang: Gang) -> Explanation:
    gates = ", ".join(sorted(gang.preemption_gates))
    told = f"{lacking.message}; others would be sent back for it, and {gates} keeps it from that"
    return replace(lacking, reason=Reason.HELD, message=told, remedy=f"lift {gates}")


def awaits(lacking: Explanation, names: Sequence[str], told: str, remedy: str) -> Explanation:
    first = ", ".join(names[:NAMES_LIMIT])
    who = f"{first} and {len(names) - NAMES_LIMIT} more" if len(names) > NAMES_LIMIT else first
    return replace(
        lacking,
        reason=Reason.WAITING_FOR_PREEMPTED,
        message=f"{lacking.message}; {who} {told}",
        remedy=remedy,
        holders=tuple(names),
    )


def no_seats(snapshot: Snapshot, gang: Gang) -> Explanation | None:
    """Quota is there, and no domain of the topology holds its pods as closely as it wishes."""
    if gang.queue is None or snapshot.phase(gang.name) is not Phase.PENDING or not snapshot.topologies:
        return None
    sites, least = Sites(snapshot), least_counts(snapshot, gang)
    wants = [Want(each, least[each.name]) for each in gang.pod_sets]
    books = Books(snapshot.quota_tree, snapshot.usage, snapshot.flavors, snapshot.topologies)
    first: tuple[Failure, Chosen] | None = None
    for choice in choices(books, snapshot.queues[gang.queue], wants):
        found = sites.find(gang, least, choice.flavors)
        if not isinstance(found, Failure):
            return None
        first = first or (found, choice.flavors)
    return None if first is None else of_topology(sites, gang, least, first[1], first[0])
