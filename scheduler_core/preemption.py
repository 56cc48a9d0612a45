"""Whom waiting gangs may send back to get in, asked of a snapshot as it stands. Nothing is changed.

The search itself is Kueue's, classical (`preemption_classical.py`) or fair (`preemption_fair.py`); which flavors it is
for is decided together with it in `nomination.py`. Whoever runs cycles in a row has `kueue_cycle.py`.
"""

from collections.abc import Collection, Iterator

from scheduler_core.bid import Ground
from scheduler_core.holders import Holders
from scheduler_core.lines import turn
from scheduler_core.model import Gang, Seconds
from scheduler_core.nomination import Nominating, Nomination
from scheduler_core.pencil import Pencil
from scheduler_core.quota import PreemptionRules, Strategy
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.sites import Sites
from scheduler_core.snapshot import Snapshot
from scheduler_core.victims import Cause, Preemption, Victim
from scheduler_core.waiting import lines, order


def next_preemption(
    snapshot: Snapshot,
    now_s: Seconds,
    spared: Collection[str] = (),
    settings: Settings = DEFAULTS,
    passed_over: Collection[str] = (),
) -> Preemption | None:
    """The first waiting gang in their order that may send others back; of a strict queue only the head may.

    `spared` are gangs that nobody may send back, `passed_over` those that may send nobody back.
    """
    able = (each for each in _heads(snapshot, now_s) if each.name not in passed_over and not each.preemption_gates)
    waiting = [each for each in able if _has_rules(snapshot, each)]
    if not waiting:
        return None
    nominating = _nominating(snapshot, now_s, spared, settings)
    for gang in sorted(waiting, key=lambda each: order(snapshot, each)):
        found = _nominate(nominating, snapshot, gang).victims
        if found:
            return Preemption(gang.name, found)
    return None


def victims(
    snapshot: Snapshot,
    gang: Gang,
    spared: Collection[str] = (),
    now_s: Seconds = 0,
    settings: Settings = DEFAULTS,
) -> tuple[Victim, ...]:
    """Empty when it fits already, or when nobody it may send back is enough."""
    if not _has_rules(snapshot, gang):
        return ()
    return _nominate(_nominating(snapshot, now_s, spared, settings), snapshot, gang).victims


def _heads(snapshot: Snapshot, now_s: Seconds) -> Iterator[Gang]:
    for name, line in lines(snapshot, now_s).items():
        strict = name in snapshot.queues and snapshot.queues[name].strategy is Strategy.STRICT_FIFO
        yield from line[:1] if strict else line


def _has_rules(snapshot: Snapshot, gang: Gang) -> bool:
    return gang.queue is not None and snapshot.queues[gang.queue].preemption != PreemptionRules()


def _nominating(snapshot: Snapshot, now_s: Seconds, spared: Collection[str], settings: Settings) -> Nominating:
    pencil = Pencil(snapshot.quota_tree, snapshot.usage)
    ground = Ground(pencil, Holders.of(snapshot), snapshot.queues, now_s, settings, frozenset(spared))
    return Nominating(snapshot, ground, Sites(snapshot))


def _nominate(nominating: Nominating, snapshot: Snapshot, gang: Gang) -> Nomination:
    return nominating.nominate(gang, turn(gang, snapshot.state_of(gang.name)))


__all__ = ["Cause", "Preemption", "Victim", "next_preemption", "victims"]
