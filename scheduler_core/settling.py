"""The schedule until nothing changes, with gangs sending others back on the way, as their queues allow.

`scheduler.run` lets in what fits. Here, whoever waits then and may send others back does so; they leave whole, wait at
their old place in their queue, and the schedule goes on. A preemption after which its gang gets in no more than before
(quota was there then, nodes were not) is taken back: nobody is sent back for nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from scheduler_core.model import Seconds
from scheduler_core.preemption import next_preemption
from scheduler_core.quota import PreemptionRules
from scheduler_core.scheduler import CycleResult, run
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.victims import Preemption

PREEMPTIONS_LIMIT = 1_000  # in one settling; each costs a scheduling run, and a cascade this long is told as it stands


@dataclass
class Settled:
    results: list[CycleResult] = field(default_factory=list)  # in order
    preemptions: list[Preemption] = field(default_factory=list)


def settle(snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, spared: Collection[str] = ()) -> Settled:
    total = Settled([run(snapshot, now_s, settings)])
    if all(queue.preemption == PreemptionRules() for queue in snapshot.queues.values()):
        return total
    in_vain: set[str] = set()
    for _ in range(PREEMPTIONS_LIMIT):
        found = next_preemption(snapshot, now_s, spared, settings, in_vain)
        if found is None:
            break
        mark = snapshot.mark()
        _send_back(snapshot, found, now_s)
        result = run(snapshot, now_s, settings)
        if any(each.gang == found.gang for each in result.admitted):
            snapshot.keep(mark)
            total.results.append(result)
            total.preemptions.append(found)
        else:
            snapshot.undo(mark)
            in_vain.add(found.gang)
    return total


def _send_back(snapshot: Snapshot, preemption: Preemption, now_s: Seconds) -> None:
    """All of them; who is sent back for another keeps its age in the queue."""
    for victim in preemption.victims:
        before = snapshot.state_of(victim.gang)
        snapshot.evict(victim.gang, now_s)
        snapshot.restore(victim.gang, replace(snapshot.state_of(victim.gang), queued_s=before.queued_s))
