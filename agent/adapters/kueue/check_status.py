"""What the check writes: the entries of ours in a workload's status, and whether a check is at work. Pure.

A server-side apply takes away what its manager wrote before and does not write again: so each write names all checks
of ours of that workload.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.adapters.kueue.check_policy import Verdict
from agent.adapters.kueue.waiting import Reserved
from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import JsonObject
from scheduler_core.requeue import Backoff

STATES = {"allow": "Ready", "hold": "Pending", "retry": "Retry", "reject": "Rejected"}
MESSAGE_AT_MOST = 1024  # characters; Kueue repeats it in events, which take no more
RETRY_AT_MOST_S = 3600
ACTIVE = ("True", "Watching", "Workloads are checked by the policies of watchkeeper")
UNSERVED = (
    "False",
    "ParametersNotSupported",
    "This check takes no parameters: who waits for it is not answered",
)

Entry = dict[str, Any]


def entry(check: str, verdict: Verdict, reserved: Reserved, now: datetime) -> Entry:
    """As it should read. The time changes only with the state."""
    before = reserved.told.get(check, {})
    state = STATES[verdict.decision]
    same = before.get("state") == state and before.get("lastTransitionTime")
    made: Entry = {
        "name": check,
        "state": state,
        "message": _message(verdict),
        "lastTransitionTime": before["lastTransitionTime"] if same else _moment(now),
    }
    if verdict.requeue_after_s is not None:
        made["requeueAfterSeconds"] = _after_s(verdict.requeue_after_s, before.get("retryCount"))
    return made


def is_told(made: Entry, reserved: Reserved) -> bool:
    """Does its status say so already?"""
    before = reserved.told.get(made["name"], {})
    return all(before.get(key) == made.get(key) for key in ("state", "message", "requeueAfterSeconds"))


def workload_status(reserved: Reserved, entries: list[Entry]) -> JsonObject:
    """For the status subresource; of no other version of the object than the one that was judged."""
    metadata = {"name": reserved.ref.name, "namespace": reserved.ref.namespace, "uid": reserved.uid}
    if reserved.version:
        metadata["resourceVersion"] = reserved.version
    return {
        "apiVersion": reserved.ref.api_version,
        "kind": reserved.ref.kind,
        "metadata": metadata,
        "status": {"admissionChecks": entries},
    }


def check_status(ref: ObjectRef, generation: int, said: Mapping[str, Any] | None, now: datetime) -> JsonObject | None:
    """The condition that makes queues with this check take workloads; None where it is there."""
    status = ACTIVE[0]
    if said is not None and said.get("status") == status and said.get("observedGeneration") == generation:
        return None
    since = said.get("lastTransitionTime") if said is not None and said.get("status") == status else None
    return _condition(ref, generation, ACTIVE, since or _moment(now))


def unserved_status(
    ref: ObjectRef, generation: int, said: Mapping[str, Any] | None, now: datetime
) -> JsonObject | None:
    """The one that stops them, of a check that was served before; None where no queue takes any for it."""
    if said is None or said.get("status") != ACTIVE[0]:
        return None
    return _condition(ref, generation, UNSERVED, _moment(now))


def _condition(ref: ObjectRef, generation: int, says: tuple[str, str, str], since: str) -> JsonObject:
    status, reason, message = says
    condition = {
        "type": "Active",
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name},
        "status": {"conditions": [condition]},
    }


def _moment(now: datetime) -> str:
    """In whole seconds, as Kubernetes keeps times: what Kueue writes back is then what we wrote."""
    return rfc3339(now.replace(microsecond=0))


def _message(verdict: Verdict) -> str:
    told = "; ".join(f"{each['message']} ({each['code']})" for each in verdict.reasons)
    return told if len(told) <= MESSAGE_AT_MOST else told[: MESSAGE_AT_MOST - 1] + "…"


def _after_s(first_s: int, retries: object) -> int:
    """Twice as long each time."""
    before = retries if isinstance(retries, int) and not isinstance(retries, bool) and retries >= 0 else 0
    return int(Backoff(base_s=first_s, cap_s=max(first_s, RETRY_AT_MOST_S)).delay_s(before + 1))
