"""A start held for a gang that must wait: computed from when those that run must end, and kept from others.

The idea is EASY backfilling's (Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995): the first job that does not fit
gets the earliest time at which enough will have ended. Here a promise is kept by trying it: at the promised time, with
everything gone that has ended by then, the gang must fit as the scheduler fits gangs, quota, topology, nodes and all.
With more promises than one, each is tried with the earlier ones running: conservative backfilling (Mu'alem and
Feitelson, IEEE TPDS 12(6), 2001), in the order in which they were given.

A gang whose walltime nobody knows may run for ever. One that is over its walltime may end at any moment, so the
promise built on its end is "now" and stays so, look after look, until it is gone: the place is held meanwhile.
`patient` asks for a place without a time where no known end makes room: those of unknown end are then counted on in the
order in which they were let in, the longest running first, and a newcomer of unknown end comes last of them. So as long
as the newcomers leave that place alone, the number of those that must still end only falls. Whether something may jump
the line is `backfill.py`'s to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from scheduler_core.letting_in import asked_of
from scheduler_core.model import Seconds
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, try_start
from scheduler_core.state import Phase

ENDS_LIMIT = 4096  # ends looked at for one promise, soonest first; letting one end costs about a tenth of a millisecond
NEVER = float("inf")


@dataclass(frozen=True)
class Promise:
    """The gang starts at this time at the latest, if those that run end when they must."""

    gang: str
    start_s: Seconds  # NEVER: nobody knows when, but its place is held
    after: tuple[str, ...] = ()  # gangs of unknown end that must have ended, too


@dataclass(frozen=True)
class Reservation:
    promise: Promise
    nodes: tuple[str, ...]  # where it would go, seen from now
    waits_for: tuple[str, ...]  # gangs that must have ended, the last one last
    borrows: bool = False  # beyond its queue's own quota

    @property
    def gang(self) -> str:
        return self.promise.gang

    @property
    def start_s(self) -> Seconds:
        return self.promise.start_s


@dataclass(frozen=True)
class _Step:
    """What is gone by then that was not before."""

    at_s: Seconds
    gangs: tuple[str, ...]


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
    snapshot: Snapshot,
    gang: str,
    now_s: Seconds,
    settings: Settings,
    kept: Sequence[Promise] = (),
    *,
    patient: bool = False,
) -> Reservation | None:
    """The earliest start that breaks no earlier promise. None: no known end makes room for it, and none is waited for
    in patience, or not even everybody's end would do."""
    ends = ends_of(snapshot, now_s)
    steps = _steps(snapshot, ends, now_s, kept, patient)
    index = _first_that_does(snapshot, gang, steps, settings) if not kept else None
    if not kept and index is None:
        return None
    for at in range(len(steps)) if index is None else (index,):
        after = tuple(name for each in steps[: at + 1] if each.at_s == NEVER for name in each.gangs)
        promise = Promise(gang, steps[at].at_s, after)
        if (found := _kept(snapshot, [*kept, promise], ends, settings)) is not None:
            gone = tuple(name for each in steps[: at + 1] for name in each.gangs)
            nodes = tuple(sorted(set(found[gang].pods.values())))
            return Reservation(promise, nodes, gone, found[gang].borrows)
    return None


def keeps(snapshot: Snapshot, promises: Sequence[Promise], now_s: Seconds, settings: Settings) -> bool:
    """Would all of them still be kept, were things left as they are?"""
    return _kept(snapshot, promises, ends_of(snapshot, now_s), settings) is not None


def _steps(
    snapshot: Snapshot, ends: Mapping[str, Seconds], now_s: Seconds, kept: Sequence[Promise], patient: bool
) -> list[_Step]:
    """Known ends by time, those of one time together; starts and ends of gangs that were promised something count as
    moments, too; then, if asked for, the unknown ends one by one."""
    known = sorted((end_s, name) for name, end_s in ends.items() if end_s < NEVER)
    at = {end_s: tuple(name for _, name in group) for end_s, group in groupby(known, key=lambda pair: pair[0])}
    moments = {now_s, *at, *(each.start_s for each in kept), *(_end_of(snapshot, each) for each in kept)} - {NEVER}
    steps = [_Step(moment, at.get(moment, ())) for moment in sorted(moments) if moment >= now_s]
    if patient:
        unknown = sorted((_since_s(snapshot, name), name) for name, end_s in ends.items() if end_s == NEVER)
        steps += [_Step(NEVER, ())] if not unknown else [_Step(NEVER, (name,)) for _, name in unknown]
    return steps[:ENDS_LIMIT]


def _since_s(snapshot: Snapshot, name: str) -> Seconds:
    admission = snapshot.state_of(name).admission
    return snapshot.gang(name).created_s if admission is None else admission.at_s


def _first_that_does(snapshot: Snapshot, gang: str, steps: Sequence[_Step], settings: Settings) -> int | None:
    """After which step it fits. The more has ended the more room there is, so: ever longer strides, then halves."""
    fails, does, stride = -1, len(steps), 1
    with snapshot.fork():
        while does - fails > 1:
            there = min(fails + stride, does - 1 if does == len(steps) else (fails + does) // 2)
            mark = snapshot.mark()
            _let_end(snapshot, steps[fails + 1 : there + 1])
            if _start(snapshot, gang, steps[there].at_s, settings) is not None:
                snapshot.undo(mark)
                does, stride = there, len(steps)
            else:
                snapshot.keep(mark)
                fails, stride = there, stride * 2
    return does if does < len(steps) else None


def _let_end(snapshot: Snapshot, steps: Sequence[_Step]) -> None:
    for step in steps:
        for name in step.gangs:
            snapshot.evict(name, 0)


def _start(snapshot: Snapshot, name: str, at_s: Seconds, settings: Settings) -> Assignment | None:
    return try_start(snapshot, name, at_s, asked_of(snapshot, snapshot.gang(name), settings))


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
            for name in list(_gone_by(left, promise)):
                snapshot.evict(name, 0)
                del left[name]
            assignment = _start(snapshot, promise.gang, promise.start_s, settings)
            if assignment is None:
                return None
            commit(snapshot, assignment)
            found[promise.gang] = assignment
            left[promise.gang] = _end_of(snapshot, promise)
    return found


def _gone_by(ends: Mapping[str, Seconds], promise: Promise) -> Iterator[str]:
    """A gang of unknown end is gone only where the promise counts on it."""
    for name, end_s in ends.items():
        if (end_s <= promise.start_s and end_s < NEVER) or name in promise.after:
            yield name
