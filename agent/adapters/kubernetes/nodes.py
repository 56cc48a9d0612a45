"""A Node, and the two small nouns beside it: a namespace's annotations and a disruption budget."""

import math
from collections.abc import Iterable

from agent.adapters.kubernetes.conditions import conditions_of
from agent.adapters.kubernetes.fields import Fields, ref_of
from agent.adapters.kubernetes.quantities import GPU, parse_quantity, quantities
from agent.domain.cluster import Disruption, Node, Pod


def node_of(root: Fields) -> Node:
    metadata, spec, status = root.within("metadata"), root.within("spec"), root.within("status")
    allocatable = quantities(status, "allocatable" if status.has("allocatable") else "capacity")
    return Node(
        name=metadata.required_text("name"),
        uid=metadata.text("uid"),
        labels=metadata.strings("labels"),
        annotations=metadata.strings("annotations"),
        gpus=int(parse_quantity(allocatable.get(GPU, "0"))),
        unschedulable=spec.boolean("unschedulable", False),
        conditions=conditions_of(status),
        taints=tuple(_taint(t) for t in spec.objects("taints")),
        allocatable=allocatable,
        created_at=metadata.moment("creationTimestamp"),
    )


def disruption_of(root: Fields, pods: Iterable[Pod]) -> Disruption:
    """What the budget's controller says; where it has said nothing yet, what it would say of these pods."""
    ref, spec, status = ref_of(root), root.within("spec"), root.within("status")
    selector = spec.within("selector").strings("matchLabels")
    allowed = status.integer("disruptionsAllowed", -1)
    if allowed < 0:
        chosen = [p for p in pods if p.ref.namespace == ref.namespace and selector.items() <= dict(p.labels).items()]
        allowed = max(0, sum(p.ready for p in chosen) - _must_stay(spec, len(chosen)))
    return Disruption(ref=ref, selector=selector, disruptions_allowed=allowed)


def _must_stay(spec: Fields, total: int) -> int:
    if spec.has("maxUnavailable"):
        return total - _share(spec, "maxUnavailable", total)
    return _share(spec, "minAvailable", total) if spec.has("minAvailable") else total


def _share(spec: Fields, field: str, total: int) -> int:
    """A count, or a percentage of `total` rounded up, as the budget's controller rounds both."""
    value = spec.values[field]
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal() and len(value) <= 4:
        return math.ceil(total * int(value[:-1]) / 100)
    if isinstance(value, str) and value.isdecimal() and len(value) <= 9:
        return int(value)
    return spec.integer(field, 0)


def _taint(taint: Fields) -> dict[str, str]:
    entry = {"key": taint.text("key"), "value": taint.text("value"), "effect": taint.text("effect")}
    return {name: text for name, text in entry.items() if text}
