"""The schedule until nothing changes, with gangs sending others back on the way, as their queues allow.

Queues that let in by quota go by Kueue's cycles (`settling_as_kueue.py`). Of the others, `scheduler.run` lets in what
fits; whoever waits then and may send others back does so; they leave whole, wait at their old place in their queue, and
the schedule goes on. A preemption after which its gang gets in no more than before (quota was there then, nodes were
not) is taken back: nobody is sent back for nothing. Nor, with reservations, is anybody for a priority that its own
waiting had reached when it was let in (`aging.py`), unless it holds what its queue only borrowed and the owner may
reclaim from anybody: else who waited longest would be sent back first, over and over.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from scheduler_core.aging import Classes, classes_of, lifted_when_admitted
from scheduler_core.backfill_rules import Rules
from scheduler_core.model import Seconds
from scheduler_core.preemption import next_preemption, victims
from scheduler_core.quota import Policy, PreemptionRules
from scheduler_core.reservation import NEVER
from scheduler_core.scheduler import CycleResult, run
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.settling_as_kueue import by_cycles, holding_starts
from scheduler_core.snapshot import Snapshot
from scheduler_core.victims import Cause, Preemption, Victim

TURNS_LIMIT = 8  # of Kueue's cycles and ours in one settling: each frees quota for the other; told then as it stands
PREEMPTIONS_LIMIT = 1_000  # in one settling; each costs a scheduling run, and a cascade this long is told as it stands


@dataclass
class Settled:
    results: list[CycleResult] = field(default_factory=list)  # in order
    preemptions: list[Preemption] = field(default_factory=list)


def settle(snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, spared: Collection[str] = ()) -> Settled:
    if not settings.by_quota:
        return _by_the_own_cycle(snapshot, now_s, settings, spared)
    total = _by_the_own_cycle(snapshot, now_s, settings, spared)  # pods that exist look for nodes before others come
    for _ in range(TURNS_LIMIT):
        result, preemptions = by_cycles(snapshot, now_s, settings, spared)
        total.results.append(result)
        total.preemptions += preemptions
        if not (result.changed or preemptions):
            break
        own = _by_the_own_cycle(snapshot, now_s, settings, spared)
        total.results += own.results
        total.preemptions += own.preemptions
        if settings.backfill is None:
            break  # nodes alone were given out: nothing that Kueue's cycles would see
    return total


def _by_the_own_cycle(snapshot: Snapshot, now_s: Seconds, settings: Settings, spared: Collection[str]) -> Settled:
    total = Settled([run(snapshot, now_s, settings, others_let_in=settings.by_quota)])
    ours = holding_starts(snapshot, settings) if settings.by_quota else frozenset(snapshot.queues)
    if all(snapshot.queues[name].preemption == PreemptionRules() for name in ours):
        return total
    in_vain = {name for name in snapshot.pending_gangs() if snapshot.gang(name).queue not in ours}
    for _ in range(PREEMPTIONS_LIMIT):
        found = next_preemption(snapshot, now_s, spared, settings, in_vain)
        if found is None:
            break
        found = _without_the_aged(snapshot, found, now_s, settings, spared)
        if not found.victims:
            in_vain.add(found.gang)
            continue
        mark = snapshot.mark()
        _send_back(snapshot, found, now_s, stand_aside=settings.backfill is not None)
        result = run(snapshot, now_s, settings, others_let_in=settings.by_quota)
        if any(each.gang == found.gang for each in result.admitted):
            snapshot.keep(mark)
            total.results += [result, *_let_back(snapshot, found, now_s, settings)]
            total.preemptions.append(found)
        else:
            snapshot.undo(mark)
            in_vain.add(found.gang)
    return total


def _send_back(snapshot: Snapshot, preemption: Preemption, now_s: Seconds, *, stand_aside: bool) -> None:
    """All of them; who is sent back for another keeps its age in the queue. Where age counts, they stand aside until
    that other is in: with it they might come first again."""
    for victim in preemption.victims:
        before = snapshot.state_of(victim.gang)
        snapshot.evict(victim.gang, now_s)
        requeue_at_s = NEVER if stand_aside else None
        after = replace(snapshot.state_of(victim.gang), queued_s=before.queued_s, requeue_at_s=requeue_at_s)
        snapshot.restore(victim.gang, after)


def _let_back(
    snapshot: Snapshot, preemption: Preemption, now_s: Seconds, settings: Settings
) -> tuple[CycleResult, ...]:
    """Those that stood aside get what is left."""
    aside = [each.gang for each in preemption.victims if snapshot.state_of(each.gang).requeue_at_s == NEVER]
    for name in aside:
        snapshot.restore(name, replace(snapshot.state_of(name), requeue_at_s=None))
    return (run(snapshot, now_s, settings, others_let_in=settings.by_quota),) if aside else ()


def _without_the_aged(
    snapshot: Snapshot, found: Preemption, now_s: Seconds, settings: Settings, spared: Collection[str]
) -> Preemption:
    """The same with nobody among the victims whom its age protects; or with no victims, where no others will do."""
    if settings.backfill is None:
        return found
    classes, kept = classes_of(snapshot), set(spared)
    while aged := {
        each.gang for each in found.victims if _aged(snapshot, each, found.gang, classes, settings.backfill)
    }:
        kept |= aged
        found = replace(found, victims=victims(snapshot, snapshot.gang(found.gang), kept, now_s, settings))
    return found


def _aged(snapshot: Snapshot, victim: Victim, preemptor: str, classes: Classes, rules: Rules) -> bool:
    gang, other = snapshot.gang(preemptor), snapshot.gang(victim.gang)
    reclaims = gang.queue is not None and snapshot.queues[gang.queue].preemption.reclaim is Policy.ANY
    if not rules.govern(other.queue) or (victim.cause is Cause.RECLAIM and reclaims):
        return False
    return other.priority < gang.priority <= lifted_when_admitted(snapshot, other.name, classes, rules.aging_s)
