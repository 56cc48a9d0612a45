"""What a Workload says beyond its pods: where they are to stand, what it was let in with, its gates and checks.

The object comes in v1beta2's words (versions.py). Each function reads one thing and raises MalformedObject for it, so
that whoever asks can go on with the rest.
"""

from collections.abc import Iterator

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kueue.words import whole, word
from scheduler_core.state import CheckState, DomainCount
from scheduler_core.topologies import Mode, Slice, TopologyRequest

GATED_BY = "kueue.x-k8s.io/admission-gated-by"
DOMAINS_AT_MOST = 100_000  # of one pod set: as many as pods that a workload may have; more is a typing error
_OPEN = "Open"


def topology_requests(root: Fields) -> dict[str, TopologyRequest]:
    """By pod set; those that ask for none are left out."""
    found = {}
    for index, each in enumerate(root.within("spec").objects("podSets")):
        asked = (
            _request(each.within("topologyRequest"), each.integer("count", 1)) if each.has("topologyRequest") else None
        )
        if asked is not None:
            found[each.text("name") or ("main" if index == 0 else f"set-{index}")] = asked
    return found


def _request(at: Fields, count: int) -> TopologyRequest | None:
    slices = _slices(at, count)
    group = at.text("podSetGroupName") or None
    for field, mode in (("required", Mode.REQUIRED), ("preferred", Mode.PREFERRED)):
        if at.has(field):
            return TopologyRequest(mode=mode, level=at.required_text(field), slices=slices, group=group)
    if slices or at.has("unconstrained"):
        return TopologyRequest(slices=slices, group=group)
    return None if group is None else TopologyRequest(group=group, explicit=False)


def _slices(at: Fields, count: int) -> tuple[Slice, ...]:
    layers = at.objects("podsetSliceRequiredTopologyConstraints")
    if layers:
        return tuple(Slice(each.required_text("topology"), each.integer("size", count)) for each in layers)
    level = at.text("podSetSliceRequiredTopology")
    return (Slice(level, at.integer("podSetSliceSize", count)),) if level else ()


def domains(assignment: Fields) -> tuple[DomainCount, ...]:
    """Where the pods of an admitted pod set were placed; empty without a topology."""
    slices = assignment.within("topologyAssignment").objects("slices")
    if sum(each.integer("domainCount", 0) for each in slices) > DOMAINS_AT_MOST:
        raise assignment.wrong("topologyAssignment", f"more than {DOMAINS_AT_MOST} domains")
    return tuple(found for each in slices for found in _domains_in(each))


def _domains_in(packed: Fields) -> Iterator[DomainCount]:
    levels, counts = packed.objects("valuesPerLevel"), packed.within("podCounts")
    for index in range(packed.integer("domainCount", 0)):
        values = tuple(_value(level, index) for level in levels)
        if counts.has("universal"):
            yield DomainCount(values, counts.integer("universal", 0))
        else:
            yield DomainCount(values, int(_at(counts, "individual", index)))


def _value(level: Fields, index: int) -> str:
    if level.has("universal"):
        return level.text("universal")
    each = level.within("individual")
    return f"{each.text('prefix')}{_at(each, 'roots', index)}{each.text('suffix')}"


def _at(fields: Fields, field: str, index: int) -> str | int:
    listed = fields.values.get(field)
    value = listed[index] if isinstance(listed, list) and index < len(listed) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise fields.wrong(f"{field}[{index}]", "missing")
    return value


def usage(assignment: Fields) -> dict[str, int]:
    """What the pod set was charged, all of its pods together; empty where it is not said."""
    told = assignment.within("resourceUsage")
    return {name: whole(told, name, name, value, up=True) for name, value in told.values.items()}


def reclaimable(status: Fields) -> dict[str, int]:
    """Pods of each set that are done and give their quota back before the others are."""
    return {each.required_text("name"): each.integer("count", 0) for each in status.objects("reclaimablePods")}


def unhealthy_nodes(status: Fields) -> frozenset[str]:
    return frozenset(each.required_text("name") for each in status.objects("unhealthyNodes"))


def check_states(status: Fields) -> dict[str, CheckState]:
    return {
        each.required_text("name"): word(each, "state", CheckState, CheckState.PENDING)
        for each in status.objects("admissionChecks")
    }


def gates(root: Fields) -> frozenset[str]:
    """Who has yet to lift the gate before it is looked at (KEP-6915)."""
    told = root.within("metadata").strings("annotations").get(GATED_BY, "")
    return frozenset(told.split(",")) if told else frozenset()


def preemption_gates(root: Fields) -> frozenset[str]:
    """The closed ones (KEP-8303); one of which the status says nothing is closed."""
    status = {each.text("name"): each.text("position") for each in root.within("status").objects("preemptionGates")}
    named = (each.required_text("name") for each in root.within("spec").objects("preemptionGates"))
    return frozenset(name for name in named if status.get(name) != _OPEN)


def is_on_hold(status: Fields) -> bool:
    """Its job wants it to wait without quota, such as a StatefulSet of no pods: Kueue does not put it into its line."""
    said = find(conditions_of(status), "QuotaReserved", "False")
    return said is not None and said.reason == "OnHold"
