"""Earned autonomy as arithmetic: how often an action class did what it should, and what follows from that.

A class is an action and a tenant. What was executed and helped is a success; what failed, did not help or was called
wrong by a person is a failure, and so is a proposal that a person rejected. The bound is Wilson's lower one (E. B.
Wilson, "Probable Inference", JASA 22, 1927), which is cautious where there is little to go by. A promotion is only
ever proposed; a demotion follows by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

from agent.domain.duration import parse_duration
from agent.domain.outcome import OutcomeState, PastAction
from agent.domain.standing import ANY_TENANT, Change, ClassLevel, Level, Standing

Z = 1.959964  # of the normal distribution: 95 % of it lies within so many deviations, 2.5 % below
_BROKEN = frozenset({OutcomeState.FAILED.value, OutcomeState.UNDO_FAILED.value})


@dataclass(frozen=True, slots=True)
class Trials:
    """What one class did within the window, oldest and newest by time."""

    action: str
    tenant: str
    succeeded: int
    failed: int
    first_at: datetime

    @property
    def bound(self) -> float:
        return wilson_lower(self.succeeded, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What the evidence allows a person to grant; `lacks` says what is still missing, and is empty where nothing is."""

    trials: Trials
    upon: Level
    to: Level
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demotion:
    action: str
    tenant: str
    upon: Level
    to: Level
    proposals: tuple[str, ...]  # the failures that it rests on
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A proposal that a person rejected."""

    at: datetime
    action: str
    tenant: str


def wilson_lower(successes: int, trials: int) -> float:
    """The lower end of Wilson's interval for the success rate; 0 where nothing was tried."""
    if trials == 0:
        return 0.0
    rate, z2 = successes / trials, Z * Z
    middle = rate + z2 / (2 * trials)
    spread = Z * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, (middle - spread) / (1 + z2 / trials))


def trials_of(
    actions: Iterable[PastAction], rejected: Iterable[Refused], standing: Standing, since: datetime
) -> list[Trials]:
    """By action and tenant. What still runs or has not been verified counts for nothing yet, nor does an undo."""
    told: dict[tuple[str, str], list[tuple[datetime, bool]]] = {}
    for past in actions:
        good = _good(past, standing)
        if good is not None and past.at >= since:
            told.setdefault((past.action, past.tenant or ANY_TENANT), []).append((past.at, good))
    for each in rejected:
        if each.at >= since:
            told.setdefault((each.action, each.tenant or ANY_TENANT), []).append((each.at, False))
    return [
        Trials(action, tenant, sum(g for _, g in all_), sum(not g for _, g in all_), min(at for at, _ in all_))
        for (action, tenant), all_ in sorted(told.items())
    ]


def promotions(
    trials: Sequence[Trials], limits: Mapping[str, Any], standing: Standing, now: datetime
) -> list[Promotion]:
    """For each class at act_with_approval: would the evidence carry level act, and what does it lack."""
    found = []
    for each in trials:
        upon = configured(limits, each.action, each.tenant)
        if effective(limits, standing, each.action, each.tenant) is Level.ACT_WITH_APPROVAL:
            found.append(Promotion(each, upon, Level.ACT, _lacks(each, limits["earned"], now)))
    return found


