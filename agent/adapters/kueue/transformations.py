"""Resources that Kueue charges in place of, or beside, those that pods ask for (`resources.transformations`).

After Kueue's applyResourceTransformations (pkg/workload): each unit of the input makes so much of each output, times
what the pod asks of another resource where `multiplyBy` names one; outputs of one name add up, and never below zero. A
MIG slice may so be charged as so much memory of an accelerator. Nodes have no outputs: they are money, not hardware.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import parse_quantity

TRANSFORMATIONS_AT_MOST = 100  # Kueue's own validation allows 64
_STRATEGIES = ("Retain", "Replace")
_CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Transformation:
    input: str
    replaces: bool  # the input itself is then charged no more
    multiply_by: str
    outputs: tuple[tuple[str, Decimal], ...]  # of one unit of the input


def transformations(resources: Fields) -> tuple[Transformation, ...]:
    """Raises MalformedObject."""
    listed = resources.objects("transformations")
    if len(listed) > TRANSFORMATIONS_AT_MOST:
        raise resources.wrong("transformations", f"more than {TRANSFORMATIONS_AT_MOST}")
    found = tuple(_transformation(each) for each in listed)
    if len({each.input for each in found}) < len(found):
        raise resources.wrong("transformations", "one input comes twice")
    return found


def _transformation(at: Fields) -> Transformation:
    strategy = at.text("strategy") or "Retain"
    if strategy not in _STRATEGIES:
        raise at.wrong("strategy", f"expected one of {', '.join(_STRATEGIES)}, found {strategy!r}")
    outputs = at.within("outputs")
    made = tuple((name, _factor(outputs, name)) for name in sorted(outputs.values))
    return Transformation(at.required_text("input"), strategy == "Replace", at.text("multiplyBy"), made)


def _factor(outputs: Fields, name: str) -> Decimal:
    told = outputs.values[name]
    try:
        return parse_quantity(str(told))
    except ValueError:
        raise outputs.wrong(name, f"expected a quantity, found {told!r}") from None


def generated(requests: Mapping[str, int], by: Sequence[Transformation]) -> dict[str, int]:
    """What these requests of one pod are charged besides, in the core's units, rounded up."""
    total: dict[str, Decimal] = {}
    for each in by:
        if each.input not in requests:
            continue
        units = _units(each.input, requests[each.input])
        if each.multiply_by in requests:
            units *= _units(each.multiply_by, requests[each.multiply_by])
        for name, factor in each.outputs:
            total[name] = total.get(name, Decimal(0)) + units * factor
    told = {name: max(Decimal(0), amount) * (1000 if name == _CPU else 1) for name, amount in sorted(total.items())}
    return {name: int(amount.to_integral_value(ROUND_CEILING)) for name, amount in told.items()}


def _units(resource: str, amount: int) -> Decimal:
    return Decimal(amount) / (1000 if resource == _CPU else 1)
