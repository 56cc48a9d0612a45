"""Who may use which quota: Kueue's objects (adapters/kueue) and our own Queue side by side, in the core's words.

A queue is named kind and name, since a ClusterQueue and a `watchkeeper.dev` Queue may share a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kueue.picture import Door, picture_of, read_alone
from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.kueue.words import Selector, counted, word
from agent.domain.cluster import ClusterView, Gang, ObjectRef
from scheduler_core.quota import Cohort, Flavor, Queue, Quota, StopPolicy, Undeclared
from scheduler_core.topologies import Topology

WATCHKEEPER = "watchkeeper.dev"
OWN_QUEUE = "Queue/"  # what the core's names of our own queues begin with
NAMESPACE_NAME = "kubernetes.io/metadata.name"  # a label that every namespace of a live server has
Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Queues:
    flavors: tuple[Flavor, ...]
    cohorts: tuple[Cohort, ...]
    queues: tuple[Queue, ...]
    local: Mapping[Door, str]  # (namespace, LocalQueue) -> queue
    held: frozenset[Door]  # LocalQueues that admit nobody
    drained: frozenset[Door] = frozenset()  # and those that send off who is in
    topologies: tuple[Topology, ...] = ()
    selectors: Mapping[str, Selector | None] = field(default_factory=dict)  # of namespaces, by queue
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # their labels
    classes: Mapping[str, int] = field(default_factory=dict)  # value of each WorkloadPriorityClass
    unreadable: Mapping[ObjectRef, str] = field(default_factory=dict)
    shut: Mapping[str, str] = field(default_factory=dict)  # queues that let nobody in whatever they write, and why
    rules: KueueRules = KINDLY

    def queue_of(self, gang: Gang) -> str | None:
        """None where no quota applies, because there is no such queue."""
        if gang.queue is None:
            return None
        if group_of(gang.ref.api_version) == WATCHKEEPER:
            name: str | None = f"{OWN_QUEUE}{gang.queue}"
        else:
            name = self.local.get(_door(gang))
        return name if any(each.name == name for each in self.queues) else None

    def is_held(self, gang: Gang) -> bool:
        """By its LocalQueue or its namespace; our own gangs go through none, whatever their queue is called."""
        if group_of(gang.ref.api_version) == WATCHKEEPER:
            return False
        name = self.queue_of(gang)
        if name is None:
            by_kueue = group_of(gang.ref.api_version) == KUEUE
            return _door(gang) in self.held or (self.rules.literal and by_kueue)
        return _door(gang) in self.held or not self._takes(name, gang.ref.namespace or "")

    def is_drained(self, gang: Gang) -> bool:
        return group_of(gang.ref.api_version) != WATCHKEEPER and _door(gang) in self.drained

    def checks_of(self, gang: Gang) -> tuple[str, ...]:
        name = self.queue_of(gang)
        return next((each.checks for each in self.queues if each.name == name), ())

    def _takes(self, queue: str, namespace: str) -> bool:
        """A ClusterQueue that selects no namespaces takes nobody, one that selects with nothing everybody."""
        if not queue.startswith("ClusterQueue/"):
            return True
        selector, labels = self.selectors.get(queue), self.namespaces.get(namespace)
        if selector is None or labels is None:
            return not self.rules.literal
        return selector.selects({NAMESPACE_NAME: namespace, **labels})


def _door(gang: Gang) -> Door:
    return gang.ref.namespace or "", gang.queue or ""


def queues_of(view: ClusterView, rules: KueueRules = KINDLY) -> Queues:
    picture, ours, unreadable = picture_of(view, rules), [], {}
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (WATCHKEEPER, "Queue"):
            try:
                ours.append(_own_queue(Fields.of(raw)))
            except ValueError as wrong:
                unreadable[ref] = str(wrong)
    for name in sorted({each.cohort for each in ours if each.cohort}):
        picture.cohorts.setdefault(name, Cohort(name=name))
    named = [quota for each in (*picture.queues.values(), *ours) for quota in each.quotas]
    for quota in (*named, *(quota for each in picture.cohorts.values() for quota in each.quotas)):
        picture.flavors.setdefault(quota.flavor, Flavor(quota.flavor))  # one that nobody wrote down is any node
    for name in _admitted_with(view):
        picture.flavors.setdefault(name, Flavor(name))  # its queue may have lost it since
    return Queues(
        flavors=tuple(picture.flavors.values()),
        cohorts=tuple(picture.cohorts.values()),
        queues=(*picture.queues.values(), *ours),
        local=picture.local,
        held=frozenset(picture.stopped),
        drained=frozenset(d for d, policy in picture.stopped.items() if policy is StopPolicy.HOLD_AND_DRAIN),
        topologies=tuple(picture.topologies.values()),
        selectors=picture.selectors,
        namespaces=_namespaces(view),
        classes=picture.classes,
        unreadable={**picture.unreadable, **unreadable},
        shut=picture.shut,
        rules=rules if not picture.fair_sharing else rules.sharing(),
    )


def _namespaces(view: ClusterView) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for name in view.namespaces:
        raw = view.objects.get(ObjectRef(api_version="v1", kind="Namespace", name=name), {})
        metadata = raw.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
        found[name] = {k: str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}
    return found


def _admitted_with(view: ClusterView) -> list[str]:
    """The flavors that workloads hold quota of."""
    held: set[str] = set()
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (KUEUE, "Workload"):
            told = [each.get("flavors") for each in _assigned(raw) if isinstance(each, Mapping)]
            held.update(str(name) for each in told if isinstance(each, Mapping) for name in each.values() if name)
    return sorted(held)


def _assigned(raw: Raw) -> list[Any]:
    status = raw.get("status")
    admission = status.get("admission") if isinstance(status, Mapping) else None
    assigned = admission.get("podSetAssignments") if isinstance(admission, Mapping) else None
    return assigned if isinstance(assigned, list) else []


def check_queue(ref: ObjectRef, raw: Raw) -> None:
    """Reads one object of these kinds for its errors. Raises ValueError."""
    if (group_of(ref.api_version), ref.kind) == (WATCHKEEPER, "Queue"):
        _own_queue(Fields.of(raw))
    read_alone(ref, raw)


def _own_queue(root: Fields) -> Queue:
    spec = root.within("spec")
    return Queue(
        name=OWN_QUEUE + root.within("metadata").required_text("name"),
        quotas=tuple(_own_quota(each) for each in spec.objects("quotas")),
        cohort=spec.text("cohort") or None,
        stop_policy=word(spec, "stopPolicy", StopPolicy, StopPolicy.NONE),
        undeclared=Undeclared.IGNORE,
    )


def _own_quota(at: Fields) -> Quota:
    resource = at.text("resource")
    return Quota(
        flavor=at.text("flavor") or "default",
        resource=resource,
        nominal=counted(at, "nominal", resource) or 0,
        borrowing_limit=counted(at, "borrowingLimit", resource),
        lending_limit=counted(at, "lendingLimit", resource),
    )
