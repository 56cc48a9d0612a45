"""A start time held for a gang that must wait: computed from when those that run must end, and kept from others.

The idea is EASY backfilling's (Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995): the first job that does not fit
gets the earliest time at which enough will have ended. Here a promise is kept by trying it: at the promised time, with
everything gone that has ended by then, the gang must fit as the scheduler fits gangs, quota, nodes and all. With more
promises than one, each is tried with the earlier ones running: conservative backfilling (Mu'alem and Feitelson, IEEE
TPDS 12(6), 2001), in the order in which they were given.

A gang whose walltime nobody knows runs for ever, as far as this is concerned: nothing is promised on its end. Whether
something may jump the line is `backfill.py`'s to say.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scheduler_core.model import Seconds
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, try_start
from scheduler_core.state import Phase

ENDS_LIMIT = 256  # ends looked at for one promise, soonest first; each costs one try, about a millisecond
NEVER = float("inf")


@dataclass(frozen=True)
class Promise:
    """The gang starts at this time at the latest, if those that run end when they must."""

    gang: str
    start_s: Seconds


@dataclass(frozen=True)
class Reservation:
    promise: Promise
    nodes: tuple[str, ...]  # where it would go, seen from now
    waits_for: tuple[str, ...]  # gangs that must have ended, the last one last

    @property
    def gang(self) -> str:
        return self.promise.gang

    @property
    def start_s(self) -> Seconds:
        return self.promise.start_s


def ends_of(snapshot: Snapshot, now_s: Seconds) -> dict[str, Seconds]:
    """When each gang that holds something must end. One that is late ends now: it may any moment."""
    ends: dict[str, Seconds] = {}
    for name, gang in snapshot.gangs.items():
        if snapshot.phase(name) is Phase.PENDING:
            continue
        admission = snapshot.state_of(name).admission
        known = admission is not None and gang.walltime_s is not None
        ends[name] = max(now_s, admission.at_s + gang.walltime_s) if known else NEVER  # type: ignore[union-attr,operator]
    return ends


def reserve(
    snapshot: Snapshot, gang: str, now_s: Seconds, settings: Settings, kept: Sequence[Promise] = ()
) -> Reservation | None:
    """The earliest time at which it fits without breaking an earlier promise. None: no known end makes room for it."""
    ends = ends_of(snapshot, now_s)
    starts = {each.gang: each.start_s for each in kept}
    moments = sorted({end_s for end_s in ends.values() if end_s < NEVER} | {now_s, *starts.values()})
    moments += sorted({_end_of(snapshot, each) for each in kept} - {NEVER, *moments})
    moments = [each for each in sorted(moments) if each >= now_s][:ENDS_LIMIT]
    if not kept:  # the more has ended the more room there is: halve
        fits = partial(_fits_at, snapshot, gang, ends, settings)
        first = bisect_left(moments, True, key=fits)
        moments = moments[first : first + 1]
    for start_s in moments:
        promise = Promise(gang, start_s)
        if (found := _kept(snapshot, [*kept, promise], ends, settings)) is not None:
            gone = sorted((end_s, name) for name, end_s in ends.items() if end_s <= start_s)
            nodes = tuple(sorted(set(found[gang].pods.values())))
            return Reservation(promise, nodes, tuple(name for _, name in gone))
    return None


def _fits_at(snapshot: Snapshot, gang: str, ends: Mapping[str, Seconds], settings: Settings, at_s: Seconds) -> bool:
    return _kept(snapshot, [Promise(gang, at_s)], ends, settings) is not None


def keeps(snapshot: Snapshot, promises: Sequence[Promise], now_s: Seconds, settings: Settings) -> bool:
    """Would all of them still be kept, were things left as they are?"""
    return _kept(snapshot, promises, ends_of(snapshot, now_s), settings) is not None


def _end_of(snapshot: Snapshot, promise: Promise) -> Seconds:
    walltime_s = snapshot.gang(promise.gang).walltime_s
    return NEVER if walltime_s is None else promise.start_s + walltime_s


def _kept(
    snapshot: Snapshot, promises: Sequence[Promise], ends: Mapping[str, Seconds], settings: Settings
) -> dict[str, Assignment] | None:
    """Let time pass to each promised start in turn: what ended by then is gone, and the gang has to fit."""
    left, found = dict(ends), {}
    with snapshot.fork():
        for promise in sorted(promises, key=lambda each: each.start_s):
            _let_end(snapshot, left, promise.start_s)
            assignment = try_start(snapshot, promise.gang, promise.start_s, settings)
            if assignment is None:
                return None
            commit(snapshot, assignment)
            found[promise.gang] = assignment
            left[promise.gang] = _end_of(snapshot, promise)
    return found


def _let_end(snapshot: Snapshot, ends: dict[str, Seconds], by_s: Seconds) -> None:
    ended: Iterable[str] = [name for name, end_s in ends.items() if end_s <= by_s]
    for name in ended:
        snapshot.evict(name, by_s)
        del ends[name]
