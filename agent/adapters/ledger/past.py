"""What was done, counted from the log's intents and outcomes: what cooldowns, windows and attempt caps rest on.

One executed action is one PastAction however many steps it took: its time is its first intent's, its outcome the one
recorded as final, and `unknown` until then (an action that runs, or died, counts like any other).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.history import History
from agent.domain.outcome import OutcomeState, PastAction

UNCOUNTED_ACTIONS = frozenset({"notify"})
"""Telling somebody changes nothing, so it uses up no allowance."""

COUNTED = ("intent", "outcome", "verification")
"""The kinds of record that say what was done."""

NOT_FOLDED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What a payload raises that is not as the agent writes it: a member or its form is missing, a time is none."""

_GANG_ACTIONS = frozenset({"requeue_gang", "deactivate_workload"})


_Place = tuple[datetime, int]
"""When it was, and which in the log's order."""


class PastActions:
    """Folds intents and outcomes in log order; to see one again changes nothing.

    They are kept in the order in which they are told, so that telling costs no more the longer the history is.
    """

    def __init__(self) -> None:
        self._by_proposal: dict[str, PastAction] = {}
        self._place: dict[str, _Place] = {}
        self._order: list[_Place] = []
        self._ordered: list[PastAction] = []  # of the same length

    def see(self, kind: str, at: datetime, payload: Mapping[str, Any], index: int) -> None:
        if payload.get("action") in UNCOUNTED_ACTIONS:
            return
        if kind == "verification":
            self._verified(at, payload)
        elif kind == "intent":
            if payload["proposal"] not in self._by_proposal:
                self._keep(payload["proposal"], _begun(at, payload))
        elif payload.get("history"):
            self._keep(f"history/{index}", _from_history(at, payload))
        elif payload.get("final"):
            before = self._by_proposal.get(payload["proposal"])
            if before:
                self._keep(before.proposal, _changed(before, {"outcome": payload["outcome"]}))

    def _verified(self, at: datetime, payload: Mapping[str, Any]) -> None:
        before = self._by_proposal.get(payload["proposal"])
        if before:
            seen = {"helped": bool(payload["helped"]), "verified_at": at}
            self._keep(before.proposal, _changed(before, seen))

    def since(self, moment: datetime, size: int) -> History:
        """Newest last; of one moment, in the order of the log. `size`: of how many records this is the past."""
        return History(self._ordered[bisect_left(self._order, (moment, -1)) :], moment, size)

    def _keep(self, name: str, action: PastAction) -> None:
        """What becomes of it later changes nothing about when it was. Its time has a zone: else it has no place."""
        self._by_proposal[name] = action
        place = self._place.get(name)
        if place is None:
            place = self._place[name] = (action.at, len(self._place))
            insort(self._order, place)
            self._ordered.insert(bisect_left(self._order, place), action)
        else:
            self._ordered[bisect_left(self._order, place)] = action


def _changed(before: PastAction, changes: Mapping[str, Any]) -> PastAction:
    """Made anew and not copied: a copy would bring along what was worked out of the one before."""
    return PastAction.model_construct(
        **{name: getattr(before, name) for name in PastAction.model_fields} | dict(changes)
    )


def _begun(at: datetime, payload: Mapping[str, Any]) -> PastAction:
    return PastAction(
        at=at,
        action=payload["action"],
        target=ObjectRef.model_validate(payload["target"]),
        parameters=payload.get("parameters") or {},
        outcome=OutcomeState.UNKNOWN.value,
        incident=payload["incident"],
        proposal=payload["proposal"],
        tenant=payload.get("tenant") or "",
        undo=bool(payload.get("undo")),
        **_touched(payload["blast_radius"]),
    )


def _from_history(at: datetime, payload: Mapping[str, Any]) -> PastAction:
    """An action that an earlier log or a scenario tells of: it says when it was, and may leave out what it touched."""
    target = ObjectRef.model_validate(payload["target"])
    return PastAction(
        at=parse_rfc3339(payload["at"]) if payload.get("at") else at,
        action=payload["action"],
        target=target,
        parameters=payload.get("parameters") or {},
        outcome=payload.get("outcome") or OutcomeState.SUCCEEDED.value,
        incident=payload.get("incident") or "",
        tenant=payload.get("tenant") or "",
        undo=bool(payload.get("undo")),
        **_touched(payload.get("blast_radius") or _implied(payload["action"], target)),
    )


def _implied(action: str, target: ObjectRef) -> dict[str, list[str]]:
    if target.kind == "Node":
        return {"nodes": [target.name]}
    return {"gangs" if action in _GANG_ACTIONS else "workloads": [str(target)]}


def _touched(blast_radius: Mapping[str, Any]) -> dict[str, Any]:
    named = {kind: tuple(blast_radius.get(kind) or ()) for kind in ("nodes", "gangs", "workloads")}
    return {**named, "gpus": blast_radius.get("gpus")}
