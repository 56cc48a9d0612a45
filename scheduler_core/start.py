"""One gang, all or nothing: find quota and nodes for what it lacks, at its full size or, where allowed, a smaller one.

Serves both a gang that waits whole and one of whose pods some run already. Reads the snapshot, never changes it;
`commit` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import overload

from scheduler_core.flavors import Books, Choice, Want, choices, on_nodes_of
from scheduler_core.model import Gang, Pod, PodSet, PodShape, Seconds
from scheduler_core.placement import Demand, Placed, fit
from scheduler_core.policies import policy
from scheduler_core.seating import asks_for_seats, seated
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Admission

Counts = Mapping[str, int]  # pod set -> pods


@dataclass(frozen=True)
class Assignment:
    """A gang may start (or be completed): this much quota, these pods on these nodes."""

    gang: str
    queue: str | None
    counts: Counts
    flavors: Mapping[str, Mapping[str, str]]
    pods: Mapping[str, str]  # pod -> node, for the pods that were missing
    pod_sets: Mapping[str, str]  # pod -> pod set
    borrows: bool
    at_s: Seconds


def try_start(snapshot: Snapshot, name: str, now_s: Seconds, settings: Settings) -> Assignment | None:
    gang = snapshot.gang(name)
    tried = Sizes(least_counts(snapshot, gang), most_counts(snapshot, gang))
    best: Assignment | None = None
    low, high = 0, len(tried) - 1
    while low <= high:  # the largest size that fits, as Kueue searches it: full size first, then by halves
        middle = low if best is None and low == 0 and high == len(tried) - 1 else (low + high) // 2
        found = start_at(snapshot, gang, tried[middle], now_s, settings)
        if found is not None:
            best, high = found, middle - 1
        else:
            low = middle + 1
    return best


def least_counts(snapshot: Snapshot, gang: Gang) -> dict[str, int]:
    """What it cannot start without, and what it has."""
    if not snapshot.has_pods(gang.name):
        return {each.name: each.minimum for each in gang.pod_sets}
    running = snapshot.running(gang.name)
    return {each.name: max(each.minimum, running[each.name]) for each in gang.pod_sets}


def most_counts(snapshot: Snapshot, gang: Gang) -> dict[str, int]:
    admission = snapshot.state_of(gang.name).admission
    if admission is None and not snapshot.has_pods(gang.name):
        return {each.name: each.count for each in gang.pod_sets}
    least = least_counts(snapshot, gang)
    wanted = {each.name: each.count for each in gang.pod_sets} if admission is None else admission.counts
    return {name: max(wanted[name], least[name]) for name in least}


class Sizes(Sequence[Counts]):
    """From everything down to the minimum, pod sets shrinking in proportion. Each is worked out when it is asked for:
    a gang of two thousand million pods, of which one is enough, is a typing error, and no reason to run out of memory.
    """

    def __init__(self, least: Counts, most: Counts) -> None:
        self._least, self._most = least, most
        self._spare = sum(most[name] - least[name] for name in most)

    def __len__(self) -> int:
        return max(0, self._spare + 1)

    @overload
    def __getitem__(self, given_up: int) -> Counts: ...
    @overload
    def __getitem__(self, given_up: slice) -> list[Counts]: ...
    def __getitem__(self, given_up: int | slice) -> Counts | list[Counts]:
        if isinstance(given_up, slice):
            return [self[each] for each in range(*given_up.indices(len(self)))]
        if not 0 <= given_up <= self._spare:
            raise IndexError(given_up)
        least, most, spare = self._least, self._most, max(1, self._spare)
        return {name: most[name] - (most[name] - least[name]) * given_up // spare for name in most}


def start_at(snapshot: Snapshot, gang: Gang, counts: Counts, now_s: Seconds, settings: Settings) -> Assignment | None:
    """At this size. One that is let in already is not asked about quota again."""
    for choice in quota_choices(snapshot, gang, counts):
        placed = placed_at(snapshot, gang, counts, choice, settings) if settings.place else {}
        if placed is not None:
            return _assignment(snapshot, gang, counts, choice, placed, now_s)
    return None


def books_without(snapshot: Snapshot, gang: Gang) -> Books:
    """The books as if the gang held nothing: it is weighed whole, with what it has already."""
    usage = dict(snapshot.usage)
    for key, quantity in snapshot.charge_of(gang.name).items():
        for at, changed, value in snapshot.quota_tree.charge(("queue", str(gang.queue)), key, -quantity, usage):
            usage[at, changed] = value
    return Books(snapshot.quota_tree, usage, snapshot.flavors, snapshot.topologies)


def quota_choices(snapshot: Snapshot, gang: Gang, counts: Counts) -> Iterator[Choice]:
    admission = snapshot.state_of(gang.name).admission
    if admission is not None:
        return iter((Choice(admission.flavors, borrows=False),))
    if gang.queue is None:
        return iter((Choice({}, borrows=False),))
    wants = [Want(each, counts[each.name]) for each in gang.pod_sets]
    return choices(books_without(snapshot, gang), snapshot.queues[gang.queue], wants)


def placed_at(snapshot: Snapshot, gang: Gang, counts: Counts, choice: Choice, settings: Settings) -> Placed | None:
    if asks_for_seats(snapshot, gang):
        shapes = {each.name: shape_of(snapshot, gang, each) for each in gang.pod_sets}
        return seated(snapshot, gang, counts, choice.flavors, shapes, settings)
    demands = missing_demands(snapshot, gang, counts, choice.flavors)
    return fit(snapshot.capacity.space(), demands, policy(settings.policy))


def missing_demands(
    snapshot: Snapshot, gang: Gang, counts: Counts, flavors: Mapping[str, Mapping[str, str]]
) -> list[Demand]:
    running = snapshot.running(gang.name)
    return [
        Demand(
            each.name,
            on_nodes_of(shape_of(snapshot, gang, each), flavors.get(each.name, {}), snapshot.flavors),
            max(0, counts[each.name] - running[each.name]),
        )
        for each in gang.pod_sets
    ]


def shape_of(snapshot: Snapshot, gang: Gang, pod_set: PodSet) -> PodShape:
    """The pod set's shape, kept off every node the gang is to avoid."""
    shape = pod_set.shape()
    avoided = shape.excluded_nodes | gang.excluded_nodes | snapshot.state_of(gang.name).excluded_nodes
    if avoided == shape.excluded_nodes:
        return shape
    return PodShape(
        requests=shape.requests,
        node_selector=shape.node_selector,
        tolerations=shape.tolerations,
        required_node_affinity=shape.required_node_affinity,
        excluded_nodes=avoided,
    )


