"""Single pods onto nodes: replicas of a Deployment, a Job's replacement pod, the members a gang still lacks.

For whole gangs there is `scheduler.cycle`. Nothing is changed here: the caller binds what it takes up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scheduler_core.errors import Duplicate
from scheduler_core.model import Pod, PodShape
from scheduler_core.placement import Demand, fit
from scheduler_core.policies import policy
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.shortage import shortage
from scheduler_core.snapshot import Snapshot


@dataclass(frozen=True)
class Refusal:
    """None of the pods were placed, and why."""

    code: str
    message: str
    remedy: str


def place_pods(snapshot: Snapshot, pods: Sequence[Pod], settings: Settings = DEFAULTS) -> dict[str, str] | Refusal:
    """Pod -> node for all of them, or a refusal. Members of a gang are refused while the gang would stay too small."""
    _check_names(snapshot, pods)
    small = _too_small(snapshot, pods)
    if small is not None:
        return small
    demands, groups = _by_shape(snapshot, pods)
    placed = fit(snapshot.capacity.space(), demands, policy(settings.policy))
    if placed is None:
        found = shortage(snapshot, demands, settings)
        return Refusal(found.reason, found.message, found.remedy)
    return {name: node for key, names in groups.items() for name, node in zip(names, placed[key], strict=True)}


def _check_names(snapshot: Snapshot, pods: Sequence[Pod]) -> None:
    seen: set[str] = set()
    for pod in pods:
        if pod.name in seen or pod.name in snapshot.pods:
            raise Duplicate("Pod", pod.name, "name", "is placed already" if pod.name in snapshot.pods else "is twice")
        seen.add(pod.name)


def _too_small(snapshot: Snapshot, pods: Sequence[Pod]) -> Refusal | None:
    for name in sorted({pod.gang for pod in pods if pod.gang is not None}):
        gang = snapshot.gang(name)
        counts = snapshot.running(name)
        for pod in pods:
            if pod.gang == name:
                counts[gang.pod_set(pod.pod_set).name] += 1
        for each in gang.pod_sets:
            if counts[each.name] < each.minimum:
                had = f"{counts[each.name]} of at least {each.minimum} pods"
                return Refusal(
                    "BelowMinimum",
                    f"gang {name} would have {had} in pod set {each.name}",
                    f"place {each.minimum - counts[each.name]} more of its pods at the same time",
                )
    return None


def _by_shape(snapshot: Snapshot, pods: Sequence[Pod]) -> tuple[list[Demand], Mapping[str, list[str]]]:
    shapes: list[tuple[PodShape, list[str]]] = []
    for pod in sorted(pods, key=lambda pod: pod.name):
        shape = _shape(snapshot, pod)
        for known, names in shapes:
            if known == shape:
                names.append(pod.name)
                break
        else:
            shapes.append((shape, [pod.name]))
    demands = [Demand(names[0], shape, len(names)) for shape, names in shapes]
    return demands, {names[0]: names for _, names in shapes}


def _shape(snapshot: Snapshot, pod: Pod) -> PodShape:
    if pod.gang is None:
        return pod.shape()
    gang = snapshot.gang(pod.gang)
    avoided = gang.excluded_nodes | snapshot.state_of(gang.name).excluded_nodes
    return replace(pod.shape(), excluded_nodes=pod.excluded_nodes | avoided)
