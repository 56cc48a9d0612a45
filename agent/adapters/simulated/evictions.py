"""How Kueue sends a gang back to its queue, in the words that it writes: conditions, reasons, events.

What makes it do so, and what becomes of the job, is the controllers' business.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import holds_quota, is_workload
from agent.adapters.simulated.keys import key_of
from agent.domain.base import parse_rfc3339
from agent.ports import JsonObject

NOT_READY = "Not all pods are ready or succeeded"
TARGET = "DeactivationTarget"  # says why it is about to be switched off, and has then done its work
REQUEUED_AT_ONCE = ("Preempted", "NodeFailures")  # the others wait for a switch, a queue or a back-off


def evict(
    control: Control,
    gang: JsonObject,
    reason: str,
    message: str,
    *,
    more: tuple[JsonObject, ...] = (),
    status: Mapping[str, Any] | None = None,
) -> None:
    """`more` are conditions beside the usual ones, `status` further fields. Said once: it holds no quota afterwards."""
    if holds_quota(gang) or not pods.holds(gang, "Evicted"):
        control.event(gang, "Normal", f"EvictedDueTo{reason}", message)
    current = control.get(key_of(gang)) or gang
    conditions = pods.with_conditions(current, control.now, *_said(current, reason, message), *more)
    conditions = [each for each in conditions if each["type"] != TARGET]
    control.patch(current, {"status": {"conditions": conditions, "admission": None, **(status or {})}})


def _said(gang: JsonObject, reason: str, message: str) -> list[JsonObject]:
    said = [
        pods.said("Evicted", True, reason, message),
        pods.said("QuotaReserved", False, "Pending", message),
        pods.said("Admitted", False, "NoReservation", "The workload has no reservation"),
        pods.said("PodsReady", False, "WaitForStart", NOT_READY),
    ]
    if is_workload(gang):
        said.append(pods.said("Requeued", reason in REQUEUED_AT_ONCE, reason, message))
    return said


def requeued(reason: str, message: str) -> JsonObject:
    return pods.said("Requeued", True, reason, message)


def forgotten(gang: JsonObject) -> list[JsonObject]:
    """Once it holds quota again, what sent it back is over."""
    found = (pods.condition(gang, kind) for kind in ("Evicted", "Preempted"))
    return [
        pods.said(each["type"], False, "QuotaReserved", f"Previously: {each.get('message', '')}")
        for each in found
        if each is not None and each.get("status") == "True"
    ]


def queued_at(gang: JsonObject, default: datetime) -> datetime:
    """Since when it stands in its queue: since it was sent back to it last, else since it was made."""
    said = pods.condition(gang, "Requeued") or {}
    since = said.get("lastTransitionTime") if said.get("status") == "True" else None
    since = since or gang["metadata"].get("creationTimestamp")
    return parse_rfc3339(str(since)) if since else default
