"""When troubles come, and which: at moments drawn over the whole day, as independent events do, so that two or three
are often open at once.

What keeps a day honest: the guardrails ask a person once too many nodes or gangs are touched within their windows, and
that would change what is right about a trouble. So troubles that together would reach those limits come apart.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random

from agent.scenarios.generate.site import Touches, Trouble
from agent.scenarios.generate.trace import BINS, Statistics

FIRST = timedelta(minutes=5)  # never at the very beginning
HOUR = timedelta(hours=1)
CROWD, CROWD_WINDOW = 3, timedelta(minutes=30)  # so many at most within it: a bad day, and no flood
APART = timedelta(minutes=75)  # beyond every window of the guardrails, and how late a trouble may show itself
STEP = timedelta(minutes=5)

NODES_MOST, NODES_PERCENT, IN_USE_PERCENT = 4, 10, 85  # of the nodes that may be touched; some are out already
GANGS_MOST = 2
REPAIRS_AN_HOUR = 4

Programme = list[tuple[Trouble, timedelta]]


def moments(rng: Random, count: int, span: timedelta, statistics: Statistics) -> list[timedelta]:
    """In order, in whole seconds. Within its hour each follows how arrivals spread over an hour."""
    found = sorted(_moment(rng, span, statistics) for _ in range(count))
    for number in range(CROWD, count):
        found[number] = max(found[number], found[number - CROWD] + CROWD_WINDOW)
    return sorted(found)


def _moment(rng: Random, span: timedelta, statistics: Statistics) -> timedelta:
    """What is left of the day after its last whole hour is spread over the others."""
    hours = max(1, span // HOUR)
    part = (rng.choices(range(BINS), statistics.within_hour)[0] + rng.random()) / BINS
    drawn = span * ((rng.randrange(hours) + part) / hours)
    return FIRST + timedelta(seconds=int(drawn.total_seconds()))


def programme(troubles: Sequence[Trouble], when: Iterable[timedelta], limit: Touches) -> Programme:
    """At each moment the first of those left that may come then; where none may, it is later until one may."""
    left, placed, latest = list(troubles), Programme(), timedelta(0)
    for drawn in when:
        moment = max(drawn, latest)
        while (fits := next((each for each in left if _may(each, moment, placed, limit)), None)) is None:
            moment += STEP
        left.remove(fits)
        placed.append((fits, moment))
        latest = moment
    return placed


def limit_of(nodes: int) -> Touches:
    """What the guardrails as shipped let pass within their windows on so many nodes, and no more."""
    share = nodes * IN_USE_PERCENT // 100 * NODES_PERCENT // 100
    return Touches(nodes=min(NODES_MOST, share), gangs=GANGS_MOST, repairs=REPAIRS_AN_HOUR)


def _may(trouble: Trouble, moment: timedelta, placed: Programme, limit: Touches) -> bool:
    near = [each.touches for each, at in placed if abs(moment - at) < APART]
    together = [sum(counts) for counts in zip(trouble.touches, *near, strict=True)]
    return all(
        own == 0 or total <= most
        for own, total, most in zip(trouble.touches, together, _at_least(limit, trouble), strict=True)
    )


def _at_least(limit: Touches, trouble: Trouble) -> Iterable[int]:
    """One that is too much by itself comes alone."""
    return map(max, limit, trouble.touches)
