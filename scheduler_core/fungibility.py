"""Which of two flavors is better for a gang, and whether the search goes on: flavor fungibility, in Kueue's words.

How a flavor would do is a pair: who would have to leave for it, and from how far up the tree its quota would come.
The walk over the flavors is `assigning.py`'s (KEP-582; Cluster Queue, FlavorFungibility).
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple

from scheduler_core.quota import Fungibility, Preference, WhenCan


class Mode(StrEnum):
    """What a gang as a whole can have."""

    FIT = "Fit"  # quota is free
    PREEMPT = "Preempt"  # quota could be free, if others were sent back; whether they may be is asked later
    NO_FIT = "NoFit"


class Possibility(IntEnum):
    """What it would take to have a flavor, from the worst to the best."""

    NO_FIT = 0
    NO_CANDIDATES = 1  # others hold it, and none of them may be sent back
    PREEMPT = 2  # gangs of the own queue would be sent back
    RECLAIM = 3  # only borrowers in other queues would be
    FIT = 4

    @property
    def mode(self) -> Mode:
        if self is Possibility.FIT:
            return Mode.FIT
        return Mode.NO_FIT if self is Possibility.NO_FIT else Mode.PREEMPT


NO_FIT, NO_CANDIDATES, PREEMPT, RECLAIM, FIT = Possibility  # to look a member up in its class takes four times as long


class Terms(NamedTuple):
    """On what terms a flavor could be had."""

    possibility: Possibility
    level: int  # of borrowing: 0 is the queue's own quota, more is further up the tree


BEST = Terms(FIT, 0)
WORST = Terms(NO_FIT, 0)


def is_better(one: Terms, other: Terms, rules: Fungibility) -> bool:
    """Strictly. Who cannot be had now comes after all who can, whatever is preferred."""
    if one == other:
        return False
    for dead_end in (NO_FIT, NO_CANDIDATES):
        ends = (one.possibility is dead_end, other.possibility is dead_end)
        if ends[0] is not ends[1]:
            return ends[1]
    if one.possibility is NO_FIT:
        return False
    if rules.preference is Preference.PREEMPTION_OVER_BORROWING:
        return (-one.level, one.possibility) > (-other.level, other.possibility)
    return (one.possibility, -one.level) > (other.possibility, -other.level)


def search_goes_on(terms: Terms, rules: Fungibility) -> bool:
    """Is the next flavor looked at, although this one has been found?"""
    if terms.possibility is NO_FIT or terms.possibility is NO_CANDIDATES:
        return True
    if terms.possibility is not FIT and rules.when_can_preempt is WhenCan.TRY_NEXT:
        return True
    return terms.level > 0 and rules.when_can_borrow is WhenCan.TRY_NEXT
