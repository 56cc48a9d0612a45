"""Kueue's admission cycles in a simulation: quota, topology, preemption and fair sharing, by `kueue_cycle.py`.

They admit by quota and by what a topology has room for; nodes count where the flavors have a topology that ends at
hosts. The desk is kept from look to look, so that a look costs what its heads cost.
"""

from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import run
from scheduler_core.model import Gang, Seconds
from scheduler_core.settings import Settings
from scheduler_core.simulation.step import Step
from scheduler_core.snapshot import Snapshot


class AtDesk:
    """For one simulation: it belongs to the snapshot that it is first shown."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._desk: Desk | None = None

    def _at(self, snapshot: Snapshot, now_s: Seconds) -> Desk:
        if self._desk is None:
            self._desk = Desk(snapshot, now_s, self._settings)
        return self._desk

    def come(self, snapshot: Snapshot, gang: Gang, now_s: Seconds) -> None:
        self._at(snapshot, now_s).arrive(gang, now_s)

    def go(self, snapshot: Snapshot, name: str, now_s: Seconds) -> None:
        self._at(snapshot, now_s).leave(name, now_s)

    def __call__(self, snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
        result = run(self._at(snapshot, now_s), now_s)
        return Step(tuple(each.gang for each in result.admitted), tuple(result.preempted))
