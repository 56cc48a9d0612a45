"""ClusterQueues and Cohorts in the core's words. The objects come in v1beta2's words (versions.py)."""

from fractions import Fraction

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import parse_quantity
from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.kueue.words import counted, texts, word
from agent.adapters.scheduler.shapes import priority
from scheduler_core.quota import (
    Cohort,
    Fungibility,
    Policy,
    PreemptionRules,
    Preference,
    Queue,
    Quota,
    StopPolicy,
    Strategy,
    WhenCan,
)

CLUSTER_QUEUE = "ClusterQueue/"  # what the core's names of Kueue's queues begin with
STOPPED = "Stopped"  # why a ClusterQueue is inactive when its stop policy says so


def cluster_queue(root: Fields, rules: KueueRules = KINDLY) -> Queue:
    spec = root.within("spec")
    checks = checks_of(spec)
    return Queue(
        name=CLUSTER_QUEUE + root.within("metadata").required_text("name"),
        quotas=_charged(spec, rules),
        cohort=spec.text("cohortName") or None,
        strategy=word(spec, "queueingStrategy", Strategy, Strategy.BEST_EFFORT_FIFO),
        stop_policy=word(spec, "stopPolicy", StopPolicy, StopPolicy.NONE),
        undeclared=rules.undeclared,
        overlooked=rules.uncharged,
        preemption=_preemption(spec.within("preemption")),
        fungibility=_fungibility(spec.within("flavorFungibility")),
        weight=_weight(spec),
        checks=tuple(checks),
        check_flavors={name: flavors for name, flavors in checks.items() if flavors},
    )


def cohort(root: Fields, rules: KueueRules = KINDLY) -> Cohort:
    spec = root.within("spec")
    return Cohort(
        name=root.within("metadata").required_text("name"),
        parent=spec.text("parentName") or None,
        quotas=_charged(spec, rules),
        weight=_weight(spec),
    )


def checks_of(spec: Fields) -> dict[str, frozenset[str]]:
    """The admission checks of a ClusterQueue, each with the flavors that it is for; with none it is for all."""
    rules = spec.within("admissionChecksStrategy").objects("admissionChecks")
    return {each.required_text("name"): frozenset(texts(each, "onFlavors")) for each in rules}


def inactive(root: Fields) -> str | None:
    """Why Kueue lets nobody in there, other than by its stop policy, as its status says."""
    if root.within("metadata").has("deletionTimestamp"):
        return "it is being deleted"
    said = find(conditions_of(root.within("status")), "Active", "False")
    return None if said is None or said.reason == STOPPED else f"{said.reason}: {said.message}"


def quotas(spec: Fields) -> tuple[Quota, ...]:
    flavors = [flavor for group in spec.objects("resourceGroups") for flavor in group.objects("flavors")]
    named = [(each.required_text("name"), each.objects("resources")) for each in flavors]
    return tuple(_quota(name, resource) for name, resources in named for resource in resources)


def _charged(spec: Fields, rules: KueueRules) -> tuple[Quota, ...]:
    """A quota of what nobody is charged is one that nobody uses."""
    return tuple(each for each in quotas(spec) if not each.resource.startswith(rules.uncharged))


def _quota(flavor: str, at: Fields) -> Quota:
    resource = at.required_text("name")
    return Quota(
        flavor=flavor,
        resource=resource,
        nominal=counted(at, "nominalQuota", resource) or 0,
        borrowing_limit=counted(at, "borrowingLimit", resource),
        lending_limit=counted(at, "lendingLimit", resource),
    )


def _fungibility(at: Fields) -> Fungibility:
    return Fungibility(
        when_can_borrow=word(at, "whenCanBorrow", WhenCan, WhenCan.MAY_STOP),
        when_can_preempt=word(at, "whenCanPreempt", WhenCan, WhenCan.TRY_NEXT),
        preference=word(at, "preference", Preference, Preference.BORROWING_OVER_PREEMPTION),
    )


def _preemption(at: Fields) -> PreemptionRules:
    borrow = at.within("borrowWithinCohort")
    threshold = borrow.values.get("maxPriorityThreshold")
    return PreemptionRules(
        within_queue=word(at, "withinClusterQueue", Policy, Policy.NEVER),
        reclaim=word(at, "reclaimWithinCohort", Policy, Policy.NEVER),
        borrow=borrow.text("policy") == Policy.LOWER_PRIORITY,
        borrow_threshold=None if threshold is None else priority(threshold),
    )


def _weight(spec: Fields) -> Fraction:
    at = spec.within("fairSharing")
    told = at.values.get("weight")
    try:
        return Fraction(1 if told is None else parse_quantity(str(told)))
    except ValueError:
        raise at.wrong("weight", f"expected a quantity, found {told!r}") from None
