"""Elastic gangs in the Kueue cycle: who was made smaller gives up the rest at once, who was made larger grows.

Kueue's elastic workloads (KEP-77, workload slices) wish for a new size; what they hold follows. Down: at the start of
a cycle, without asking anybody, quota and the last seats. Up: when a cycle lets nobody in and sends nobody back, as far
as quota and, where its flavor has a topology, seats go beside those that it has; all or what there is room for. In the
core's own cycle (`elastic.py`) surplus is also given up for gangs that wait; Kueue does not do that, and neither does
this.
"""

from dataclasses import replace

from scheduler_core.desk import Desk
from scheduler_core.elastic import Resized, has_quota, importance
from scheduler_core.model import Gang
from scheduler_core.quota import StopPolicy
from scheduler_core.sites import Seats
from scheduler_core.start import Counts, Sizes
from scheduler_core.state import Admission
from scheduler_core.topology import Failure


def shrink(desk: Desk) -> tuple[Resized, ...]:
    """To the size that each gang wishes for."""
    done = []
    for gang, admission in _resizable(desk):
        wished = {each.name: min(admission.counts[each.name], each.count) for each in gang.pod_sets}
        if wished != dict(admission.counts):
            seats = desk.sites.first_seats(gang.name, wished)
            done.append(desk.resize(gang.name, replace(admission, counts=wished), seats))
    return tuple(done)


def grow(desk: Desk) -> tuple[Resized, ...]:
    """The more important first."""
    found = (_grown(desk, gang, admission) for gang, admission in _resizable(desk))
    return tuple(each for each in found if each is not None)


def _resizable(desk: Desk) -> list[tuple[Gang, Admission]]:
    snapshot, found = desk.snapshot, []
    for gang in sorted((snapshot.gang(name) for name in desk.elastic), key=importance):
        state = snapshot.state_of(gang.name)
        stopped = gang.queue is not None and snapshot.queues[gang.queue].stop_policy is not StopPolicy.NONE
        if gang.active and not stopped and state.admission is not None and state.evicted is None:
            found.append((gang, state.admission))
    return found


def _grown(desk: Desk, gang: Gang, admission: Admission) -> Resized | None:
    tried = Sizes(admission.counts, {each.name: each.count for each in gang.pod_sets})
    low, high, best = 0, len(tried) - 1, None  # the last is what it has
    while low < high:
        middle = (low + high) // 2
        seats = _room_at(desk, gang, admission, tried[middle])
        if seats is None:
            low = middle + 1
        else:
            high, best = middle, seats
    if best is None:
        return None
    return desk.resize(gang.name, replace(admission, counts=tried[low]), best)


def _room_at(desk: Desk, gang: Gang, admission: Admission, counts: Counts) -> Seats | None:
    """On the flavors that it has; all of its seats, those that it had among them."""
    if not has_quota(desk.snapshot, gang, admission, counts):
        return None
    seats = desk.sites.replace_lost(gang, replace(admission, counts=counts), ())
    return None if isinstance(seats, Failure) else seats
