"""What the log says for and against each action class, gathered for `policy levels`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.cli.house import House
from agent.domain.approval import RequestState
from agent.domain.standing import ANY_TENANT, Change, Level, Standing
from agent.evidence.trust import (
    Promotion,
    Refused,
    Trials,
    configured,
    demotions,
    effective,
    promotions,
    trials_of,
    window_start,
)


@dataclass(frozen=True, slots=True)
class ClassTold:
    """One row: a class, where it stands, and what its outcomes say."""

    action: str
    tenant: str
    files: Level
    now: Level
    change: str
    trials: Trials | None
    promotion: Promotion | None
    losing: str

    def told(self) -> str:
        parts = [self.change, f"{self.losing}: it loses level act with the next decision" if self.losing else ""]
        if self.trials is not None:
            good, bad = self.trials.succeeded, self.trials.failed
            parts.append(f"{good} helped, {bad} did not; the rate is at least {self.trials.bound:.2f}")
        if self.promotion is not None:
            lacks = "; ".join(self.promotion.lacks)
            parts.append(f"for act it lacks {lacks}" if lacks else "act may be granted: policy levels grant")
        return "; ".join(filter(None, parts))

    def as_json(self) -> dict[str, Any]:
        trials, proposed = self.trials, self.promotion
        return {
            "action": self.action,
            "tenant": self.tenant,
            "files": self.files.value,
            "level": self.now.value,
            "change": self.change or None,
            "losing": self.losing or None,
            "succeeded": trials.succeeded if trials else 0,
            "failed": trials.failed if trials else 0,
            "bound": round(trials.bound, 4) if trials else 0.0,
            "promotion": {"to": proposed.to.value, "lacks": list(proposed.lacks)} if proposed else None,
        }


def classes(house: House, limits: Mapping[str, Any], standing: Standing, now: datetime) -> list[ClassTold]:
    """Every class with outcomes, a grant or a demotion, by action and tenant."""
    trials = {(each.action, each.tenant): each for each in _trials(house, limits, standing, now)}
    raised = {(p.trials.action, p.trials.tenant): p for p in promotions(list(trials.values()), limits, standing, now)}
    history = house.ledger.past_actions(window_start(limits, now))
    losing = {(d.action, d.tenant): d.reason for d in demotions(history, limits, standing, now)}
    names = sorted({*trials, *((each.action, each.tenant) for each in standing.levels)})
    return [
        ClassTold(
            *name,
            configured(limits, *name),
            effective(limits, standing, *name),
            _change(standing, *name),
            trials.get(name),
            raised.get(name),
            losing.get(name, ""),
        )
        for name in names
    ]


def proposed(house: House, limits: Mapping[str, Any], action: str, tenant: str, now: datetime) -> list[Promotion]:
    """What the evidence says of each class that would be granted, each by its own outcomes alone.

    Without a tenant these are all tenants that the action was done for, by name: what one tenant's outcomes carry says
    nothing of another's. Only what was never done for a tenant is granted for all of them.
    """
    standing = house.ledger.standing()
    mine = [each for each in _trials(house, limits, standing, now) if each.action == action]
    of_tenants = [each for each in mine if each.tenant != ANY_TENANT]
    asked = [each for each in mine if each.tenant == tenant] if tenant != ANY_TENANT else of_tenants or mine
    return promotions(asked, limits, standing, now)


def _trials(house: House, limits: Mapping[str, Any], standing: Standing, now: datetime) -> list[Trials]:
    since = window_start(limits, now)
    rejected = [
        Refused(request.decided_at or request.requested_at, request.proposal.action, request.proposal.tenant)
        for request in house.store.desk.listed(since=since)
        if request.state is RequestState.REJECTED
    ]
    return trials_of(house.ledger.past_actions(since), rejected, standing, since)


def _change(standing: Standing, action: str, tenant: str) -> str:
    known = standing.of(action, tenant)
    if known is None:
        return ""
    return f"{'granted' if known.change is Change.GRANTED else 'lost'} {known.at:%Y-%m-%d}"
