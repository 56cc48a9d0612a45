"""The schedule of queues that let in by quota, until nothing changes: Kueue's own cycles, and then nodes for the pods.

Whoever is let in, weighed or sent back is so by `kueue_cycle.py`; nothing of it is decided here a second time. Nodes
are what Kueue leaves to others: that, and queues that hold starts, is the core's own cycle's part (`scheduler.py`),
which lets in nobody else here.
"""

from collections.abc import Collection

from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import Round, run
from scheduler_core.model import Seconds
from scheduler_core.scheduler import CycleResult
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.victims import Preemption, Victim


def by_cycles(
    snapshot: Snapshot, now_s: Seconds, settings: Settings, spared: Collection[str]
) -> tuple[CycleResult, list[Preemption]]:
    """Those of all queues but the ones that hold starts."""
    desk = Desk(snapshot, now_s, settings, spared=spared, left_out=holding_starts(snapshot, settings))
    result = run(desk, now_s)
    return CycleResult(admitted=tuple(result.admitted), resized=tuple(result.resized)), _preemptions(result)


def holding_starts(snapshot: Snapshot, settings: Settings) -> frozenset[str]:
    rules = settings.backfill
    return frozenset() if rules is None else frozenset(name for name in snapshot.queues if rules.govern(name))


def _preemptions(result: Round) -> list[Preemption]:
    """In the order in which the first of each one's victims was sent back."""
    victims: dict[str, list[Victim]] = {}
    for name, (cause, preemptor) in result.preempted.items():
        victims.setdefault(preemptor, []).append(Victim(name, cause))
    return [Preemption(preemptor, tuple(gone)) for preemptor, gone in victims.items()]
