"""Small work goes ahead of large work that must wait, but never at its cost: EASY backfilling with aging.

The gangs are taken in one line. The first that does not fit holds a start time (`reservation.py`); those behind it may
start only if that time is kept with them running: because they end before, or because they use only what the
reservation leaves. Sources: Lifka, "The ANL/IBM SP Scheduling System" (JSSPP 1995); Mu'alem and Feitelson,
"Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2 with Backfilling"
(IEEE TPDS 12(6), 2001). With a `depth` above one more gangs of the line hold a time, each behind the ones before it.

A gang that no known end would let in holds nothing and holds up nobody: nothing can be promised to it. Nor is a promise
held against a gang that stands before it in the line: one that came anew with a higher priority, or one to which
nothing could be promised until somebody ended whose walltime nobody knew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler_core.errors import Invalid, require_whole
from scheduler_core.model import Gang, Seconds
from scheduler_core.reservation import Promise, Reservation, keeps, reserve
from scheduler_core.scheduler import may_start
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, try_start

DEPTH_LIMIT = 64  # gangs that hold a time; every one is tried again for every gang that wants to go ahead


@dataclass(frozen=True)
class Rules:
    depth: int = 1  # gangs that hold a start time: 1 is EASY, more is the conservative kind
    aging_s: Seconds | None = None  # a gang's priority grows by one for every so many seconds of waiting; None: never

    def __post_init__(self) -> None:
        require_whole("Rules", "backfill", "depth", self.depth)
        if self.depth > DEPTH_LIMIT:
            raise Invalid("Rules", "backfill", "depth", f"{self.depth} is above {DEPTH_LIMIT}")
        if self.aging_s is not None and self.aging_s <= 0:
            raise Invalid("Rules", "backfill", "aging_s", f"{self.aging_s} is not above 0")


EASY = Rules()


@dataclass(frozen=True)
class Backfilled:
    started: tuple[Assignment, ...]
    reservations: tuple[Reservation, ...]
    held_back: Mapping[str, str]  # gangs that fit and do not start -> the gang whose start they would delay


def priority_of(gang: Gang, queued_s: Seconds, now_s: Seconds, aging_s: Seconds | None) -> int:
    """What it has, and one more for every `aging_s` that it waited: in the end everybody comes first."""
    return gang.priority if aging_s is None else gang.priority + int((now_s - queued_s) // aging_s)


def line(snapshot: Snapshot, now_s: Seconds, aging_s: Seconds | None = None) -> list[Gang]:
    """All that may start, in one line: the higher priority with its age, then the longer wait, then the name."""
    gangs = [gang for name in snapshot.pending_gangs() if may_start(snapshot, gang := snapshot.gang(name), now_s)]

    def turn(gang: Gang) -> tuple[int, Seconds, str, str]:
        queued_s = snapshot.state_of(gang.name).queued_s
        since_s = gang.created_s if queued_s is None else queued_s
        return (-priority_of(gang, since_s, now_s, aging_s), since_s, gang.uid or gang.name, gang.name)

    return sorted(gangs, key=turn)


def backfill(snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, rules: Rules = EASY) -> Backfilled:
    """Starts what may start now. Until something ends or comes, asking again starts nothing more."""
    started: list[Assignment] = []
    held: list[Reservation] = []
    held_back: dict[str, str] = {}
    hopeless: set[object] = set()  # what did not fit will not fit any better behind what started since
    for gang in line(snapshot, now_s, rules.aging_s):
        if asks(snapshot, gang) in hopeless:
            continue
        assignment = try_start(snapshot, gang.name, now_s, settings)
        delayed = None if assignment is None else _would_delay(snapshot, assignment, held, now_s, settings)
        if assignment is not None and delayed is None:
            commit(snapshot, assignment)
            started.append(assignment)
            continue
        if delayed is not None:
            held_back[gang.name] = delayed
        if len(held) < rules.depth:
            found = reserve(snapshot, gang.name, now_s, settings, [each.promise for each in held])
            held += [found] if found is not None else []
        elif assignment is None:
            hopeless.add(asks(snapshot, gang))
    return Backfilled(tuple(started), tuple(held), held_back)


def _would_delay(
    snapshot: Snapshot, assignment: Assignment, held: Sequence[Reservation], now_s: Seconds, settings: Settings
) -> str | None:
    """The first reserved gang that would start later for it."""
    if not held:
        return None
    walltime_s = snapshot.gang(assignment.gang).walltime_s
    if walltime_s is not None and now_s + walltime_s <= min(each.start_s for each in held):
        return None
    with snapshot.fork():
        commit(snapshot, assignment)
        promises: list[Promise] = []
        for each in sorted(held, key=lambda each: each.start_s):
            promises.append(each.promise)
            if not keeps(snapshot, promises, now_s, settings):
                return each.gang
    return None


def asks(snapshot: Snapshot, gang: Gang) -> object:
    """Equal for gangs that fit alike: of one queue, for the same pods."""
    sets = tuple(
        (each.name, each.count, each.min_count, tuple(sorted(each.requests.items())),
         tuple(sorted(each.node_selector.items())), each.tolerations, each.required_node_affinity,
         each.excluded_nodes, each.topology)
        for each in gang.pod_sets
    )  # fmt: skip
    return gang.queue, sets, gang.excluded_nodes | snapshot.state_of(gang.name).excluded_nodes
