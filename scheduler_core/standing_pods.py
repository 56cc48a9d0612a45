"""Where pods of gangs stand whose admission names no places: those let in without a topology, or by nobody.

They take room of a topology's hosts like any other, and leave it when their gang is sent back.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from scheduler_core.model import Requests
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Bound
from scheduler_core.topology import Assignment, Capacity, Part


def standing_pods(snapshot: Snapshot) -> dict[str, list[Bound]]:
    """By gang."""
    found: dict[str, list[Bound]] = {}
    for bound in snapshot.pods.values():
        if bound.pod.gang is not None:
            found.setdefault(bound.pod.gang, []).append(bound)
    return found


def standing(
    capacities: Mapping[str, Capacity], pods: Sequence[Bound], told: Collection[str]
) -> Iterator[tuple[str, Assignment, Requests]]:
    """As seats, but for the pod sets whose places are told: by the first flavor that has the node."""
    counts: Counter[tuple[str, str, tuple[tuple[str, int], ...], tuple[str, ...]]] = Counter()
    for bound in pods:
        flavor = next((name for name, each in capacities.items() if bound.node in each.forest.leaf_of_node), None)
        if flavor is not None and bound.pod.pod_set is not None and bound.pod.pod_set not in told:
            forest = capacities[flavor].forest
            path = forest.leaves.paths[forest.leaf_of_node[bound.node]]
            counts[flavor, bound.pod.pod_set, tuple(sorted(bound.pod.requests.items())), path] += 1
    for (flavor, pod_set, requests, path), count in counts.items():
        yield flavor, Assignment(pod_set, (Part(path, count),)), dict(requests)