def _assignment(
    snapshot: Snapshot, gang: Gang, counts: Counts, choice: Choice, placed: Placed, now_s: Seconds
) -> Assignment:
    pods: dict[str, str] = {}
    pod_sets: dict[str, str] = {}
    for each in gang.pod_sets:
        names = _fresh_names(snapshot, gang, each)
        for node in placed.get(each.name, ()):
            name = next(name for name in names if name not in pods)
            pods[name], pod_sets[name] = node, each.name
    return Assignment(gang.name, gang.queue, dict(counts), choice.flavors, pods, pod_sets, choice.borrows, now_s)


def _fresh_names(snapshot: Snapshot, gang: Gang, pod_set: PodSet) -> Iterator[str]:
    """The members that do not run, then names for replacements of members that run under names of their own."""
    more = (f"{gang.name}-{pod_set.name}-{index}" for index in count(pod_set.count))
    return (
        name
        for name in chain(gang.members(pod_set), more)
        if name not in snapshot.pods and name not in snapshot.waiting_pods
    )


def commit(snapshot: Snapshot, assignment: Assignment) -> None:
    gang, before = snapshot.gang(assignment.gang), snapshot.state_of(assignment.gang).admission
    if before is None:
        snapshot.admit(gang.name, Admission(assignment.at_s, assignment.counts, assignment.flavors))
    for pod_set in gang.pod_sets:
        places = {name: node for name, node in assignment.pods.items() if assignment.pod_sets[name] == pod_set.name}
        if places:
            snapshot.bind_members(_member(snapshot, gang, pod_set, assignment), places)


def _member(snapshot: Snapshot, gang: Gang, pod_set: PodSet, assignment: Assignment) -> Pod:
    """What its pods are like; each has a name of its own."""
    shape = on_nodes_of(shape_of(snapshot, gang, pod_set), assignment.flavors.get(pod_set.name, {}), snapshot.flavors)
    return Pod(
        name=f"{gang.name}-{pod_set.name}",
        gang=gang.name,
        pod_set=pod_set.name,
        priority=gang.priority,
        requests=shape.requests,
        node_selector=shape.node_selector,
        tolerations=shape.tolerations,
        required_node_affinity=shape.required_node_affinity,
        excluded_nodes=shape.excluded_nodes,
    )