def _lacks(trials: Trials, earned: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    count, age = trials.succeeded + trials.failed, now - trials.first_at
    least, since = int(earned["minimum_count"]), parse_duration(earned["minimum_age"])
    lacks = []
    if count < least:
        lacks.append(f"{count} of {least} trials")
    if age < since:
        lacks.append(f"{age.days} of {since.days} days")
    if trials.bound < earned["lower_bound"]:
        lacks.append(f"bound {trials.bound:.3f}, needed {earned['lower_bound']:.3f}")
    return tuple(lacks)


def demotions(
    history: Sequence[PastAction], limits: Mapping[str, Any], standing: Standing, now: datetime
) -> list[Demotion]:
    """What has to lose level act now. A granted level is lost with the first failure after the grant, a configured
    one with as many broken executions as the limits say, and either with one action that a person called wrong.

    What was granted for all tenants is lost for all. What breaks once with each of many tenants is as bad as what
    breaks often with one: then the action loses its level, whoever it is done for."""
    found: dict[tuple[str, str], Demotion] = {}
    spread: dict[str, list[PastAction]] = {}
    classes = {(past.action, past.tenant or ANY_TENANT) for past in history}
    for action, tenant in sorted(classes | {(wrong.action, wrong.tenant) for wrong in standing.wrong}):
        if effective(limits, standing, action, tenant) is not Level.ACT:
            continue
        since = standing.judged_since(action, tenant)
        mine = [p for p in _of_class(history, action, tenant) if since is None or p.at >= since]
        why = _called_wrong(standing, action, tenant, since) or _why_demoted(mine, limits, standing, now)
        if why is None:
            spread.setdefault(action, []).extend(_broken(mine, limits, now))
            continue
        known = _granted(standing, action, tenant)
        about = (action, known.tenant if known else tenant)
        found.setdefault(about, _lost(*about, limits, *why))
    for action, broken in sorted(spread.items()):
        if (action, ANY_TENANT) not in found and len(broken) >= int(limits["earned"]["demotion"]["failures"]):
            why = _often(sorted(broken, key=lambda past: past.at), limits)
            found[action, ANY_TENANT] = _lost(action, ANY_TENANT, limits, *why)
    return [found[about] for about in sorted(found)]


def _lost(action: str, tenant: str, limits: Mapping[str, Any], proposals: tuple[str, ...], reason: str) -> Demotion:
    upon = configured(limits, action, tenant)
    return Demotion(action, tenant, upon, min(upon, Level.ACT_WITH_APPROVAL, key=_rank), proposals, reason)


def _of_class(history: Sequence[PastAction], action: str, tenant: str) -> list[PastAction]:
    return [past for past in history if (past.action, past.tenant or ANY_TENANT) == (action, tenant)]


def _called_wrong(
    standing: Standing, action: str, tenant: str, since: datetime | None
) -> tuple[tuple[str, ...], str] | None:
    """By when it was said, not by when it was done: whoever granted or restored the level did not know of it yet."""
    wrong = [w for w in standing.wrong if (w.action, w.tenant) == (action, tenant) and (since is None or w.at > since)]
    return (tuple(w.proposal for w in wrong), "a person called it wrong") if wrong else None


def _why_demoted(
    mine: Sequence[PastAction], limits: Mapping[str, Any], standing: Standing, now: datetime
) -> tuple[tuple[str, ...], str] | None:
    if mine and _granted(standing, mine[0].action, mine[0].tenant or ANY_TENANT):
        bad = [p for p in mine if _good(p, standing) is False]
        return (tuple(p.proposal for p in bad), "it failed at a level that was granted on evidence") if bad else None
    broken = _broken(mine, limits, now)
    return _often(broken, limits) if len(broken) >= int(limits["earned"]["demotion"]["failures"]) else None


def _broken(mine: Sequence[PastAction], limits: Mapping[str, Any], now: datetime) -> list[PastAction]:
    since = now - parse_duration(limits["earned"]["demotion"]["window"])
    return [p for p in mine if p.outcome in _BROKEN and p.at >= since]


def _often(broken: Sequence[PastAction], limits: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    window = limits["earned"]["demotion"]["window"]
    return tuple(p.proposal for p in broken), f"it failed {len(broken)} times within {window}"


def lapsed(limits: Mapping[str, Any], standing: Standing) -> list[ClassLevel]:
    """Grants that were made upon other files: they do not come back with them."""
    granted = (each for each in standing.levels if each.change is Change.GRANTED)
    return [each for each in granted if configured(limits, each.action, each.tenant) is not each.upon]


def configured(limits: Mapping[str, Any], action: str, tenant: str) -> Level:
    """What the files say of a class, as autonomy.rego reads them for a proposal that touches no namespace."""
    autonomy = limits["autonomy"]
    said = [autonomy.get("actions", {}).get(action), autonomy.get("tenants", {}).get(tenant)]
    named = [Level(level) for level in said if level is not None]
    return min(named, key=_rank) if named else Level(autonomy.get("default", Level.OBSERVE))


def effective(limits: Mapping[str, Any], standing: Standing, action: str, tenant: str) -> Level:
    """What the files and the last word on the class come to."""
    upon = configured(limits, action, tenant)
    known = standing.of(action, tenant) or standing.of(action, ANY_TENANT)
    if known is None:
        return upon
    if known.change is Change.DEMOTED:
        return min(upon, known.level, key=_rank)
    if known.upon is not upon:
        return upon
    pinned = limits["autonomy"].get("tenants", {}).get(tenant) if known.tenant == ANY_TENANT else None
    return min(known.level, Level(pinned), key=_rank) if pinned else known.level


def _granted(standing: Standing, action: str, tenant: str) -> ClassLevel | None:
    """The grant by which the class acts: its own, or that of all tenants."""
    known = standing.of(action, tenant) or standing.of(action, ANY_TENANT)
    return known if known is not None and known.change is Change.GRANTED else None


def _good(past: PastAction, standing: Standing) -> bool | None:
    """None: nobody can say yet, or it does not count."""
    if past.undo:
        return None
    if standing.called_wrong(past.proposal) or past.outcome in _BROKEN:
        return False
    if past.outcome == OutcomeState.UNDONE.value:
        return False
    return past.helped if past.outcome == OutcomeState.SUCCEEDED.value else None


def _rank(level: Level) -> int:
    return level.rank


def window_start(limits: Mapping[str, Any], now: datetime) -> datetime:
    since: timedelta = parse_duration(limits["earned"]["window"])
    return now - since
