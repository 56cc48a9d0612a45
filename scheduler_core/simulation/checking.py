"""What must hold after every event of a simulation, whatever the way of scheduling. Told in words; empty: all holds.

For tests, and for whoever brings an order of his own: `simulate(..., watch=watch)` stops at the first event after which
something does not hold.
"""

from collections.abc import Iterator, Mapping

from scheduler_core.errors import Invalid
from scheduler_core.model import Seconds
from scheduler_core.simulation.load import Life
from scheduler_core.snapshot import Snapshot


def watch(snapshot: Snapshot, now_s: Seconds, lives: Mapping[str, Life]) -> None:
    """Raises Invalid."""
    found = next(wrong(snapshot, now_s, lives), None)
    if found is not None:
        raise Invalid("Simulation", f"at {now_s} s", "state", found)


def wrong(snapshot: Snapshot, now_s: Seconds, lives: Mapping[str, Life]) -> Iterator[str]:
    yield from _over_full(snapshot)
    yield from _over_quota(snapshot)
    yield from _not_whole(snapshot)
    yield from _lost(snapshot, now_s, lives)


def _over_full(snapshot: Snapshot) -> Iterator[str]:
    for node, free in snapshot.free.items():
        for resource, left in free.items():
            if left < 0:
                yield f"node {node} has {-left} {resource} too few"


def _over_quota(snapshot: Snapshot) -> Iterator[str]:
    """Nobody takes quota away in a simulation: what a queue may still take is never negative."""
    for name in snapshot.queues:
        for key in snapshot.quota_tree.keys(("queue", name)):
            left = snapshot.available(name, key)
            if left < 0:
                yield f"queue {name} has used {-left} {key} too many"


def _not_whole(snapshot: Snapshot) -> Iterator[str]:
    """No pods at all, or of each pod set its minimum at least and its count at most."""
    for name, gang in snapshot.gangs.items():
        running = snapshot.running(name)
        if any(running.values()):
            for each in gang.pod_sets:
                there = running[each.name]
                if not each.minimum <= there <= each.count:
                    yield f"gang {name} runs {there} pods of {each.name}, of {each.minimum} to {each.count}"


def _lost(snapshot: Snapshot, now_s: Seconds, lives: Mapping[str, Life]) -> Iterator[str]:
    """Whoever came and has not ended is there, and nobody else is."""
    here = {name for name, life in lives.items() if life.came_s <= now_s and life.ended_s is None}
    for name in sorted(here.symmetric_difference(snapshot.gangs)):
        yield f"gang {name} is lost" if name in here else f"gang {name} is there, and should not be"
