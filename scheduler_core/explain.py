"""Why is it pending? One reason per gang, with the number that binds and what would free it.

The first thing that stands in the way is told, in the order in which the cycle asks: is it switched on, may its queue
admit, does it back off, is it its turn, is there quota, are there nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scheduler_core.flavors import Books, Slot, Want, slots, undeclared
from scheduler_core.model import Gang, Pod, Seconds
from scheduler_core.placement import Demand
from scheduler_core.pods import place_pods
from scheduler_core.quota import FlavorResource, Queue, StopPolicy, Strategy
from scheduler_core.scheduler import lines
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.shortage import NAMES_LIMIT, shortage
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import books_without, least_counts, missing_demands, placed_at, quota_choices, try_start
from scheduler_core.state import Phase


class Reason(StrEnum):
    SUSPENDED = "Suspended"
    HELD = "Held"
    BACKING_OFF = "BackingOff"
    BEHIND_HEAD = "BehindHead"
    NO_MATCHING_FLAVOR = "NoMatchingFlavor"
    EXCEEDS_MAX_QUOTA = "ExceedsMaxQuota"
    WAITING_FOR_QUOTA = "WaitingForQuota"
    NODES_EXCLUDED = "NodesExcluded"
    NODES_UNAVAILABLE = "NodesUnavailable"
    NO_MATCHING_NODE = "NoMatchingNode"
    POD_TOO_LARGE = "PodTooLarge"
    FRAGMENTED = "Fragmented"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"
    FITS = "Fits"  # nothing stands in the way: the next cycle starts it


@dataclass(frozen=True)
class Explanation:
    reason: Reason
    message: str
    remedy: str
    resource: str = ""  # what binds: a node resource, or flavor/resource of a queue
    wanted: int = 0
    available: int = 0
    holders: tuple[str, ...] = ()  # gangs that hold what binds, those with most of it first
    nodes: tuple[str, ...] = ()  # nodes the remedy is about
    until_s: Seconds | None = None  # for BackingOff: when it may try again


def explain(snapshot: Snapshot, name: str, now_s: Seconds, settings: Settings = DEFAULTS) -> Explanation | None:
    """None: it runs at or above its minimum."""
    gang = snapshot.gang(name)
    if snapshot.phase(name) is Phase.RUNNING:
        return None
    return (
        _stopped(snapshot, gang, now_s)
        or _behind(snapshot, gang, now_s, settings)
        or _no_quota(snapshot, gang)
        or _no_nodes(snapshot, gang, settings)
        or Explanation(Reason.FITS, "nothing stands in its way", "the next cycle starts it")
    )


def explain_all(snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS) -> dict[str, Explanation]:
    """Every gang that does not run whole."""
    found = ((name, explain(snapshot, name, now_s, settings)) for name in sorted(snapshot.gangs))
    return {name: each for name, each in found if each is not None}


def explain_pod(snapshot: Snapshot, pod: Pod, settings: Settings = DEFAULTS) -> Explanation:
    """Why a pod of no gang has no node."""
    demand = Demand(pod.name, pod.shape(), 1)
    if isinstance(place_pods(snapshot, [pod], settings), dict):
        return Explanation(Reason.FITS, "nothing stands in its way", "the next cycle places it")
    return _of_nodes(snapshot, [demand], settings)


def _stopped(snapshot: Snapshot, gang: Gang, now_s: Seconds) -> Explanation | None:
    state = snapshot.state_of(gang.name)
    if not gang.active:
        tried = f" after {state.returns} returns to the queue" if state.returns else ""
        return Explanation(Reason.SUSPENDED, f"it is not active{tried}", "activate it")
    stop = StopPolicy.NONE if gang.queue is None else snapshot.queues[gang.queue].stop_policy
    if stop is not StopPolicy.NONE and snapshot.phase(gang.name) is Phase.PENDING:
        return Explanation(Reason.HELD, f"queue {gang.queue} admits nothing (stop policy {stop})", "resume the queue")
    if state.requeue_at_s is not None and state.requeue_at_s > now_s:
        wait_s = state.requeue_at_s - now_s
        return Explanation(
            Reason.BACKING_OFF,
            f"it was sent back and tries again in {wait_s} s",
            f"wait until {state.requeue_at_s}",
            until_s=state.requeue_at_s,
        )
    return None


def _behind(snapshot: Snapshot, gang: Gang, now_s: Seconds, settings: Settings) -> Explanation | None:
    if gang.queue is None or snapshot.queues[gang.queue].strategy is not Strategy.STRICT_FIFO:
        return None
    waiting = lines(snapshot, now_s).get(gang.queue, [])
    if gang not in waiting or waiting[0] is gang or try_start(snapshot, waiting[0].name, now_s, settings) is not None:
        return None
    head = waiting[0].name
    return Explanation(
        Reason.BEHIND_HEAD,
        f"queue {gang.queue} keeps strict order and {head} comes first",
        f"see why {head} waits",
        holders=(head,),
    )


# -- quota ---------------------------------------------------------------------------------------------------------


def _no_quota(snapshot: Snapshot, gang: Gang) -> Explanation | None:
    least = least_counts(snapshot, gang)
    if next(quota_choices(snapshot, gang, least), None) is not None or gang.queue is None:
        return None
    queue, books = snapshot.queues[gang.queue], books_without(snapshot, gang)
    wants = [Want(each, least[each.name]) for each in gang.pod_sets]
    for want in wants:
        missing = undeclared(queue, want.pod_set)
        if missing:
            return Explanation(
                Reason.NO_MATCHING_FLAVOR,
                f"queue {queue.name} has no quota for {missing[0]}",
                f"give the queue a quota for {missing[0]}",
                missing[0],
            )
    return _binding_quota(snapshot, queue, books, slots(books, queue, wants))


@dataclass(frozen=True)
class _Bind:
    key: FlavorResource
    wanted: int
    available: int
    potential: int

    @property
    def hopeless(self) -> bool:
        return self.wanted > self.potential

    @property
    def short(self) -> int:
        return self.wanted - self.available


def _binding_quota(snapshot: Snapshot, queue: Queue, books: Books, decisions: Sequence[Slot]) -> Explanation:
    """Walk the decisions with the flavor that lacks least each time; the worst lack on that walk is what binds."""
    total: dict[FlavorResource, int] = {}
    worst: _Bind | None = None
    for slot in decisions:
        if not slot.flavors:
            return _no_flavor(queue, slot)
        binds = [_worst_of(queue, books, slot, flavor, total) for flavor in slot.flavors]
        best = min(binds, key=lambda each: (each.hopeless, each.short))
        for key, quantity in slot.needs(best.key.flavor).items():
            total[key] = total.get(key, 0) + quantity
        if worst is None or (best.hopeless, best.short) > (worst.hopeless, worst.short):
            worst = best
    if worst is None:
        raise AssertionError("a gang without decisions needs no quota")
    return _exceeds(queue, worst) if worst.hopeless else _waits(snapshot, queue, worst)


def _worst_of(queue: Queue, books: Books, slot: Slot, flavor: str, total: dict[FlavorResource, int]) -> _Bind:
    place = ("queue", queue.name)
    binds = [
        _Bind(
            key,
            total.get(key, 0) + quantity,
            books.tree.available(place, key, books.usage),
            books.tree.potential(place, key),
        )
        for key, quantity in slot.needs(flavor).items()
    ]
    return max(binds, key=lambda each: (each.hopeless, each.short, each.key))


def _no_flavor(queue: Queue, slot: Slot) -> Explanation:
    told = ", ".join(slot.resources)
    return Explanation(
        Reason.NO_MATCHING_FLAVOR,
        f"no flavor of queue {queue.name} for {told} suits pod set {slot.want.pod_set.name}",
        "change the pod set's node selector or tolerations, or give the queue a flavor that suits it",
        slot.resources[0],
    )


def _exceeds(queue: Queue, bind: _Bind) -> Explanation:
    return Explanation(
        Reason.EXCEEDS_MAX_QUOTA,
        f"it asks for {bind.wanted} {bind.key}; queue {queue.name} can never have more than {bind.potential}",
        f"raise the quota or the borrowing limit of {queue.name} by {bind.wanted - bind.potential}, or ask for less",
        str(bind.key),
        bind.wanted,
        bind.potential,
    )


def _waits(snapshot: Snapshot, queue: Queue, bind: _Bind) -> Explanation:
    holders = _holders(snapshot, queue, bind.key)
    told = ", ".join(holders[:NAMES_LIMIT])
    return Explanation(
        Reason.WAITING_FOR_QUOTA,
        f"it asks for {bind.wanted} {bind.key}; queue {queue.name} may take {bind.available} now",
        f"{bind.short} {bind.key} must come free" + (f"; they are held by {told}" if told else ""),
        str(bind.key),
        bind.wanted,
        bind.available,
        holders,
    )


def _holders(snapshot: Snapshot, queue: Queue, key: FlavorResource) -> tuple[str, ...]:
    tree = snapshot.quota_tree
    root = tree.root(("queue", queue.name))
    held = [
        (-quantity, gang.name)
        for gang in snapshot.gangs.values()
        if (quantity := snapshot.charge_of(gang.name).get(key, 0)) and tree.root(("queue", str(gang.queue))) == root
    ]
    return tuple(name for _, name in sorted(held))


# -- nodes ---------------------------------------------------------------------------------------------------------


def _no_nodes(snapshot: Snapshot, gang: Gang, settings: Settings) -> Explanation | None:
    if not settings.place and snapshot.phase(gang.name) is Phase.PENDING:
        return None  # admitted by quota alone
    least = least_counts(snapshot, gang)
    found = list(quota_choices(snapshot, gang, least))
    if any(placed_at(snapshot, gang, least, choice, settings) is not None for choice in found):
        return None
    return _of_nodes(snapshot, missing_demands(snapshot, gang, least, found[0].flavors), settings)


def _of_nodes(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Explanation:
    found = shortage(snapshot, demands, settings)
    return Explanation(
        Reason(str(found.reason)),
        found.message,
        found.remedy,
        found.resource,
        found.wanted,
        found.available,
        nodes=found.nodes,
    )
