"""Kueue's admission cycles in a simulation: quota, topology, preemption and fair sharing, by `kueue_cycle.py`; and,
where usage is remembered (`Decay`), the local queues of one queue in the order of what each had lately.

They admit by quota and by what a topology has room for; nodes count where the flavors have a topology that ends at
hosts. The desk is kept from look to look, so that a look costs what its heads cost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from scheduler_core.consumed import Consumed, Decay
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import run
from scheduler_core.lines import nothing_used
from scheduler_core.model import Gang, Seconds
from scheduler_core.settings import Settings
from scheduler_core.simulation.step import Step
from scheduler_core.snapshot import Snapshot


class AtDesk:
    """For one simulation: it belongs to the snapshot that it is first shown."""

    def __init__(self, settings: Settings, decay: Decay | None = None) -> None:
        self._settings = settings
        self._consumed = Consumed(decay, {}) if decay is not None else None
        self._holding: dict[str, tuple[str, Mapping[str, int]]] = {}  # by gang: its local queue, and what it asks for
        self._desk: Desk | None = None

    def _at(self, snapshot: Snapshot, now_s: Seconds) -> Desk:
        if self._desk is None:
            self._desk = Desk(snapshot, now_s, self._settings, usage_of=self._consumed or nothing_used)
        return self._desk

    def come(self, snapshot: Snapshot, gang: Gang, now_s: Seconds) -> None:
        self._at(snapshot, now_s).arrive(gang, now_s)

    def go(self, snapshot: Snapshot, name: str, now_s: Seconds) -> None:
        desk = self._at(snapshot, now_s)
        self._sample(now_s)
        self._holding.pop(name, None)
        desk.leave(name, now_s)

    def __call__(self, snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
        desk = self._at(snapshot, now_s)
        self._sample(now_s)
        result = run(desk, now_s)
        self._remember(snapshot, [each.gang for each in result.admitted], result.preempted)
        return Step(tuple(each.gang for each in result.admitted), tuple(result.preempted))

    def _sample(self, now_s: Seconds) -> None:
        """Up to now each local queue has held what it held at the last look."""
        if self._consumed is None:
            return
        used: dict[str, Counter[str]] = {}
        for local_queue, asked in self._holding.values():
            used.setdefault(local_queue, Counter()).update(asked)
        self._consumed.sample(now_s, used)

    def _remember(self, snapshot: Snapshot, admitted: Iterable[str], preempted: Iterable[str]) -> None:
        if self._consumed is None:
            return
        for name in preempted:
            self._holding.pop(name, None)
        for gang in map(snapshot.gang, admitted):
            if gang.local_queue is not None:
                asked = _asked(gang)
                self._holding[gang.name] = gang.local_queue, asked
                self._consumed.let_in(gang.local_queue, asked)


def _asked(gang: Gang) -> Mapping[str, int]:
    """By resource, of all its pods."""
    total: Counter[str] = Counter()
    for pods in gang.pod_sets:
        total.update({resource: pods.count * amount for resource, amount in pods.requests.items()})
    return total
