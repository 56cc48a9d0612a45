"""All of Kueue's objects but the workloads, as the core wants them, and what could not be read.

No object stops the others. One that the webhook would have refused, or of a CRD half installed, costs what hangs on it:
of a ClusterQueue that cannot be read the nominal quotas are kept where they can be, and it lets nobody in, since nobody
knows whom Kueue lets in there. So do queues below a cohort that cannot be read, or in a circle of cohorts (Kueue lets
nobody in there either).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kueue.nodes import flavor, topology
from agent.adapters.kueue.quotas import CLUSTER_QUEUE, cluster_queue, cohort, inactive, quotas
from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.kueue.versions import in_v1beta2
from agent.adapters.kueue.words import Selector, word
from agent.domain.cluster import ClusterView, ObjectRef
from scheduler_core.quota import Cohort, Flavor, Queue, StopPolicy
from scheduler_core.topologies import Topology

COHORTS_DEEP_AT_MOST = 100  # the core takes 128, and says so by refusing all of them

Raw = Mapping[str, Any]
Door = tuple[str, str]  # namespace and LocalQueue


@dataclass
class Picture:
    flavors: dict[str, Flavor] = field(default_factory=dict)
    topologies: dict[str, Topology] = field(default_factory=dict)
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    local: dict[Door, str] = field(default_factory=dict)  # the core's name of its queue
    stopped: dict[Door, StopPolicy] = field(default_factory=dict)  # LocalQueues that let nobody in
    selectors: dict[str, Selector | None] = field(default_factory=dict)  # of namespaces, by queue
    classes: dict[str, int] = field(default_factory=dict)  # value of each WorkloadPriorityClass
    unreadable: dict[ObjectRef, str] = field(default_factory=dict)  # and why
    shut: dict[str, str] = field(default_factory=dict)  # queues that let nobody in though no stop policy says so; why
    fair_sharing: bool = False  # it keeps books of shares


def picture_of(view: ClusterView, rules: KueueRules = KINDLY) -> Picture:
    found = Picture()
    for ref, raw in view.objects.items():
        reader = _READERS.get(ref.kind) if group_of(ref.api_version) == KUEUE else None
        if reader is None:
            continue
        try:
            reader(found, Fields.of(in_v1beta2(raw)), rules)
        except (ValueError, TypeError, AttributeError) as wrong:
            found.unreadable[ref] = str(wrong)
            if ref.kind == "ClusterQueue":
                _keep_what_can_be(found, ref, Fields.of(in_v1beta2(raw)), str(wrong))
    _settle_topologies(found, rules)
    _settle_cohorts(found)
    for name in found.shut:
        if found.queues[name].stop_policy is StopPolicy.NONE:
            found.queues[name] = replace(found.queues[name], stop_policy=StopPolicy.HOLD)
    return found


def read_alone(ref: ObjectRef, raw: Raw) -> None:
    """Reads one object for its errors. Raises ValueError."""
    reader = _READERS.get(ref.kind) if group_of(ref.api_version) == KUEUE else None
    if reader is not None:
        reader(Picture(), Fields.of(in_v1beta2(raw)), KINDLY)


# -- single objects ----------------------------------------------------------------------------------------------------


def _cluster_queue(found: Picture, root: Fields, rules: KueueRules) -> None:
    queue = cluster_queue(root, rules)
    found.queues[queue.name] = queue
    spec = root.within("spec")
    found.selectors[queue.name] = Selector(spec.within("namespaceSelector")) if spec.has("namespaceSelector") else None
    why = inactive(root)
    if why is not None:
        found.shut[queue.name] = why
    found.fair_sharing = found.fair_sharing or root.within("status").has("fairSharing")


def _keep_what_can_be(found: Picture, ref: ObjectRef, root: Fields, why: str) -> None:
    """Whoever is in it holds quota all the same; by limits that nobody understands nobody is let in."""
    name = CLUSTER_QUEUE + ref.name
    found.queues[name], found.shut[name] = Queue(name=name), why
    with suppress(ValueError, TypeError, AttributeError):
        spec = root.within("spec")
        nominal = tuple(replace(each, borrowing_limit=None, lending_limit=None) for each in quotas(spec))
        found.queues[name] = Queue(name=name, quotas=nominal, cohort=spec.text("cohortName") or None)


def _cohort(found: Picture, root: Fields, rules: KueueRules) -> None:
    made = cohort(root, rules)
    found.cohorts[made.name] = made


def _flavor(found: Picture, root: Fields, rules: KueueRules) -> None:
    made = flavor(root)
    found.flavors[made.name] = made


def _topology(found: Picture, root: Fields, rules: KueueRules) -> None:
    made = topology(root)
    found.topologies[made.name] = made


def _local_queue(found: Picture, root: Fields, rules: KueueRules) -> None:
    metadata, spec = root.within("metadata"), root.within("spec")
    door = (metadata.text("namespace"), metadata.required_text("name"))
    found.local[door] = CLUSTER_QUEUE + spec.text("clusterQueue")
    policy = word(spec, "stopPolicy", StopPolicy, StopPolicy.NONE)
    if metadata.has("deletionTimestamp") and policy is StopPolicy.NONE:
        policy = StopPolicy.HOLD
    if policy is not StopPolicy.NONE:
        found.stopped[door] = policy


def _priority_class(found: Picture, root: Fields, rules: KueueRules) -> None:
    found.classes[root.within("metadata").required_text("name")] = root.integer("value", 0)


_READERS: Mapping[str, Callable[[Picture, Fields, KueueRules], None]] = {
    "ResourceFlavor": _flavor,
    "Topology": _topology,
    "ClusterQueue": _cluster_queue,
    "Cohort": _cohort,
    "LocalQueue": _local_queue,
    "WorkloadPriorityClass": _priority_class,
}


# -- what they come to together ----------------------------------------------------------------------------------------


def _settle_topologies(found: Picture, rules: KueueRules) -> None:
    """A flavor whose topology is not there places nobody by it; to the letter its queues let nobody in."""
    lost = {name for name, each in found.flavors.items() if each.topology and each.topology not in found.topologies}
    for name in lost:
        found.flavors[name] = replace(found.flavors[name], topology=None)
    if not rules.literal:
        return
    for name, queue in sorted(found.queues.items()):
        named = {quota.flavor for quota in queue.quotas}
        missing = sorted(named - found.flavors.keys()) or sorted(named & lost)
        if missing:
            word_for_it = "topology" if missing[0] in lost else "ResourceFlavor"
            found.shut.setdefault(name, f"there is no {word_for_it} for {missing[0]}")


def _settle_cohorts(found: Picture) -> None:
    """A cohort need not exist to be joined. One that is broken is cut off, and lets nobody in below it."""
    unread = {ref.name: why for ref, why in found.unreadable.items() if ref.kind == "Cohort"}
    parents = {name: each.parent for name, each in found.cohorts.items()}
    joined = {each.cohort for each in found.queues.values()} | set(parents.values())
    for name in sorted(each for each in joined if each):
        found.cohorts.setdefault(name, Cohort(name=name))
    for name in sorted(found.queues):
        above = _above(found.queues[name].cohort, parents)
        broken = next((each for each in above if each in unread), None)
        if broken is not None:
            found.shut.setdefault(name, f"Cohort {broken}: {unread[broken]}")
        if len(above) > COHORTS_DEEP_AT_MOST:
            found.shut.setdefault(name, f"Cohort {above[0]} is its own ancestor")
    for name in sorted(found.cohorts):
        if len(_above(name, parents)) > COHORTS_DEEP_AT_MOST:
            found.cohorts[name] = Cohort(name=name, weight=found.cohorts[name].weight)


def _above(name: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """The cohorts from this one up; more than there may be where they stand in a circle."""
    found: list[str] = []
    while name is not None and len(found) <= COHORTS_DEEP_AT_MOST:
        found.append(name)
        name = parents.get(name)
    return found
