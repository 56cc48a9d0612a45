"""Which flavors a gang's pod sets would be charged to, in the order its queue prefers them.

A flavor fits a pod set when the pod set's node selector and affinity do not contradict the flavor's labels, the
flavor's taints are tolerated, and every resource of the flavor's group has quota left. The search is over the gang as
a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from scheduler_core.model import PODS, PodSet, PodShape, Requests
from scheduler_core.placement import with_pod
from scheduler_core.quota import Flavor, FlavorResource, Queue, ResourceGroup, Undeclared, WhenCan
from scheduler_core.quota_levels import lowest_level
from scheduler_core.quota_tree import Place, QuotaTree, Usage
from scheduler_core.topologies import Topology, has_levels

CHOICES_LIMIT = 32  # combinations tried for one gang; more would mean many flavors times many pod sets

Chosen = Mapping[str, Mapping[str, str]]  # pod set -> resource -> flavor


@dataclass(frozen=True)
class Choice:
    flavors: Chosen
    borrows: bool


@dataclass(slots=True)  # not frozen: that makes a new one four times as dear, and a cycle makes thousands
class Want:
    """So many pods of a pod set."""

    pod_set: PodSet
    count: int


class Books(NamedTuple):
    """Everything quota is decided on: the fixed tree, what is used, and the flavors by name."""

    tree: QuotaTree
    usage: Usage
    flavors: Mapping[str, Flavor]
    topologies: Mapping[str, Topology] = {}


@dataclass(frozen=True)
class Slot:
    """One decision to take: the flavor of one pod set for one group of resources."""

    want: Want
    resources: tuple[str, ...]
    flavors: tuple[str, ...]

    def needs(self, flavor: str) -> dict[FlavorResource, int]:
        requests = with_pod(self.want.pod_set.requests)
        return {FlavorResource(flavor, name): self.want.count * requests[name] for name in self.resources}


def add_usage(
    total: dict[FlavorResource, int], queue: Queue, requests: Requests, count: int, flavors: Mapping[str, str]
) -> None:
    """What so many pods count against the queue. A resource without a chosen flavor counts against its first."""
    for resource, quantity in with_pod(requests).items():
        declared = queue.flavors_of(resource)
        if declared and quantity and count:
            key = FlavorResource(flavors.get(resource, declared[0]), resource)
            total[key] = total.get(key, 0) + count * quantity


def undeclared(queue: Queue, pod_set: PodSet) -> tuple[str, ...]:
    """Requested resources that the queue has no quota for, where it minds."""
    if queue.undeclared is Undeclared.IGNORE:
        return ()
    wanted = (name for name, quantity in sorted(pod_set.requests.items()) if quantity and name != PODS)
    return tuple(name for name in wanted if not (queue.flavors_of(name) or name.startswith(queue.overlooked)))


def suits(flavor: Flavor, pod_set: PodSet) -> str:
    """What stands between the two; empty: nothing does. Only label keys that the flavor itself has count.

    The rest of the selector and of the affinity is the node's business, and so are soft taints.
    """
    for key, value in pod_set.node_selector.items():
        if flavor.node_labels.get(key, value) != value:
            return f"its label {key} is not {value}"
    if pod_set.required_node_affinity and not _affine(flavor, pod_set):
        return "its labels do not match the node affinity"
    for taint in flavor.node_taints:
        known = (*pod_set.tolerations, *flavor.tolerations)
        if taint.effect != "PreferNoSchedule" and not any(toleration.tolerates(taint) for toleration in known):
            return f"its taint {taint.key} is not tolerated"
    return ""


def _affine(flavor: Flavor, pod_set: PodSet) -> bool:
    """Any term will do; one that says nothing about the flavor's keys allows every flavor."""
    labels, terms = flavor.node_labels, pod_set.required_node_affinity
    known = ([each for each in term.match_expressions if each.key in labels] for term in terms)
    return any(all(each.matches(labels) for each in term) for term in known)


def asks_for_topology(pod_set: PodSet) -> bool:
    return pod_set.topology is not None and pod_set.topology.explicit


def suits_topology(books: Books, queue: Queue, flavor: Flavor, group: ResourceGroup, pod_set: PodSet) -> str:
    """A pod set that asks for a topology needs a flavor with its levels, and no other pod set may have such a flavor.

    Where all flavors of the queue have a topology, every pod set is placed by it. A flavor without one may pay for what
    the pods themselves do not ask for, such as their number.
    """
    if not asks_for_topology(pod_set):
        if flavor.topology is None:
            return ""
        every = all(_topology(books, name) for each in queue.resource_groups for name in each.flavors)
        return "" if every else "it is for pods that ask for a topology"
    if flavor.topology is None:
        pays = any(resource in pod_set.requests for resource in group.resources)
        return "it has no topology" if pays else ""
    known, request = books.topologies.get(flavor.topology), pod_set.topology
    has = known is not None and request is not None and has_levels(known, request)
    return "" if has else "its topology has not the level asked for"


