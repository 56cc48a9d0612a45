"""Flavors, cohorts, cluster queues and local queues."""

from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction

from scheduler_core.cases.fields import BadCase, Fields, read
from scheduler_core.cases.quantities import counted, parse
from scheduler_core.cases.reading.cluster import NAMESPACE, taints, toleration
from scheduler_core.quota import (
    Cohort,
    Flavor,
    Fungibility,
    LocalQueue,
    Policy,
    PreemptionRules,
    Preference,
    Queue,
    Quota,
    ResourceGroup,
    StopPolicy,
    Strategy,
    WhenCan,
)


class Borrowing(StrEnum):
    NEVER = "Never"
    LOWER_PRIORITY = "LowerPriority"


class Within(StrEnum):
    """Kueue knows no Any inside a queue."""

    NEVER = "Never"
    LOWER_PRIORITY = "LowerPriority"
    LOWER_OR_NEWER_EQUAL = "LowerOrNewerEqualPriority"


class Reclaim(StrEnum):
    NEVER = "Never"
    LOWER_PRIORITY = "LowerPriority"
    ANY = "Any"


def flavor(fields: Fields) -> Flavor:
    return Flavor(
        fields.text("name"),
        fields.text_map("node_labels"),
        taints(fields, "node_taints"),
        fields.each("tolerations", toleration),
        topology=fields.maybe_text("topology"),
    )


def cohort(fields: Fields) -> Cohort:
    return Cohort(
        name=fields.text("name"),
        parent=fields.maybe_text("parent"),
        weight=_weight(fields),
        quotas=fields.each("quotas", _cohort_quota),
    )


def cluster_queue(fields: Fields) -> Queue:
    groups = fields.each("resource_groups", _group)
    return Queue(
        name=fields.text("name"),
        cohort=fields.maybe_text("cohort"),
        strategy=fields.choice("queueing_strategy", Strategy, Strategy.BEST_EFFORT_FIFO),
        stop_policy=fields.choice("stop_policy", StopPolicy, StopPolicy.NONE),
        weight=_weight(fields),
        groups=tuple(group for group, _ in groups),
        quotas=tuple(quota for _, quotas in groups for quota in quotas),
        preemption=fields.one("preemption", _preemption),
        fungibility=fields.one("flavor_fungibility", _fungibility),
        checks=fields.texts("admission_checks"),
    )


def local_queue(fields: Fields) -> LocalQueue:
    return LocalQueue(
        name=fields.text("name"),
        namespace=fields.text("namespace", NAMESPACE),
        queue=fields.text("cluster_queue"),
        stop_policy=fields.choice("stop_policy", StopPolicy, StopPolicy.NONE),
    )


def _weight(fields: Fields) -> Fraction:
    value = fields.raw("weight")
    weight = parse("1" if value is None else value, fields.at("weight"))
    if weight < 0:
        raise BadCase(fields.at("weight"), f"{value!r} is negative")
    return weight


def _cohort_quota(fields: Fields) -> Quota:
    return _quota(fields, fields.text("flavor"), fields.text("resource"))


def _quota(fields: Fields, flavor_name: str, resource: str) -> Quota:
    amounts = {}
    for key in ("nominal", "borrowing_limit", "lending_limit"):
        value = fields.raw(key)
        amounts[key] = None if value is None else counted(resource, value, fields.at(key), up=True)
    if amounts["nominal"] is None:
        raise BadCase(fields.at("nominal"), "is missing")
    return Quota(
        flavor=flavor_name,
        resource=resource,
        nominal=amounts["nominal"],
        borrowing_limit=amounts["borrowing_limit"],
        lending_limit=amounts["lending_limit"],
    )


def _group(fields: Fields) -> tuple[ResourceGroup, tuple[Quota, ...]]:
    covered = fields.texts("covered_resources")
    if not covered:
        raise BadCase(fields.at("covered_resources"), "is missing")
    flavors = fields.each("flavors", _flavor_of(covered))
    names = tuple(name for name, _ in flavors)
    for name in names:
        if names.count(name) > 1:
            raise BadCase(fields.at("flavors"), f"flavor {name!r} is given twice")
    return ResourceGroup(covered, names), tuple(quota for _, quotas in flavors for quota in quotas)


def _flavor_of(covered: tuple[str, ...]) -> Callable[[Fields], tuple[str, tuple[Quota, ...]]]:
    """Every flavor of a group has a quota for every covered resource, and for no other."""

    def reader(fields: Fields) -> tuple[str, tuple[Quota, ...]]:
        name = fields.text("name")
        quotas = []
        for value, where in fields.items("resources"):
            quotas.append(read(value, where, lambda inner: _quota(inner, name, inner.text("name"))))
            if quotas[-1].resource not in covered:
                raise BadCase(f"{where}.name", f"{quotas[-1].resource!r} is not among the covered resources")
        missing = [resource for resource in covered if resource not in {quota.resource for quota in quotas}]
        if missing:
            raise BadCase(fields.at("resources"), f"flavor {name!r} has no quota for covered {missing[0]!r}")
        return name, tuple(quotas)

    return reader


def _preemption(fields: Fields) -> PreemptionRules:
    policy, threshold = fields.one("borrow_within_cohort", _borrow_within_cohort)
    return PreemptionRules(
        within_queue=Policy(fields.choice("within_cluster_queue", Within, Within.NEVER)),
        reclaim=Policy(fields.choice("reclaim_within_cohort", Reclaim, Reclaim.NEVER)),
        borrow=policy is Borrowing.LOWER_PRIORITY,
        borrow_threshold=threshold,
    )


def _borrow_within_cohort(fields: Fields) -> tuple[Borrowing, int | None]:
    policy = fields.choice("policy", Borrowing, Borrowing.NEVER)
    return policy, fields.maybe_priority("max_priority_threshold")


def _fungibility(fields: Fields) -> Fungibility:
    return Fungibility(
        when_can_borrow=fields.choice("when_can_borrow", WhenCan, WhenCan.MAY_STOP),
        when_can_preempt=fields.choice("when_can_preempt", WhenCan, WhenCan.TRY_NEXT),
        preference=fields.choice("preference", Preference, Preference.BORROWING_OVER_PREEMPTION),
    )
