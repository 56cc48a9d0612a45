"""What the log's `level_changed` records come to: the last word on each class, the freeze, the breaker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.domain.standing import ANY_TENANT, Change, ClassLevel, Level, Standing


class StandingFold:
    """Folds `level_changed` payloads in log order; to see one again changes nothing."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], ClassLevel] = {}
        self._restored: dict[tuple[str, str], datetime] = {}
        self._wrong: set[str] = set()
        self._frozen_at: datetime | None = None
        self._tripped_at: datetime | None = None
        self._reset_at: datetime | None = None

    def see(self, at: datetime, payload: Mapping[str, Any]) -> None:
        change = Change(payload["change"])
        match change:
            case Change.GRANTED | Change.DEMOTED:
                known = ClassLevel(
                    action=payload["action"],
                    tenant=payload.get("tenant") or ANY_TENANT,
                    level=Level(payload["to"]),
                    change=change,
                    upon=Level(payload["from"]) if change is Change.GRANTED else None,
                    at=at,
                )
                self._levels[known.action, known.tenant] = known
            case Change.WITHDRAWN:
                key = (payload["action"], payload.get("tenant") or ANY_TENANT)
                self._levels.pop(key, None)
                self._restored[key] = at
            case Change.WRONG:
                self._wrong.add(payload["proposal"])
            case Change.FROZEN:
                self._frozen_at = self._frozen_at or at
            case Change.THAWED:
                self._frozen_at = None
            case Change.BREAKER_TRIPPED:
                self._tripped_at = self._tripped_at or at
            case Change.BREAKER_RESET:
                self._tripped_at, self._reset_at = None, at

    def standing(self) -> Standing:
        return Standing(
            levels=tuple(self._levels[key] for key in sorted(self._levels)),
            frozen_at=self._frozen_at,
            frozen_by="log" if self._frozen_at else "",
            breaker_tripped_at=self._tripped_at,
            breaker_reset_at=self._reset_at,
            wrong=frozenset(self._wrong),
            restored=tuple((*key, self._restored[key]) for key in sorted(self._restored)),
        )
