"""Node conditions: which ones are worth a signal, which status of each is bad, and when one has changed.

A condition that merely stays as it was is no news, so the look before is an argument.
"""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from agent.adapters.inbound.delivery import Malformed, signal
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.wire import Moment, Wire, check_name, cut, read
from agent.adapters.kubernetes.fields import Fields, MalformedObject
from agent.adapters.kubernetes.nodes import node_of
from agent.domain.base import rfc3339
from agent.domain.cluster import Condition, Node
from agent.domain.signal import ConditionBody, Signal

SOURCE = "kubernetes/nodes"

BAD_STATUSES: Mapping[str, tuple[str, ...]] = {
    "Ready": ("False", "Unknown"),  # Unknown: the kubelet has not been heard of
    "AcceleratedHardwareReady": ("False",),
    "SysLogsXIDError": ("True",),
    "GpuMemWatch": ("True",),
    "GpuThermalMarginWatch": ("True",),
    "KernelDeadlock": ("True",),
    "ReadonlyFilesystem": ("True",),
}
_GOOD_STATUS = {"Ready": "True", "AcceleratedHardwareReady": "True"}  # of the others: False


class NodeCondition(Wire):
    node: str = Field(min_length=1)
    condition: str = Field(min_length=1)
    status: str = Field(min_length=1)
    reason: str = ""
    message: str = ""
    since: Moment = Field(default=None, alias="lastTransitionTime")


def changed_conditions(before: Node | None, after: Node, seen_at: datetime, limits: Limits = LIMITS) -> list[Signal]:
    """Of a node that is new, only what is bad; else what differs from before."""
    known = {c.type: c.status for c in before.conditions} if before and before.uid == after.uid else {}
    signals = []
    for condition in after.conditions:
        found = _signal(after.name, condition, seen_at, limits)
        changed = known.get(condition.type) != condition.status
        if found and changed and (condition.type in known or not _is_healthy(condition)):
            signals.append(found)
    return signals


def read_condition(document: object, received_at: datetime, limits: Limits = LIMITS) -> list[Signal]:
    """One condition sent by itself: {node, condition, status, reason, message, lastTransitionTime}."""
    said = read(NodeCondition, document)
    check_name("node", said.node, limits)
    condition = Condition(said.condition, said.status, said.reason, said.message, said.since)
    found = _signal(said.node, condition, received_at, limits)
    return [found] if found else []


def read_node(document: object, received_at: datetime, limits: Limits = LIMITS) -> list[Signal]:
    """The bad conditions of a Node object."""
    try:
        node = node_of(Fields.of(document))
    except MalformedObject as error:
        raise Malformed(error.field, error.reason) from error
    check_name("metadata.name", node.name, limits)
    return changed_conditions(None, node, received_at, limits)


def _signal(node: str, condition: Condition, seen_at: datetime, limits: Limits) -> Signal | None:
    """None for a condition that is none of ours, or whose status says neither."""
    if condition.type not in BAD_STATUSES:
        return None
    healthy = _is_healthy(condition)
    if not healthy and condition.status not in BAD_STATUSES[condition.type]:
        return None
    body = ConditionBody(
        node=node,
        condition=condition.type,
        status=condition.status,
        reason=cut(condition.reason, limits),
        message=cut(condition.message, limits),
        healthy=healthy,
    )
    time = condition.since or seen_at
    return signal(SOURCE, f"{node}:{condition.type}:{condition.status}:{rfc3339(time)}", f"Node/{node}", time, body)


def _is_healthy(condition: Condition) -> bool:
    return condition.status == _GOOD_STATUS.get(condition.type, "False")
