"""What each pod is at, from what it is, how it behaves, and what its gang is able to do.

A gang works when its minimum is ready, and one process that hangs or lags holds all the others. This is the world's own
knowledge; the agent has only the series that come of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.adapters.simulated.behaviour import Behaviour
from agent.adapters.simulated.exporters import activity
from agent.adapters.simulated.exporters.activity import Activity
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod, WorkloadClass

Place = tuple[str, str]  # namespace, pod
STEPS_PER_SECOND = 0.5  # of a gang that is whole
LAGGING_SHARE = 0.4  # of that, when one of them straggles


@dataclass(frozen=True, slots=True)
class Work:
    """`steps_per_second` None: this is no training, it counts no steps."""

    activity: Activity
    steps_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """`busy`: of a replica with a known load, the share of its capacity that is taken."""

    view: ClusterView
    behaviours: Mapping[Place, Behaviour]
    busy: Mapping[Place, float]
    now: datetime


def works(scene: Scene) -> dict[Place, Work]:
    members: dict[ObjectRef, list[Place]] = {}
    for place, pod in scene.view.pods.items():
        if pod.gang is not None:
            members.setdefault(pod.gang, []).append(place)
    return {place: _work(scene, place, pod, members) for place, pod in scene.view.pods.items() if pod.gpus}


def bursting(scene: Scene) -> bool:
    """Is there anybody whose work changes by the hour alone?"""
    return any(_bursts(scene, place, pod) for place, pod in scene.view.pods.items() if pod.gpus)


def _work(scene: Scene, place: Place, pod: Pod, members: Mapping[ObjectRef, list[Place]]) -> Work:
    if not pod.ready or pod.terminating:
        return Work(activity.NOTHING, 0.0 if _trains(scene, pod) else None)
    if pod.gang is not None or _trains(scene, pod):
        others = members.get(pod.gang, [place]) if pod.gang is not None else [place]
        together = _together(scene, place, pod, [_word(scene, each) for each in others])
        return together if _class(scene, pod) is not WorkloadClass.SERVING else _serving(scene, place, together)
    return Work(_alone(scene, place, pod))


def _serving(scene: Scene, place: Place, together: Work) -> Work:
    """A model over several pods serves as one trains, whole or not at all; it counts no steps."""
    follows_load = together.steps_per_second and place in scene.busy
    return Work(activity.serving(scene.busy[place]) if follows_load else together.activity)


def _together(scene: Scene, place: Place, pod: Pod, words: list[str]) -> Work:
    gang = scene.view.gangs.get(pod.gang) if pod.gang is not None else None
    own = _word(scene, place)
    if own == "finished":
        return Work(activity.FINISHED, 0.0)
    if own == "idle":
        return Work(activity.IDLE, 0.0)
    if gang is not None and not _whole(scene, gang):
        return Work(activity.NOTHING, 0.0)
    if "hangs" in words:
        return Work(activity.HANGING, 0.0)
    if "straggles" in words:
        doing = activity.working(pod.ref.name) if own == "straggles" else activity.beside_straggler(pod.ref.name)
        return Work(doing, STEPS_PER_SECOND * LAGGING_SHARE)
    return Work(activity.working(pod.ref.name), STEPS_PER_SECOND)


def _alone(scene: Scene, place: Place, pod: Pod) -> Activity:
    match _word(scene, place):
        case "idle":
            return activity.IDLE
        case "finished":
            return activity.FINISHED
        case "hangs":
            return activity.HANGING
    if _bursts(scene, place, pod):
        return activity.bursting(pod.ref.name, scene.now)
    if place in scene.busy:
        return activity.serving(scene.busy[place])
    return activity.working(pod.ref.name)


def _whole(scene: Scene, gang: Gang) -> bool:
    here = [scene.view.pods.get((ref.namespace or "", ref.name)) for ref in gang.running]
    ready = sum(1 for pod in here if pod is not None and pod.ready and not pod.terminating)
    return gang.state is GangState.FINISHED or ready >= gang.minimum


def _word(scene: Scene, place: Place) -> str:
    said = scene.behaviours.get(place)
    return said.word if said is not None else ""


def _bursts(scene: Scene, place: Place, pod: Pod) -> bool:
    word = _word(scene, place)
    return word == "bursts" or (not word and pod.gang is None and _class(scene, pod) is WorkloadClass.NOTEBOOK)


def _trains(scene: Scene, pod: Pod) -> bool:
    return _class(scene, pod) in (WorkloadClass.TRAINING, WorkloadClass.BATCH)


def _class(scene: Scene, pod: Pod) -> WorkloadClass | None:
    workload = scene.view.workloads.get(pod.owner) if pod.owner is not None else None
    return workload.workload_class if workload is not None else None
