"""Which few running pods to move so that pods that wait find room: on a whole fleet, GPU by GPU.

A step takes one unit (a single pod, or all pods of a gang) from its place, or two that change places; it gives the room
to waiting pods and finds what it took other places by the placer's policy. A step is kept only if every pod has one:
nothing is evicted that is not placed again. The steps that win most per move come first (`moves`). A waiting pod that
fits as things are needs no move, and is left to the scheduler. A plan that wins less than noise is no plan.

Pure as seen from outside: the fleet is tried on and put back as it was. `scheduler_core.defragment` asks the other
question, how one given gang could start; this one is for the fleet as a whole.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_core.errors import Invalid
from scheduler_core.gpus.ask import Ask
from scheduler_core.gpus.filling import Waiting
from scheduler_core.gpus.fleet import Placement
from scheduler_core.gpus.moves import Search, Step
from scheduler_core.gpus.placer import Placer

MOVES_MAX = 100  # each restarts somebody's pod; more is a reorganisation
NOISE_PERCENT = (
    0.75  # of the fleet's GPUs: what the luck of the arrivals makes up (by seed 0.1 to 0.5 either way), and a little
)


@dataclass(frozen=True)
class Running:
    placement: Placement
    gang: str | None = None  # its pods are moved together or not at all
    stays: bool = False  # nobody may move it


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...] = ()

    @property
    def moves(self) -> int:
        return sum(len(step.evicted) for step in self.steps)

    @property
    def gain_milli(self) -> int:
        return sum(step.gain_milli for step in self.steps)


def defragment(
    placer: Placer,
    running: Sequence[Running],
    waiting: Sequence[Ask],
    moves_max: int = MOVES_MAX,
    noise_percent: float = NOISE_PERCENT,
) -> Plan:
    """Steps that let waiting pods start, in the order in which they are to be taken; none when they win too little."""
    if moves_max < 0:
        raise Invalid("Plan", "", "moves_max", f"{moves_max} is below 0")
    new = [ask for ask in waiting if not len(placer.fleet.fitting(ask, placer.rows))]
    search = Search(placer, [each.placement for each in running], _units(running), Waiting(new))
    steps = tuple(search.steps(moves_max))
    search.undo(steps)
    plan = Plan(steps)
    return plan if plan.gain_milli * 100 >= noise_percent * placer.fleet.capacity_milli else Plan()


def carry_out(placer: Placer, plan: Plan) -> None:
    for step in plan.steps:
        for gone in step.evicted:
            placer.take_away(gone)
        for placement in (*step.started, *step.placed_again):
            placer.put_back(placement)


def _units(running: Sequence[Running]) -> list[tuple[int, ...]]:
    """By the numbers of their pods; what may not be moved is in none."""
    single = [(pod,) for pod, each in enumerate(running) if each.gang is None and not each.stays]
    return [*single, *_gangs(running)]


def _gangs(running: Sequence[Running]) -> list[tuple[int, ...]]:
    members: dict[str, list[int]] = defaultdict(list)
    for pod, each in enumerate(running):
        if each.gang is not None:
            members[each.gang].append(pod)
    return [tuple(pods) for _, pods in sorted(members.items()) if not any(running[pod].stays for pod in pods)]
