"""The scheduling cycle: who gets in now. Read `cycle` from top to bottom; everything else is a step of it.

Time is an argument. A cycle takes the first gang of every queue, as Kueue does; `run` repeats it until nothing changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scheduler_core.backfill import backfill
from scheduler_core.checks import checks_of, settle
from scheduler_core.elastic import Resized, grow
from scheduler_core.letting_in import let_in
from scheduler_core.model import Gang, Pod, Seconds
from scheduler_core.placement import Demand, fit
from scheduler_core.policies import policy
from scheduler_core.quota import StopPolicy, Strategy
from scheduler_core.reservation import Reservation, keeps
from scheduler_core.settings import CYCLES_LIMIT, DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, least_counts, most_counts, quota_choices, try_start
from scheduler_core.state import CheckState, Phase
from scheduler_core.waiting import lines, may_start, order


@dataclass(frozen=True)
class CycleResult:
    admitted: tuple[Assignment, ...] = ()  # gangs that waited whole
    completed: tuple[Assignment, ...] = ()  # gangs that got pods they lacked
    placed: Mapping[str, str] | None = None  # pods of no gang -> node
    drained: tuple[str, ...] = ()  # gangs sent back: their queue is HoldAndDrain, or they were switched off
    parked: tuple[str, ...] = ()  # gangs that will not be tried again until capacity changes
    resized: tuple[Resized, ...] = ()  # elastic gangs that grew, or gave up what others needed
    reservations: tuple[Reservation, ...] = ()  # starts held for gangs that wait, as they were at the end

    @property
    def changed(self) -> bool:
        told = (self.admitted, self.completed, self.placed, self.drained, self.parked, self.resized)
        return any(told)


def cycle(
    snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, *, others_let_in: bool = False
) -> CycleResult:
    """With `others_let_in`, gangs of queues without reservations are let in and resized by somebody else."""
    # 1. What drained queues, switched-off gangs and those with a failed check hold, they give up first.
    drained = (*settle(snapshot, now_s, settings), *_drain(snapshot, now_s))

    # 2. Pods that exist already and lack a node come before gangs that wait: partly running gangs hold GPUs idle.
    completed, placed = _bind_what_lacks_a_node(snapshot, now_s, settings) if settings.place else ((), {})

    # 3. The first gang of every queue that may start now. Queues with reservations have a line of their own, in 7.
    heads = [] if others_let_in else _heads(snapshot, now_s, settings)

    # 4. Who can stay within the own quota goes before who must borrow; then priority, then the longer wait.
    heads.sort(key=lambda gang: (_would_borrow(snapshot, gang), *order(snapshot, gang)))

    # 5. Quota and nodes for the whole gang, or nothing. Elastic gangs give up for it what is above their minimum.
    resized: list[Resized] = []
    found = (let_in(snapshot, gang, now_s, settings, resized) for gang in heads)
    admitted = tuple(each for each in found if each is not None)

    # 6. Whoever did not fit is parked, unless the queue insists on its order.
    started = {each.gang for each in admitted}
    parked = _park(snapshot, [gang for gang in heads if gang.name not in started])

    # 7. With reservations: whoever fits and delays none that is held for a gang before it.
    held: tuple[Reservation, ...] = ()
    if settings.backfill is not None:
        ahead = backfill(snapshot, now_s, settings)
        admitted, held = (*admitted, *ahead.started), ahead.reservations
        resized += ahead.resized

    # 8. What nobody could use, elastic gangs grow into.
    if not (admitted or completed or placed or drained or others_let_in):
        resized += _grow(snapshot, now_s, settings, held)

    return CycleResult(admitted, completed, placed, drained, parked, tuple(resized), held)


def run(
    snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, *, others_let_in: bool = False
) -> CycleResult:
    """Cycles until nothing changes, told as one."""
    total = CycleResult(placed={})
    for _ in range(CYCLES_LIMIT):
        result = cycle(snapshot, now_s, settings, others_let_in=others_let_in)
        if not result.changed:
            return replace(total, reservations=result.reservations)
        total = CycleResult(
            total.admitted + result.admitted,
            total.completed + result.completed,
            {**(total.placed or {}), **(result.placed or {})},
            total.drained + result.drained,
            total.parked + result.parked,
            total.resized + result.resized,
            result.reservations,
        )
    raise RuntimeError(f"the schedule did not settle within {CYCLES_LIMIT} cycles")


def _drain(snapshot: Snapshot, now_s: Seconds) -> tuple[str, ...]:
    gone = []
    for gang in sorted(snapshot.gangs.values(), key=lambda gang: gang.name):
        drains = gang.queue is not None and snapshot.queues[gang.queue].stop_policy is StopPolicy.HOLD_AND_DRAIN
        if (drains or not gang.active) and snapshot.phase(gang.name) is not Phase.PENDING:
            snapshot.evict(gang.name, now_s)
            gone.append(gang.name)
    return tuple(gone)


def _bind_what_lacks_a_node(
    snapshot: Snapshot, now_s: Seconds, settings: Settings
) -> tuple[tuple[Assignment, ...], dict[str, str]]:
    gangs = [
        gang
        for gang in snapshot.gangs.values()
        if is_incomplete(snapshot, gang) and not snapshot.is_parked(gang.name) and not lacks_checks(snapshot, gang)
    ]
    lacking: list[tuple[tuple[int, Seconds, str], Gang | Pod]] = [
        (_order_let_in(snapshot, gang), gang) for gang in gangs
    ]
    lacking += [((-pod.priority, pod.created_s, pod.name), pod) for pod in snapshot.waiting_pods.values()]
    completed: list[Assignment] = []
    placed: dict[str, str] = {}
    for _, each in sorted(lacking, key=lambda pair: pair[0]):
        if isinstance(each, Gang):
            assignment = try_start(snapshot, each.name, now_s, settings)
            if assignment is not None and (assignment.pods or snapshot.state_of(each.name).admission is None):
                commit(snapshot, assignment)
                completed.append(assignment)
            else:
                snapshot.park(each.name)  # until capacity changes
        elif (node := _node_for(snapshot, each, settings)) is not None:
            snapshot.bind(each, node)
            placed[each.name] = node
    return tuple(completed), placed


def _order_let_in(snapshot: Snapshot, gang: Gang) -> tuple[int, Seconds, str]:
    """Its pods exist since it was let in; until then they were no rivals of the pods that waited already."""
    admission = snapshot.state_of(gang.name).admission
    return order(snapshot, gang) if admission is None else (-gang.priority, admission.at_s, gang.name)


def lacks_checks(snapshot: Snapshot, gang: Gang) -> bool:
    """It holds quota, and somebody has yet to say that it may start."""
    if gang.queue is None or not snapshot.queues[gang.queue].checks:
        return False
    state = snapshot.state_of(gang.name)
    told = (state.checks.get(each) for each in checks_of(snapshot, gang))
    return state.admission is not None and any(each is not CheckState.READY for each in told)


def is_incomplete(snapshot: Snapshot, gang: Gang) -> bool:
    """Let in, or partly running, with pods that lack a node; nodes for one that is leaving are not looked for."""
    if snapshot.phase(gang.name) is Phase.PENDING or snapshot.state_of(gang.name).evicted is not None:
        return False
    running, most = snapshot.running(gang.name), most_counts(snapshot, gang)
    return any(running[name] < most[name] for name in most)


def _node_for(snapshot: Snapshot, pod: Pod, settings: Settings) -> str | None:
    placed = fit(snapshot.capacity.space(), [Demand(pod.name, pod.shape(), 1)], policy(settings.policy))
    return None if placed is None else placed[pod.name][0]


def _grow(snapshot: Snapshot, now_s: Seconds, settings: Settings, held: Sequence[Reservation]) -> tuple[Resized, ...]:
    """Not into what is held for somebody."""
    mark = snapshot.mark()
    grown = grow(snapshot, now_s, settings)
    if grown and not keeps(snapshot, [each.promise for each in held], now_s, settings):
        snapshot.undo(mark)
        return ()
    snapshot.keep(mark)
    return grown


def _heads(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> list[Gang]:
    waiting = lines(snapshot, now_s)
    if settings.backfill is not None:
        waiting = {queue: gangs for queue, gangs in waiting.items() if not settings.backfill.govern(queue or None)}
    free = ([gang for gang in waiting[queue] if not snapshot.is_parked(gang.name)] for queue in sorted(waiting))
    return [gangs[0] for gangs in free if gangs]


def _would_borrow(snapshot: Snapshot, gang: Gang) -> bool:
    choice = next(quota_choices(snapshot, gang, least_counts(snapshot, gang)), None)
    return choice is not None and choice.borrows


def _park(snapshot: Snapshot, gangs: Sequence[Gang]) -> tuple[str, ...]:
    for gang in gangs:
        if gang.queue is None or snapshot.queues[gang.queue].strategy is Strategy.BEST_EFFORT_FIFO:
            snapshot.park(gang.name)
    return tuple(gang.name for gang in gangs if snapshot.is_parked(gang.name))


__all__ = ["CycleResult", "cycle", "is_incomplete", "lacks_checks", "lines", "may_start", "order", "run"]
