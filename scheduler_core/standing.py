"""How a snapshot stands, in numbers that can be compared: GPUs, queues, who runs, how many pods an owner has.

Taken before and after a what-if; the difference is the effect. GPUs are whole ones, of whatever kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scheduler_core.model import gpus, is_gpu
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Phase


@dataclass(frozen=True)
class QueueStanding:
    pending: int  # gangs of the queue that do not run whole
    used: int  # GPUs of quota that its gangs hold
    nominal: int  # GPUs of quota of its own


@dataclass(frozen=True)
class Standing:
    running: frozenset[str]  # gangs at or above their minimum
    holding: frozenset[str]  # gangs with any pod on a node
    free: int  # on nodes that take new pods
    stuck: int  # held by gangs below their minimum: they wait for the others and work at nothing
    unusable: int  # free on nodes that take no new pods
    queues: Mapping[str, QueueStanding]
    pods_by_owner: Mapping[str, int]  # pods of no gang that have a node


def standing(snapshot: Snapshot) -> Standing:
    phases = {name: snapshot.phase(name) for name in snapshot.gangs}
    stuck = (pod for name, phase in phases.items() if phase is Phase.PARTIAL for pod in snapshot.pods_of(name))
    free, unusable = snapshot.idle.gpus()
    owners: dict[str, int] = {}
    for bound in snapshot.pods.values():
        if bound.pod.gang is None and bound.pod.owner is not None:
            owners[bound.pod.owner] = owners.get(bound.pod.owner, 0) + 1
    return Standing(
        running=frozenset(name for name, phase in phases.items() if phase is Phase.RUNNING),
        holding=frozenset(name for name in phases if snapshot.pods_of(name)),
        free=free,
        stuck=sum(gpus(snapshot.pods[pod].pod.requests) for pod in stuck),
        unusable=unusable,
        queues=_queues(snapshot, phases),
        pods_by_owner=owners,
    )


def with_nodes(before: Standing, snapshot: Snapshot) -> Standing:
    """As it stands where nothing but nodes has changed since: nobody has to be counted again."""
    free, unusable = snapshot.idle.gpus()
    return replace(before, free=free, unusable=unusable)


def _queues(snapshot: Snapshot, phases: Mapping[str, Phase]) -> dict[str, QueueStanding]:
    waiting: dict[str, int] = {}
    for name, phase in phases.items():
        queue = snapshot.gangs[name].queue
        if queue is not None and phase is not Phase.RUNNING:
            waiting[queue] = waiting.get(queue, 0) + 1
    used: dict[str, int] = {}
    for (place, key), amount in snapshot.usage.items():
        if place[0] == "queue" and is_gpu(key.resource):
            used[place[1]] = used.get(place[1], 0) + amount
    return {
        name: QueueStanding(
            pending=waiting.get(name, 0),
            used=used.get(name, 0),
            nominal=sum(quota.nominal for quota in queue.quotas if is_gpu(quota.resource)),
        )
        for name, queue in sorted(snapshot.queues.items())
    }
