"""What the log's `level_changed` records come to: the last word on each class, the freeze, the breaker.

What is said of a whole action is said of each of its tenants: a demotion of all ends their grants, and a restoring of
all their demotions. A record that is not understood may have been a freeze, so it counts as one, until a person thaws.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.domain.standing import ANY_TENANT, Change, ClassLevel, Level, Standing, WrongAction

NOT_UNDERSTOOD = "a record that is not understood"


class StandingFold:
    """Folds `level_changed` payloads in log order; to see one again changes nothing."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], ClassLevel] = {}
        self._restored: dict[tuple[str, str], datetime] = {}
        self._wrong: dict[str, WrongAction] = {}
        self._frozen_at: datetime | None = None
        self._frozen_by = ""
        self._tripped_at: datetime | None = None
        self._reset_at: datetime | None = None
        self._told: Standing | None = None  # as long as nothing else was seen

    def see(self, at: datetime, payload: Any) -> None:
        self._told = None
        try:
            self._take(at, payload)
        except (KeyError, ValueError, TypeError, AttributeError):
            self._freeze(at, NOT_UNDERSTOOD)

    def _take(self, at: datetime, payload: Mapping[str, Any]) -> None:
        match Change(payload["change"]):
            case Change.GRANTED:
                self._set(_granted(payload, at))
            case Change.DEMOTED:
                self._demote(_demoted(payload, at))
            case Change.LAPSED:
                self._levels.pop(_class(payload), None)
            case Change.WITHDRAWN:
                self._restore(*_class(payload), at)
            case Change.WRONG:
                wrong = _wrong(payload, at)
                self._wrong.setdefault(wrong.proposal, wrong)
            case Change.FROZEN:
                self._freeze(at, "log")
            case Change.THAWED:
                self._frozen_at, self._frozen_by = None, ""
            case Change.BREAKER_TRIPPED:
                self._tripped_at = self._tripped_at or at
            case Change.BREAKER_RESET:
                self._tripped_at, self._reset_at = None, at

    def _set(self, known: ClassLevel) -> None:
        self._levels[known.action, known.tenant] = known

    def _demote(self, known: ClassLevel) -> None:
        """A demotion never raises: anybody may demote, and only some may raise. What was lost deeper stays lost."""
        if known.tenant == ANY_TENANT:
            for key, each in [(key, each) for key, each in self._levels.items() if key[0] == known.action]:
                if each.change is Change.GRANTED:
                    del self._levels[key]
                else:
                    self._set(_at_most(each, known))
        for tenant in (ANY_TENANT, known.tenant):
            lost = self._levels.get((known.action, tenant))
            if lost is not None and lost.change is Change.DEMOTED:
                known = _at_most(known, lost)
        self._set(known)

    def _restore(self, action: str, tenant: str, at: datetime) -> None:
        for key in [key for key in self._levels if key[0] == action and tenant in (ANY_TENANT, key[1])]:
            del self._levels[key]
            self._restored[key] = at
        self._restored[action, tenant] = at

    def _freeze(self, at: datetime, by: str) -> None:
        if self._frozen_at is None:
            self._frozen_at, self._frozen_by = at, by

    def standing(self) -> Standing:
        if self._told is None:
            self._told = self._folded()
        return self._told

    def _folded(self) -> Standing:
        return Standing(
            levels=tuple(self._levels[key] for key in sorted(self._levels)),
            frozen_at=self._frozen_at,
            frozen_by=self._frozen_by,
            breaker_tripped_at=self._tripped_at,
            breaker_reset_at=self._reset_at,
            wrong=tuple(self._wrong[proposal] for proposal in sorted(self._wrong)),
            restored=tuple((*key, self._restored[key]) for key in sorted(self._restored)),
        )


def _at_most(known: ClassLevel, other: ClassLevel) -> ClassLevel:
    return known.model_copy(update={"level": min(known.level, other.level, key=lambda level: level.rank)})


def _granted(payload: Mapping[str, Any], at: datetime) -> ClassLevel:
    """Raises ValueError for what no person could have granted: another step, nobody's name, no evidence."""
    upon, to = Level(payload["from"]), Level(payload["to"])
    if (upon, to) != (Level.ACT_WITH_APPROVAL, Level.ACT) or not payload["by"] or not payload["evidence"]:
        raise ValueError("a grant is from act_with_approval to act, by a person, on evidence")
    action, tenant = _class(payload)
    return ClassLevel(action=action, tenant=tenant, level=to, change=Change.GRANTED, upon=upon, at=at)


def _demoted(payload: Mapping[str, Any], at: datetime) -> ClassLevel:
    action, tenant = _class(payload)
    return ClassLevel(action=action, tenant=tenant, level=Level(payload["to"]), change=Change.DEMOTED, at=at)


def _wrong(payload: Mapping[str, Any], at: datetime) -> WrongAction:
    action, tenant = _class(payload)
    return WrongAction(proposal=payload["proposal"], action=action, tenant=tenant, at=at)


def _class(payload: Mapping[str, Any]) -> tuple[str, str]:
    return str(payload["action"]), _tenant(payload)


def _tenant(payload: Mapping[str, Any]) -> str:
    return str(payload.get("tenant") or ANY_TENANT)
