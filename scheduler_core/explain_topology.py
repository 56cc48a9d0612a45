"""A topology has no place for a gang: what binds, and what would let it in, tried out before it is told.

`topology/relief.py` knows what one pod set needs. A gang of several pod sets may need more after that, so what is told
is given to a copy of what is free, and the gang is placed once more, until it fits.
"""

from collections.abc import Mapping, Sequence

from scheduler_core.explanation import Explanation, Reason
from scheduler_core.flavors import Chosen
from scheduler_core.model import Gang, is_gpu
from scheduler_core.shortage import NAMES_LIMIT
from scheduler_core.sites import Sites
from scheduler_core.start import Counts
from scheduler_core.topology import Cause, Failure
from scheduler_core.topology.forest import Path
from scheduler_core.topology.relief import Barred, Relief, Remedy, TooLarge, is_too_large, relief

ROUNDS_AT_MOST = 16  # one for each pod set that lacks room, and hardly ever more

Freed = dict[tuple[Path, str], int]


def topology_reason(failure: Failure) -> Reason:
    """One word for the cycle. Where pods are too large or merely scattered no other level of the topology helps."""
    if failure.search is not None and is_too_large(failure.search):
        return Reason.POD_TOO_LARGE
    return Reason.FRAGMENTED if failure.scattered else Reason.TOPOLOGY_PLACEMENT_FAILED


def of_topology(sites: Sites, gang: Gang, counts: Counts, chosen: Chosen, failure: Failure) -> Explanation:
    """`failure` is what `sites` says to this gang on these flavors."""
    if failure.search is None:
        if failure.cause is Cause.UNANSWERABLE:
            remedy = "change the pod set's topology request, or its count"
            return _placed_nowhere(failure, remedy, "pods", failure.wanted, 0)
        remedy = "give nodes the topology's labels, or ask for a level that is there"
        return _placed_nowhere(failure, remedy, "pods", failure.wanted, failure.fits)
    found = relief(failure.search)
    match found:
        case TooLarge():
            return _too_large(found)
        case Barred():
            remedy = "change the pods' selector, affinity or tolerations, or add nodes that match"
            return _placed_nowhere(failure, remedy, "pods", failure.wanted, 0)
    freed = _freed(sites, gang, counts, chosen, found)
    if freed is None:
        return _needs_nodes(failure, found)
    return _can_be_freed(failure, found, freed)


def _placed_nowhere(failure: Failure, remedy: str, resource: str, wanted: int, available: int) -> Explanation:
    reason = Reason.FRAGMENTED if failure.scattered else Reason.TOPOLOGY_PLACEMENT_FAILED
    return Explanation(reason, failure.message, remedy, resource, wanted, available)


def _too_large(found: TooLarge) -> Explanation:
    return Explanation(
        Reason.POD_TOO_LARGE,
        f"a pod of {found.pod_set} asks for {found.wanted} {found.resource}; "
        f"the largest node it may use has {found.most}",
        "ask for less in one pod, or add larger nodes",
        found.resource,
        found.wanted,
        found.most,
    )


def _needs_nodes(failure: Failure, found: Relief) -> Explanation:
    where = "/".join(found.domain) or "the topology"
    told = f"; were it empty, it would hold {found.most} pods at most" if found.most < failure.wanted else ""
    remedy = f"add nodes with room for {_pods(found)} in {where}{told}"
    wider = ", or ask for a wider level" if found.domain and failure.fits_without_topology else ""
    return _placed_nowhere(failure, remedy + wider, "pods", failure.wanted, failure.wanted - found.add)


def _pods(found: Relief) -> str:
    pods = f"{found.add} more pods of {found.pod_set}"
    if not found.add_leader:
        return pods
    return f"the leader and {pods}" if found.add else "the leader"


def _can_be_freed(failure: Failure, found: Relief, freed: Mapping[tuple[Path, str], int]) -> Explanation:
    where = "/".join(found.domain) or "the topology"
    told = " and ".join(_amount(freed, resource) for resource in _resources(freed))
    binding = _resources(freed)[0]
    short = sum(amount for (_, resource), amount in freed.items() if resource == binding)
    asked = _asked(failure, binding)
    remedy = f"free {told} in {where}, or add nodes there with room for {_pods(found)}"
    reason = Reason.FRAGMENTED if failure.scattered else Reason.TOPOLOGY_PLACEMENT_FAILED
    hosts = tuple(dict.fromkeys(path[-1] for path, _ in sorted(freed)))
    lacking = tuple((path[-1], resource, amount) for (path, resource), amount in sorted(freed.items()))
    return Explanation(
        reason, failure.message, remedy, binding, max(asked, short), max(asked, short) - short,
        nodes=hosts, lacking=lacking,
    )  # fmt: skip


def _asked(failure: Failure, resource: str) -> int:
    """What the pod set takes of it in all; every pod takes one of the pods that a node may have."""
    search = failure.search
    if search is None:
        return 0
    return failure.wanted * search.ask.shape.requests.get(resource, 1)


def _resources(freed: Mapping[tuple[Path, str], int]) -> list[str]:
    """GPUs first."""
    return sorted({resource for _, resource in freed}, key=lambda name: (not is_gpu(name), name))


def _amount(freed: Mapping[tuple[Path, str], int], resource: str) -> str:
    there = [(path[-1], amount) for (path, name), amount in sorted(freed.items()) if name == resource]
    total = sum(amount for _, amount in there)
    if len(there) == 1:
        return f"{total} {resource} on {there[0][0]}"
    return f"{total} {resource} ({_where(there)})"


def _where(there: Sequence[tuple[str, int]]) -> str:
    told = ", ".join(f"{amount} on {host}" for host, amount in there[:NAMES_LIMIT])
    return f"{told} and {len(there) - NAMES_LIMIT} more" if len(there) > NAMES_LIMIT else told


def _freed(sites: Sites, gang: Gang, counts: Counts, chosen: Chosen, first: Relief) -> Freed | None:
    """All that must come free until every pod set has a place; None: that is not a matter of freeing."""
    total: Freed = {}
    found: Remedy = first
    for _ in range(ROUNDS_AT_MOST):
        if not isinstance(found, Relief) or not found.free:
            return None
        for path, resource, amount in found.free:
            total[path, resource] = total.get((path, resource), 0) + amount
        with sites.freed(total):
            seats = sites.find(gang, counts, chosen)
            if not isinstance(seats, Failure):
                return total
            if seats.search is None:
                return None
            found = relief(seats.search)
    return None
