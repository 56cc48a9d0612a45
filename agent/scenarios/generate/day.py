"""A whole day from a request and a chance: where, what befalls it and when, and what is expected. Plain data out.

Troubles come when they come, two or three at once, each on nodes of its own. Only those that together would reach the
guardrails' limits come apart, so that what is right about one is not changed by another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import le
from random import Random

from agent.scenarios.generate import limits, work
from agent.scenarios.generate.arrivals import limit_of, moments, programme
from agent.scenarios.generate.background import background
from agent.scenarios.generate.gangs import QUEUE, our_queue
from agent.scenarios.generate.ground import Ground, fullest, kinds_of, tenants_of
from agent.scenarios.generate.manifests import queues
from agent.scenarios.generate.monitoring import NAMESPACE, exporters
from agent.scenarios.generate.request import Generate
from agent.scenarios.generate.site import Injected, Json, Touches, Trouble
from agent.scenarios.generate.trace import BUILT_IN, Statistics
from agent.scenarios.generate.troubles import ALL

MEAN_GAP = timedelta(minutes=35)
GROUP_NODES = 2
LEAST_FOR_GROUPS = 8  # nodes; with fewer left nobody has a pool for native PodGroups
LEAST_FOR_WORK = 4  # nodes; with fewer left there is no day beside the troubles
TAIL = timedelta(hours=1)  # for the last trouble to be over
SETTLED = timedelta(minutes=30)  # into the day: a trouble that is seen by how things were before shows itself later

# Never right, whatever the trouble: a queue or a quota touched.
ALWAYS_WRONG = ({"action": "set_queue_quota"}, {"action": "hold_queue"})


class NoRoom(ValueError):
    """The cluster asked for is too small for the troubles asked for."""


@dataclass(frozen=True, slots=True)
class Day:
    cluster: list[Json]
    timeline: list[Json]
    expect: Json
    duration: timedelta


def draw(
    request: Generate, seed: int, start: datetime, statistics: Statistics = BUILT_IN, ends: timedelta | None = None
) -> Day:
    """The same arguments give the same day. `ends`: when it is cut short, if it is. Raises NoRoom."""
    rng = Random(seed)  # noqa: S311 - a day has to be drawn again the same
    kinds = kinds_of(request)
    free = {kind: list(names) for kind, names in kinds.items()}
    ground = Ground(request.gpus_per_node, start, tenants_of(rng, request.tenants), free)
    span, limit = request.troubles * MEAN_GAP, limit_of(request.nodes)
    chosen = _chosen(rng, request.troubles, ground)
    plan = programme(chosen, moments(rng, len(chosen), span, statistics), limit)
    injected = [
        _told(trouble, trouble.inject(rng, ground.site(rng, f"t{number}", trouble.nodes), at), at, ends, limit)
        for number, (trouble, at) in enumerate(sorted(plan, key=lambda each: -each[0].nodes), 1)
    ]
    duration = max([span, *(at for _, at in plan)]) + TAIL
    own = _work(rng, ground, statistics, duration)
    filler = background(rng, ground)
    quota = {kind: len(names) * request.gpus_per_node for kind, names in kinds.items()}
    cluster = [*ground.manifests(kinds), *exporters([name for names in kinds.values() for name in names])]
    cluster += [*queues(ground.tenants, quota), our_queue(QUEUE, request.gpus), *own.cluster]
    cluster += [*limits.classes(), *limits.ceilings(ground.tenants, request.gpus)]
    cluster += [*(each for one in injected for each in one.cluster), *filler]
    timeline = [*(entry for one in injected for entry in one.timeline), *own.timeline]
    return Day(cluster, timeline, expectation([*injected, own], _alone(cluster)), duration)


def _told(trouble: Trouble, injected: Injected, at: timedelta, ends: timedelta | None, limit: Touches) -> Injected:
    """What a day that ends earlier may not live to see is right all the same, and no longer asked for. So is what the
    guardrails of a small cluster leave to a person, who may not be there."""
    if (ends is None or max(at, SETTLED) + TAIL <= ends) and all(map(le, trouble.touches, limit)):
        return injected
    no_longer = [_optional(each) for each in (*injected.actions, *injected.proposed)]
    return replace(injected, actions=[], proposed=[], allowed=[*injected.allowed, *no_longer], final=[])


def _optional(item: Json) -> Json:
    times = {bound: count for bound, count in item.get("times", {}).items() if bound != "min"}
    return {**item, "times": times} if "times" in item else item


def _work(rng: Random, ground: Ground, statistics: Statistics, duration: timedelta) -> Injected:
    """Half of what the troubles leave is for jobs that come and go, one node for notebooks, some for native groups."""
    left = sum(ground.room.values())
    if left < LEAST_FOR_WORK:
        return Injected()
    native = ground.site(rng, work.NATIVE, GROUP_NODES) if left >= LEAST_FOR_GROUPS else None
    left = sum(ground.room.values())
    batch = ground.site(rng, work.POOL, min(max(ground.room.values()) - 1, left // 2))
    desks = ground.site(rng, work.DESKS, 1)
    coming = work.jobs(rng, batch, ground.tenants, statistics, duration)
    coming += work.notebooks(rng, desks, ground.tenants, duration)
    if native is not None:
        coming += work.groups(rng, native, ground.tenants, duration)
    return Injected(
        cluster=work.queues(ground.tenants, batch.gpus * len(batch.nodes)),
        timeline=coming,
        allowed=[_gives_back(work.space(tenant)) for tenant in ground.tenants],
    )


def _gives_back(namespace: str) -> Json:
    """A job that runs on quota which its owner wants back may be asked to wait: that is what borrowing means."""
    return {"action": "requeue_gang", "target": {"kind": "Workload", "namespace": namespace}}


def _chosen(rng: Random, count: int, ground: Ground) -> list[Trouble]:
    """Which troubles: each kind once before any comes again, as far as there is room for it."""
    chosen: list[Trouble] = []
    known = [trouble for trouble in ALL if trouble.gpus_least <= ground.gpus]
    while len(chosen) < count:
        before = len(chosen)
        for trouble in rng.sample(known, len(known)):
            if len(chosen) < count and _fit([*chosen, trouble], ground.room):
                chosen.append(trouble)
        if len(chosen) < count and not any(trouble.nodes for trouble in chosen[before:]):
            raise NoRoom(f"there is no room for {count} troubles; ask for more nodes or fewer troubles")
    return chosen


def _fit(troubles: Sequence[Trouble], room: dict[str, int]) -> bool:
    """Do all find their place, the largest first, as the ground hands it out?"""
    left = dict(room)
    for trouble in sorted(troubles, key=lambda each: -each.nodes):
        left[fullest(left)] -= trouble.nodes
    return min(left.values()) >= 0


def _alone(cluster: Sequence[Json]) -> list[Json]:
    """A pod of somebody's work is never moved by itself. An exporter's may be, where its trouble says so."""
    names = (each["metadata"]["name"] for each in cluster if each["kind"] == "Namespace")
    return [{"action": "*", "target": {"kind": "Pod", "namespace": name}} for name in names if name != NAMESPACE]


def expectation(injected: Sequence[Injected], wrong: Sequence[Json]) -> Json:
    """Everything that was injected, judged together; `wrong` is so whatever the trouble."""
    return {
        "actions": [each for one in injected for each in one.actions],
        "proposed": [each for one in injected for each in one.proposed],
        "allowed": [each for one in injected for each in one.allowed],
        "forbidden": [*ALWAYS_WRONG, *wrong, *(each for one in injected for each in one.forbidden)],
        "final": [each for one in injected for each in one.final],
        "gangs": "whole",
        "log": {"intact": True, "everyActionHasIntent": True},
    }
