"""Elastic gangs: what nobody waits for they grow into; what a waiting gang needs they give up, down to their minimum.

A gang that was let in smaller than it asked to be, or that has grown, holds a surplus above its minimum. Giving up
surplus costs nobody a restart, so it is asked for before anybody is sent back: by gangs of the same queue with at least
its priority, and by those of the cohort who take back what is their own and was lent to its queue. For that no reclaim
policy is asked: nobody is preempted, and who grows into a loan must not keep the lender out. Gangs that are placed by a
topology keep their size here; in the Kueue cycle (`resizing.py`) they are resized with their seats.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from scheduler_core.errors import Invalid
from scheduler_core.flavors import add_usage
from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import FlavorResource, StopPolicy
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, Counts, Sizes, books_without, commit, start_at
from scheduler_core.state import Admission


@dataclass(frozen=True)
class Resized:
    gang: str
    before: Counts
    after: Counts


Start = Callable[[], Assignment | None]  # would the waiting gang start, as things are?


def surplus(snapshot: Snapshot, gang: Gang) -> dict[str, int]:
    """Pods of each set that it holds above its minimum."""
    admission = snapshot.state_of(gang.name).admission
    if admission is None or not _can_change(gang, admission):
        return {}
    return {each.name: max(0, admission.counts[each.name] - each.minimum) for each in gang.pod_sets}


def _can_change(gang: Gang, admission: Admission) -> bool:
    return gang.elastic and gang.active and not any(admission.topology.values())


def resize(snapshot: Snapshot, name: str, counts: Counts) -> Resized:
    """As many pods as that from now on; of those too many the last by name leave. Ask before whether more fit."""
    gang, admission = snapshot.gang(name), snapshot.state_of(name).admission
    if admission is None or not _can_change(gang, admission):
        raise Invalid("Gang", name, "elastic", "it is not let in as one that may grow and shrink")
    for each in gang.pod_sets:
        most = max(each.count, admission.counts[each.name])  # one that was made smaller still holds what it had
        if not each.minimum <= counts.get(each.name, -1) <= most:
            told = f"{counts.get(each.name)} is not between {each.minimum} and {most}"
            raise Invalid("Gang", name, f"counts.{each.name}", told)
    for each in gang.pod_sets:
        running = [pod for pod in snapshot.pods_of(name) if snapshot.pods[pod].pod.pod_set == each.name]
        for pod in sorted(running, key=lambda pod: (len(pod), pod))[counts[each.name] :]:
            snapshot.forget_pod(pod)
    snapshot.admit(name, replace(admission, counts=dict(counts), usage={}))
    return Resized(name, dict(admission.counts), dict(counts))


# -- growing -----------------------------------------------------------------------------------------------------------


def grow(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> tuple[Resized, ...]:
    """The more important first, each as far as quota and nodes go; who was made smaller gives up the rest instead."""
    found = (_grown(snapshot, gang, now_s, settings) for gang in sorted(_growing(snapshot), key=importance))
    return tuple(each for each in found if each is not None)


def importance(gang: Gang) -> tuple[int, Seconds, str]:
    return (-gang.priority, gang.created_s, gang.name)


def _growing(snapshot: Snapshot) -> Iterator[Gang]:
    for gang in snapshot.gangs.values():
        if not gang.elastic:
            continue
        admission = snapshot.state_of(gang.name).admission
        stopped = gang.queue is not None and snapshot.queues[gang.queue].stop_policy is not StopPolicy.NONE
        if admission is not None and not stopped and _can_change(gang, admission):
            yield gang


def _grown(snapshot: Snapshot, gang: Gang, now_s: Seconds, settings: Settings) -> Resized | None:
    admission = snapshot.state_of(gang.name).admission
    if admission is None:
        raise AssertionError("only gangs that are in grow")
    wished = {each.name: min(admission.counts[each.name], each.count) for each in gang.pod_sets}
    if wished != dict(admission.counts):
        return resize(snapshot, gang.name, wished)
    tried = Sizes(admission.counts, {each.name: each.count for each in gang.pod_sets})
    low, high = 0, len(tried) - 1  # the last is what it has
    while low < high:
        middle = (low + high) // 2
        if _room_at(snapshot, gang, admission, tried[middle], now_s, settings) is None:
            low = middle + 1
        else:
            high = middle
    if tried[low] == dict(admission.counts):
        return None
    more = _room_at(snapshot, gang, admission, tried[low], now_s, settings)
    resized = resize(snapshot, gang.name, tried[low])
    if more is not None:
        commit(snapshot, more)
    return resized


def _room_at(
    snapshot: Snapshot, gang: Gang, admission: Admission, counts: Counts, now_s: Seconds, settings: Settings
) -> Assignment | None:
    """On the flavors that it has."""
    return start_at(snapshot, gang, counts, now_s, settings) if has_quota(snapshot, gang, admission, counts) else None


def has_quota(snapshot: Snapshot, gang: Gang, admission: Admission, counts: Counts) -> bool:
    """May it hold so many pods on the flavors that it has?"""
    if gang.queue is None:
        return True
    queue, wanted = snapshot.queues[gang.queue], dict[FlavorResource, int]()
    for each in gang.pod_sets:
        add_usage(wanted, queue, each.requests, counts[each.name], admission.flavors.get(each.name, {}))
    books, place = books_without(snapshot, gang), ("queue", queue.name)
    return all(amount <= books.tree.available(place, key, books.usage) for key, amount in wanted.items())


# -- shrinking ---------------------------------------------------------------------------------------------------------


def shrink_for(snapshot: Snapshot, gang: Gang, start: Start) -> tuple[Resized, ...]:
    """As little surplus as lets the gang start, given up; or nothing, where all of it is not enough."""
    pods = [name for each in _givers(snapshot, gang) for name in _one_by_one(snapshot, each)]
    if not pods or not _starts_without(snapshot, gang, pods, start):
        return ()
    low, high = 1, len(pods)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _starts_without(snapshot, gang, pods[:middle], start) else (middle + 1, high)
    needed = pods[:high]
    for other in dict.fromkeys(name for name, _ in needed[:-1]):
        fewer = [pod for pod in needed if pod[0] != other]
        if _starts_without(snapshot, gang, fewer, start):
            needed = fewer
    return _without(snapshot, needed)


def _givers(snapshot: Snapshot, gang: Gang) -> list[Gang]:
    """The least important first, of those the one let in last."""
    found = []
    for other in snapshot.gangs.values():
        if other.elastic and other.name != gang.name and _may_ask(snapshot, gang, other):
            admission = snapshot.state_of(other.name).admission
            if admission is not None:
                found.append(((other.priority, -admission.at_s, other.name), other))
    return [other for _, other in sorted(found, key=lambda pair: pair[0])]


def _may_ask(snapshot: Snapshot, gang: Gang, other: Gang) -> bool:
    if gang.queue == other.queue:
        return gang.priority >= other.priority
    if gang.queue is None or other.queue is None:
        return False
    tree, place, theirs = snapshot.quota_tree, ("queue", gang.queue), ("queue", other.queue)
    if tree.root(place) != tree.root(theirs):
        return False
    return any(snapshot.usage.get((theirs, key), 0) > tree.nominal(theirs, key) for key in tree.keys(theirs))


def _one_by_one(snapshot: Snapshot, gang: Gang) -> Iterator[tuple[str, str]]:
    """(gang, pod set) for every pod of its surplus."""
    for pod_set, count in surplus(snapshot, gang).items():
        yield from [(gang.name, pod_set)] * count


def _starts_without(snapshot: Snapshot, gang: Gang, pods: Sequence[tuple[str, str]], start: Start) -> bool:
    others = any(snapshot.gang(name).queue != gang.queue for name, _ in pods)
    with snapshot.fork():
        _without(snapshot, pods)
        found = start()
        return found is not None and not (others and found.borrows)


def _without(snapshot: Snapshot, pods: Sequence[tuple[str, str]]) -> tuple[Resized, ...]:
    done = []
    for name in dict.fromkeys(name for name, _ in pods):
        admission = snapshot.state_of(name).admission
        if admission is not None:
            counts = {each: count - pods.count((name, each)) for each, count in admission.counts.items()}
            done.append(resize(snapshot, name, counts))
    return tuple(done)
