"""Why is it pending? One reason per gang, with the number that binds and what would free it.

The first thing that stands in the way is told, in the order in which the cycle asks: is it switched on, may its queue
admit, does it back off, is it its turn, do others leave for it, is there quota, are there nodes.
"""

from collections.abc import Collection, Sequence

from scheduler_core.backfill import Backfilled
from scheduler_core.checks import checks_of
from scheduler_core.explain_cycle import Asked
from scheduler_core.explain_reservations import NOTHING_HELD, held_back, look_ahead, with_promise
from scheduler_core.explain_waits import no_seats, room_by_preemption
from scheduler_core.explanation import Explanation, Reason
from scheduler_core.model import Gang, Pod, Seconds
from scheduler_core.placement import Demand
from scheduler_core.pods import place_pods
from scheduler_core.quota import StopPolicy, Strategy
from scheduler_core.quota_shortage import no_quota
from scheduler_core.scheduler import lacks_checks
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.shortage import shortage
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import least_counts, missing_demands, placed_at, quota_choices, try_start
from scheduler_core.state import Phase
from scheduler_core.waiting import lines


def explain(
    snapshot: Snapshot,
    name: str,
    now_s: Seconds,
    settings: Settings = DEFAULTS,
    spared: Collection[str] = (),
    *,
    settled: bool = False,
) -> Explanation | None:
    """None: it runs at or above its minimum. `spared` are gangs that nobody may send back. `settled`: cycles have run
    at this time, and this gang was not let in."""
    if snapshot.phase(name) is Phase.RUNNING:
        return None
    ahead, asked = look_ahead(snapshot, now_s, settings), Asked(snapshot, now_s, settings, spared, settled)
    return _explained(snapshot, name, now_s, settings, spared, ahead, asked)


def _explained(
    snapshot: Snapshot,
    name: str,
    now_s: Seconds,
    settings: Settings,
    spared: Collection[str],
    ahead: Backfilled,
    asked: Asked,
) -> Explanation:
    gang = snapshot.gang(name)
    told = (
        _stopped(snapshot, gang, now_s)
        or _behind(snapshot, gang, now_s, settings)
        or held_back(gang, ahead, now_s)
        or asked.corrected(gang, _lacking(snapshot, gang, now_s, settings, spared))
        or _no_nodes(snapshot, gang, settings)
        or Explanation(Reason.FITS, "nothing stands in its way", "the next cycle starts it")
    )
    return with_promise(told, name, ahead, now_s)


def explain_all(
    snapshot: Snapshot, now_s: Seconds, settings: Settings = DEFAULTS, *, settled: bool = False
) -> dict[str, Explanation]:
    """Every gang that does not run whole; `settled` as above."""
    waiting = [name for name in sorted(snapshot.gangs) if snapshot.phase(name) is not Phase.RUNNING]
    ahead = look_ahead(snapshot, now_s, settings) if waiting else NOTHING_HELD
    asked = Asked(snapshot, now_s, settings, (), settled)
    return {name: _explained(snapshot, name, now_s, settings, (), ahead, asked) for name in waiting}


def explain_pod(snapshot: Snapshot, pod: Pod, settings: Settings = DEFAULTS) -> Explanation:
    """Why a pod of no gang has no node."""
    demand = Demand(pod.name, pod.shape(), 1)
    if isinstance(place_pods(snapshot, [pod], settings), dict):
        return Explanation(Reason.FITS, "nothing stands in its way", "the next cycle places it")
    return _of_nodes(snapshot, [demand], settings)


def _stopped(snapshot: Snapshot, gang: Gang, now_s: Seconds) -> Explanation | None:
    state = snapshot.state_of(gang.name)
    if not gang.active:
        tried = f" after {state.returns} returns to the queue" if state.returns else ""
        return Explanation(Reason.SUSPENDED, f"it is not active{tried}", "activate it")
    closed = _closed(snapshot, gang)
    if closed is not None:
        told, remedy = closed
        return Explanation(Reason.SUSPENDED, told, remedy)
    held = _held(snapshot, gang)
    if held is not None:
        told, remedy = held
        return Explanation(Reason.HELD, told, remedy)
    if state.requeue_at_s is not None and state.requeue_at_s > now_s:
        wait_s = state.requeue_at_s - now_s
        return Explanation(
            Reason.BACKING_OFF,
            f"it was sent back and tries again in {wait_s} s",
            f"wait until {state.requeue_at_s}",
            until_s=state.requeue_at_s,
        )
    return None


def _held(snapshot: Snapshot, gang: Gang) -> tuple[str, str] | None:
    """What somebody keeps closed to it alone, and the remedy: a check, a gate."""
    queue = None if gang.queue is None else snapshot.queues[gang.queue]
    if queue is not None and lacks_checks(snapshot, gang):
        checks = ", ".join(checks_of(snapshot, gang))
        return f"it holds quota and waits for {checks}", f"see what keeps {checks}"
    if snapshot.phase(gang.name) is not Phase.PENDING:
        return None
    if gang.gates:
        gates = ", ".join(sorted(gang.gates))
        return f"it waits at {gates}", f"lift {gates}"
    return None


def _closed(snapshot: Snapshot, gang: Gang) -> tuple[str, str] | None:
    """A stop policy of its local queue or its queue, and the remedy. What is let in already may run."""
    queue = None if gang.queue is None else snapshot.queues[gang.queue]
    if snapshot.phase(gang.name) is not Phase.PENDING:
        return None
    if gang.held:
        return "its way into the queue is closed (stop policy of its local queue)", "open it"
    if queue is not None and queue.stop_policy is not StopPolicy.NONE:
        return f"queue {queue.name} admits nothing (stop policy {queue.stop_policy})", "resume the queue"
    return None


def _behind(snapshot: Snapshot, gang: Gang, now_s: Seconds, settings: Settings) -> Explanation | None:
    if gang.queue is None or snapshot.queues[gang.queue].strategy is not Strategy.STRICT_FIFO:
        return None
    waiting = lines(snapshot, now_s).get(gang.queue, [])
    if gang not in waiting or waiting[0] is gang or try_start(snapshot, waiting[0].name, now_s, settings) is not None:
        return None
    head = waiting[0].name
    return Explanation(
        Reason.BEHIND_HEAD,
        f"queue {gang.queue} keeps strict order and {head} comes first",
        f"see why {head} waits",
        holders=(head,),
    )


def _lacking(
    snapshot: Snapshot, gang: Gang, now_s: Seconds, settings: Settings, spared: Collection[str]
) -> Explanation | None:
    """Quota, or seats in a topology; and whether others make room."""
    lacking = no_quota(snapshot, gang) or no_seats(snapshot, gang)
    if lacking is None:
        return None
    return room_by_preemption(snapshot, gang, lacking, now_s, settings, spared) or lacking


def _no_nodes(snapshot: Snapshot, gang: Gang, settings: Settings) -> Explanation | None:
    if not settings.place and snapshot.phase(gang.name) is Phase.PENDING:
        return None  # admitted by quota alone
    least = least_counts(snapshot, gang)
    found = list(quota_choices(snapshot, gang, least))
    if any(placed_at(snapshot, gang, least, choice, settings) is not None for choice in found):
        return None
    return _of_nodes(snapshot, missing_demands(snapshot, gang, least, found[0].flavors), settings)


def _of_nodes(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Explanation:
    found = shortage(snapshot, demands, settings)
    return Explanation(
        Reason(str(found.reason)),
        found.message,
        found.remedy,
        found.resource,
        found.wanted,
        found.available,
        nodes=found.nodes,
        lacking=found.lacking,
    )
