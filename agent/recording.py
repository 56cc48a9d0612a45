"""Record once, or recall: how a stage that runs again after a crash comes to the same answer as before.

The log is the authority. What a stage has recorded under a unique key stands; the computation is only run when nothing
is there yet.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from agent.domain.cluster import ObjectRef
from agent.ports import AlreadyRecorded, Fault, JsonObject, Ledger, Notifier


def once(
    ledger: Ledger,
    kind: str,
    unique_key: str,
    compute: Callable[[], JsonObject],
    attributes: Callable[[JsonObject], Mapping[str, str]],
) -> JsonObject:
    """The payload that stands under `unique_key`. Raises LedgerUnavailable when it cannot be made durable."""
    standing = ledger.find(unique_key)
    if standing is not None:
        return standing
    payload = compute()
    try:
        ledger.record(kind, payload, unique_key=unique_key, attributes=attributes(payload))
    except AlreadyRecorded as taken:
        return taken.payload
    return payload


def call(
    notifier: Notifier, ledger: Ledger, subject: ObjectRef, message: str, *, key: str, audience: str = "oncall"
) -> None:
    """Calls the person on duty, once for each key, where no proposal can be judged or none would be made: the agent
    itself is blind. It changes nothing, so no policy is passed by; what was said is on the record. So is what others
    have to be told before anything is done."""
    if ledger.find(f"notice:{key}") is not None:
        return
    tell(notifier, ledger, audience, subject, message, key=key)
    payload = {"target": subject.json_object(), "audience": audience, "message": message}
    with suppress(AlreadyRecorded):
        ledger.record("notice", payload, unique_key=f"notice:{key}", attributes={"target": str(subject)})


def tell(notifier: Notifier, ledger: Ledger, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
    """Tells somebody. That they could not be told is recorded, and stops nothing."""
    try:
        notifier.notify(audience, subject, message, key=key)
    except Fault as fault:
        failure = {"audience": audience, "target": subject.json_object(), "message": message, "reason": str(fault)}
        with suppress(AlreadyRecorded):
            ledger.record("notification_failed", failure, unique_key=f"notification_failed:{key}")
