"""How an executed action may end (the log's `outcome` records), whether it helped, and what the log remembers of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from agent.domain.base import Noun, rfc3339
from agent.domain.cluster import ObjectRef


class OutcomeState(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class Foreseen(Noun):
    """One effect that was predicted, and what came of it."""

    kind: Literal["start", "stop", "gpus", "service"]
    effect: str
    came: Literal["kept", "missed", "unknown"]
    reason: str


class Verification(Noun):
    """The action's own success test, run until it holds or its time is over; and what came of the prediction."""

    proposal: str
    helped: bool
    statement: str
    foreseen: tuple[Foreseen, ...] = ()


class PastAction(Noun):
    """One executed action as the log remembers it: what cooldowns, windows and attempt caps count."""

    at: datetime
    action: str
    target: ObjectRef
    parameters: dict[str, object] = {}
    outcome: str
    incident: str
    proposal: str = ""
    tenant: str = ""
    nodes: tuple[str, ...] = ()
    gangs: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    gpus: int | None = None  # of what was stopped; None where an earlier log does not say
    undo: bool = False
    helped: bool | None = None  # what its verification said; None while there is none
    verified_at: datetime | None = None

    @property
    def for_policies(self) -> dict[str, Any]:
        """Never kept in the object: a copy with another outcome would take it along. A policy counts what was done;
        whether it helped is the playbooks' concern."""
        shown = self.json_object()
        for key in ("helped", "verified_at"):
            shown.pop(key)
        return {**shown, "at": rfc3339(self.at), "target": self.target.json_object()}
