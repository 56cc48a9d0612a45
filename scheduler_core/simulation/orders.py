"""Who goes first: the ways of scheduling that a simulation compares. One function each, listed at the end of the file.

`fifo` and `fair` are the plain ones that every comparison starts from; `backfill` holds starts for large gangs; `cycle`
is the core's own scheduler with all its rules as far as its queues and its settings say so; `queues` are the admission
cycles as Kueue runs them, topology, preemption and all (`at_desk.py`), with fair sharing or without.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from scheduler_core.aging import line
from scheduler_core.backfill import asks, backfill
from scheduler_core.backfill_rules import CONSERVATIVE, EASY, Rules
from scheduler_core.consumed import Decay
from scheduler_core.errors import Unknown
from scheduler_core.model import Gang, Seconds
from scheduler_core.settings import Settings
from scheduler_core.settling import settle
from scheduler_core.simulation.at_desk import AtDesk
from scheduler_core.simulation.step import Order, Step
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import commit, try_start

HALF_LIFE_S = 24 * 3600  # of usage that is remembered: a day of work is half forgotten by the next


def fifo(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
    """By priority, then as they came; who does not fit holds up everybody behind."""
    started = []
    for gang in line(snapshot, now_s):
        if not _start(snapshot, gang, now_s, settings):
            break
        started.append(gang.name)
    return Step(tuple(started))


def best_effort(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
    """By priority, then as they came; who does not fit is passed over."""
    started, hopeless = [], set()
    for gang in line(snapshot, now_s):
        kind = asks(snapshot, gang)
        if kind in hopeless:
            continue
        if _start(snapshot, gang, now_s, settings):
            started.append(gang.name)
        else:
            hopeless.add(kind)
    return Step(tuple(started))


def fair(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
    """The queue that uses least of its own goes first, one gang at a time; who does not fit is passed over."""
    lines: dict[str, list[Gang]] = {}
    for gang in reversed(line(snapshot, now_s)):
        lines.setdefault(gang.queue or "", []).append(gang)
    shares = {queue: share_of(snapshot, queue) for queue in lines}
    started, hopeless = [], set()
    while lines:
        queue = min(lines, key=lambda name: (shares[name], name))
        gang = lines[queue].pop()
        if not lines[queue]:
            del lines[queue]
        kind = asks(snapshot, gang)
        if kind not in hopeless and _start(snapshot, gang, now_s, settings):
            started.append(gang.name)
            shares[queue] = share_of(snapshot, queue)
        else:
            hopeless.add(kind)
    return Step(tuple(started))


def share_of(snapshot: Snapshot, queue: str) -> float:
    """What it uses of its own quota, of the resource of which that is most."""
    if queue not in snapshot.queues:
        return 0.0
    place = ("queue", queue)
    own = ((quota.key, quota.nominal) for quota in snapshot.queues[queue].quotas if quota.nominal)
    return max((snapshot.usage.get((place, key), 0) / nominal for key, nominal in own), default=0.0)


@dataclass
class Reserving:
    """Backfilling under these rules. In a simulation nodes and quota stay: what never fits is asked about once."""

    rules: Rules
    never: set[object] = field(default_factory=set)

    def __call__(self, snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
        found = backfill(snapshot, now_s, settings, self.rules, self.never)
        promises = tuple(each.promise for each in found.reservations)
        return Step(tuple(each.gang for each in found.started), promises=promises)


def cycle(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Step:
    """The core's own scheduler, preemption and, where the settings say so, reservations included."""
    settled = settle(snapshot, now_s, settings)
    started = [each.gang for result in settled.results for each in (*result.completed, *result.admitted)]
    gone = [victim.gang for each in settled.preemptions for victim in each.victims]
    drained = [name for result in settled.results for name in result.drained]
    promises = tuple(each.promise for each in settled.results[-1].reservations)
    return Step(tuple(started), tuple(dict.fromkeys((*gone, *drained))), promises)


def _start(snapshot: Snapshot, gang: Gang, now_s: Seconds, settings: Settings) -> bool:
    assignment = try_start(snapshot, gang.name, now_s, settings)
    if assignment is None:
        return False
    commit(snapshot, assignment)
    return True


ORDERS: tuple[tuple[str, Callable[[], Order]], ...] = (
    ("fifo", lambda: fifo),
    ("best-effort", lambda: best_effort),
    ("fair", lambda: fair),
    ("backfill", lambda: Reserving(EASY)),
    ("conservative", lambda: Reserving(CONSERVATIVE)),
    ("cycle", lambda: cycle),
    ("queues", lambda: AtDesk(Settings())),
    ("queues-fair", lambda: AtDesk(Settings(fair_sharing=True))),
    ("queues-remembering", lambda: AtDesk(Settings(), Decay(half_life_s=HALF_LIFE_S))),
)


def by_name(name: str) -> Order:
    """A fresh one: some remember what they have learnt of their cluster."""
    for each, make in ORDERS:
        if each == name:
            return make()
    raise Unknown("Order", name, "name", f"the orders are {', '.join(each for each, _ in ORDERS)}")
