"""Which few moves gather room for a gang that scattered free GPUs keep waiting. Pure: nothing of it stays.

Only what the caller says may move is moved, single pods before gangs, which move whole. Nothing leaves its place that
has no other once the gang has its own; and the plan is only given when the ordinary schedule, let run after these
moves, would come to the same end.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from scheduler_core.changes import Change, Evict, Requeue
from scheduler_core.eligibility import barrier
from scheduler_core.model import PodShape, Seconds, gpus
from scheduler_core.placement import Demand, less, place, room_for
from scheduler_core.policies import policy
from scheduler_core.scheduler import may_start
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import commit, least_counts, missing_demands, quota_choices, try_start
from scheduler_core.state import Phase
from scheduler_core.whatif import what_if

MOVES_MAX = 4  # each restarts somebody's pod; a plan of more is a reorganisation, for people


@dataclass(frozen=True)
class Move:
    """A single pod, or a whole gang, from these nodes to those."""

    pod: str | None
    gang: str | None
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def as_change(self) -> Change:
        return Evict(self.pod) if self.pod is not None else Requeue(str(self.gang), 0, self.sources)


def defragment(
    snapshot: Snapshot,
    gang: str,
    now_s: Seconds,
    *,
    pods: Collection[str],
    gangs: Sequence[str] = (),
    moves_max: int = MOVES_MAX,
    settings: Settings = DEFAULTS,
) -> tuple[Move, ...] | None:
    """The cheapest moves that let `gang` run: few, then of few GPUs. Of `gangs`, the first that will do.

    None: there are none, or it may not start at all. Empty: it starts as things are.
    """
    if not may_start(snapshot, snapshot.gang(gang), now_s) or snapshot.phase(gang) is Phase.RUNNING:
        return None
    if gang in what_if(snapshot, [], now_s, settings=settings).started:
        return ()
    for plan in _plans(snapshot, gang, now_s, pods, gangs, moves_max, settings):
        if plan and _comes_true(snapshot, gang, plan, now_s, settings):
            return plan
    return None


def _plans(
    snapshot: Snapshot,
    gang: str,
    now_s: Seconds,
    pods: Collection[str],
    gangs: Sequence[str],
    moves_max: int,
    settings: Settings,
) -> Iterator[tuple[Move, ...] | None]:
    yield _by_pods(snapshot, gang, now_s, pods, moves_max, settings)
    for name in gangs:
        yield _by_gang(snapshot, gang, now_s, name, settings)


def _comes_true(snapshot: Snapshot, gang: str, plan: Sequence[Move], now_s: Seconds, settings: Settings) -> bool:
    effect = what_if(snapshot, [each.as_change() for each in plan], now_s, settings=settings)
    left_out = {each.pod for each in plan} & set(effect.waiting_pods)
    return gang in effect.started and not effect.stopped and not left_out


def _by_pods(
    snapshot: Snapshot, gang: str, now_s: Seconds, pods: Collection[str], moves_max: int, settings: Settings
) -> tuple[Move, ...] | None:
    with snapshot.fork():
        shapes: dict[str, tuple[PodShape, str]] = {}
        assignment = None
        while assignment is None:
            opening = next(iter(sorted(_openings(snapshot, gang, set(pods) - set(shapes)))), None)
            if opening is None or len(shapes) + len(opening[3]) > moves_max:
                return None
            for name in opening[3]:
                shapes[name] = snapshot.pods[name].pod.shape(), snapshot.pods[name].node
                snapshot.release(name)
            assignment = try_start(snapshot, gang, now_s, settings)
        commit(snapshot, assignment)
        return _resettled(snapshot, shapes, settings)


Opening = tuple[int, int, str, tuple[str, ...]]  # pods and GPUs that leave, the node, and which pods


def _openings(snapshot: Snapshot, gang: str, movable: Collection[str]) -> Iterator[Opening]:
    """For each node, the fewest pods whose leaving gives one more place to the gang's largest pods."""
    shape = _hardest(snapshot, gang)
    for name, node in sorted(snapshot.nodes.items()):
        if shape is None or barrier(node, shape) is not None:
            continue
        seats, free = room_for(snapshot.free[name], shape.requests), snapshot.free[name]
        here = [pod for pod in snapshot.pods_on(name) if pod in movable and snapshot.pods[pod].pod.owner is not None]
        here.sort(key=lambda pod: _size(snapshot, pod))
        gone: list[str] = []
        while here and room_for(free, shape.requests) <= seats:
            gone.append(here.pop())
            free = less(free, snapshot.pods[gone[-1]].pod.requests, -1)
        if gone and room_for(free, shape.requests) > seats:
            yield len(gone), sum(gpus(snapshot.pods[pod].pod.requests) for pod in gone), name, tuple(gone)


def _size(snapshot: Snapshot, pod: str) -> tuple[int, str]:
    return gpus(snapshot.pods[pod].pod.requests), pod


def _hardest(snapshot: Snapshot, name: str) -> PodShape | None:
    """The largest pods that the gang lacks; None where no quota lets it have them."""
    gang = snapshot.gang(name)
    counts = least_counts(snapshot, gang)
    choice = next(iter(quota_choices(snapshot, gang, counts)), None)
    missing = missing_demands(snapshot, gang, counts, choice.flavors) if choice else []
    lacking = [each for each in missing if each.count]
    return max(lacking, key=lambda each: (gpus(each.shape.requests), each.key)).shape if lacking else None


def _resettled(
    snapshot: Snapshot, shapes: dict[str, tuple[PodShape, str]], settings: Settings
) -> tuple[Move, ...] | None:
    """Where those that left go, the largest first; None when one would go nowhere."""
    free, moves = dict(snapshot.free), []
    for name, (shape, source) in sorted(shapes.items(), key=lambda item: (-gpus(item[1][0].requests), item[0])):
        placed = place(snapshot.nodes, free, [Demand(name, shape, 1)], policy(settings.policy))
        if placed is None:
            return None
        target = placed[name][0]
        free[target] = less(free[target], shape.requests)
        if target != source:
            moves.append(Move(name, None, (source,), (target,)))
    return tuple(sorted(moves, key=lambda each: str(each.pod)))


def _by_gang(snapshot: Snapshot, gang: str, now_s: Seconds, name: str, settings: Settings) -> tuple[Move, ...] | None:
    with snapshot.fork():
        sources = tuple(sorted({snapshot.pods[pod].node for pod in snapshot.pods_of(name)}))
        snapshot.evict(name, now_s, exclude_nodes=sources)
        first = try_start(snapshot, gang, now_s, settings) if sources else None
        if first is None:
            return None
        commit(snapshot, first)
        second = try_start(snapshot, name, now_s, settings)
        return (Move(None, name, sources, tuple(sorted(set(second.pods.values())))),) if second else None
