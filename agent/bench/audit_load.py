"""What is written to measure the log: records of incidents as the agent writes them, sealed as the agent seals them.

Ten records an incident, by a number alone: the same number is the same record, but for salt and time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from agent.adapters.ledger.sensitive import sensitive_places
from audit.errors import LogError
from audit.log import Log

STAGES = (
    "incident",
    "diagnosis",
    "proposal",
    "verdict",
    "approval_requested",
    "approval",
    "intent",
    "outcome",
    "verification",
    "incident_closed",
)
ACTOR = "agent"
NODES = 512
LINE = "NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, GPU has fallen off the bus."


def incident(number: int) -> str:
    """The incident of record `number`."""
    return f"i-{number // len(STAGES):07d}"


def evidence(number: int) -> dict[str, Any]:
    """The arguments of `Log.append` for record `number`."""
    kind, about = STAGES[number % len(STAGES)], incident(number)
    node = f"gpu-{number // len(STAGES) % NODES:03d}"
    payload: dict[str, Any] = {"incident": about, "target": f"node/{node}", "score": number % 100 / 100}
    attributes = {"incident": about, "target": f"node/{node}", "tenant": f"team-{number % 17}"}
    if kind in ("incident", "diagnosis"):
        payload["evidence"] = [{"signal": "xid", "code": 79, "node": node, "line": LINE}]
    elif kind == "approval":
        payload |= {"by": "alice", "reason": "its gang has stopped anyway"}
        attributes["approver"] = "alice"
    else:
        payload["steps"] = [{"action": "cordon", "on": node}, {"action": "drain", "on": node, "grace_s": 120}]
    return {
        "kind": kind,
        "actor": ACTOR,
        "attributes": attributes,
        "payload": payload,
        "unique_key": f"{about}/{kind}",
        "sealed": sensitive_places(kind, ACTOR, attributes, payload),
    }


def write(log: Log, evidences: Iterable[dict[str, Any]], callers: int) -> None:
    """Appends these, by so many callers who each wait for their record before they bring the next.

    Those who wait at the same moment share a commit: the number of callers is the size of the batch, up to what the
    writer takes at once.
    """
    left, taking, ended = iter(evidences), threading.Lock(), threading.Event()
    failures: list[LogError] = []

    def take() -> dict[str, Any] | None:
        with taking:
            return None if ended.is_set() else next(left, None)

    def call() -> None:
        try:
            for fields in iter(take, None):
                log.append(**fields)
        except LogError as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:  # whoever waits here may be told to end: the callers do not go on alone
        ended.set()
    if failures:
        raise failures[0]