def _topology(books: Books, flavor: str) -> str | None:
    return books.flavors[flavor].topology if flavor in books.flavors else None


def slots(books: Books, queue: Queue, wants: Sequence[Want]) -> tuple[Slot, ...]:
    return tuple(
        _slot(books, queue, want, group)
        for want in wants
        for group in queue.resource_groups
        if any(with_pod(want.pod_set.requests).get(name, 0) for name in group.resources)
    )


def _slot(books: Books, queue: Queue, want: Want, group: ResourceGroup) -> Slot:
    requests = with_pod(want.pod_set.requests)
    known = (books.flavors.get(name, Flavor(name)) for name in group.flavors)
    fitting = tuple(
        flavor.name
        for flavor in known
        if not (suits(flavor, want.pod_set) or suits_topology(books, queue, flavor, group, want.pod_set))
    )
    return Slot(want, tuple(name for name in group.resources if requests.get(name, 0)), fitting)


def choices(books: Books, queue: Queue, wants: Sequence[Want]) -> Iterator[Choice]:
    """Every way the queue can pay for all of it, preferred flavors first, at most CHOICES_LIMIT."""
    if any(undeclared(queue, want.pod_set) for want in wants):
        return iter(())
    return islice(_choices(books, queue, slots(books, queue, wants), {}, ()), CHOICES_LIMIT)


def _choices(
    books: Books,
    queue: Queue,
    left: Sequence[Slot],
    total: dict[FlavorResource, int],
    taken: tuple[tuple[Slot, str], ...],
) -> Iterator[Choice]:
    if not left:
        yield Choice(_by_pod_set(taken), _borrows(books, ("queue", queue.name), total))
        return
    slot = left[0]
    for flavor, more in _with_room(books, queue, slot, total):
        yield from _choices(books, queue, left[1:], more, (*taken, (slot, flavor)))


def _with_room(
    books: Books, queue: Queue, slot: Slot, total: Mapping[FlavorResource, int]
) -> list[tuple[str, dict[FlavorResource, int]]]:
    """In the queue's order; where it would rather try on than borrow, the nearest quota first."""
    place: Place = ("queue", queue.name)
    found = []
    for flavor in slot.flavors:
        more, needs = dict(total), slot.needs(flavor)
        for key, quantity in needs.items():
            more[key] = more.get(key, 0) + quantity
        if all(more[key] <= books.tree.available(place, key, books.usage) for key in needs):
            found.append((flavor, more))
    if queue.fungibility.when_can_borrow is WhenCan.TRY_NEXT:
        levels = {flavor: _level(books, place, slot.needs(flavor), more) for flavor, more in found}
        found.sort(key=lambda pair: levels[pair[0]])
    return found


def _level(books: Books, place: Place, needs: Mapping[FlavorResource, int], total: Mapping[FlavorResource, int]) -> int:
    return max((lowest_level(books.tree, place, key, total[key], books.usage)[0] for key in needs), default=0)


def _by_pod_set(taken: Sequence[tuple[Slot, str]]) -> Chosen:
    result: dict[str, dict[str, str]] = {}
    for slot, flavor in taken:
        result.setdefault(slot.want.pod_set.name, {}).update(dict.fromkeys(slot.resources, flavor))
    return result


def _borrows(books: Books, place: Place, total: Mapping[FlavorResource, int]) -> bool:
    return any(
        books.usage.get((place, key), 0) + quantity > books.tree.subtree(place, key) for key, quantity in total.items()
    )


def on_nodes_of(shape: PodShape, chosen: Mapping[str, str], flavors: Mapping[str, Flavor]) -> PodShape:
    """The pod as it is placed once its flavors are known: on their nodes, tolerating what they tolerate."""
    used = [flavors[name] for name in sorted(set(chosen.values())) if name in flavors]
    if not any(flavor.node_labels or flavor.tolerations for flavor in used):
        return shape
    selector = dict(shape.node_selector)
    for flavor in used:
        selector.update(flavor.node_labels)
    tolerations = shape.tolerations + tuple(each for flavor in used for each in flavor.tolerations)
    return replace(shape, node_selector=selector, tolerations=tolerations)
