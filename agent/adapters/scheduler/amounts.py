"""Kubernetes quantities as the core counts: integers, CPU in thousandths, everything else whole."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Any

from agent.adapters.kubernetes.quantities import parse_quantity

UNCOUNTED = 2**62  # what a node has of a resource that its manifest does not mention
ALWAYS_COUNTED = ("cpu", "memory", "ephemeral-storage")  # every node has them, whether its manifest says so or not


def amount(resource: str, quantity: Any, *, up: bool) -> int:
    """Rounded up for what is asked for, down for what there is."""
    number = parse_quantity(str(quantity)) * (1000 if resource == "cpu" else 1)
    return int(number.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def asked_for(requests: Mapping[str, Any]) -> dict[str, int]:
    return {resource: amount(resource, quantity, up=True) for resource, quantity in requests.items()}


def offered(allocatable: Mapping[str, Any]) -> dict[str, int]:
    there = {resource: amount(resource, quantity, up=False) for resource, quantity in allocatable.items()}
    return {**dict.fromkeys(ALWAYS_COUNTED, UNCOUNTED), **there}
