"""What reservations have to do with a gang's waiting: the start that is held for it, or the one that it would delay."""

from dataclasses import replace

from scheduler_core.backfill import Backfilled, backfill
from scheduler_core.explanation import Explanation, Reason
from scheduler_core.model import Gang, Seconds
from scheduler_core.reservation import NEVER
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot

NOTHING_HELD = Backfilled((), (), {})


def look_ahead(snapshot: Snapshot, now_s: Seconds, settings: Settings) -> Backfilled:
    """What a look at the line would come to; nothing is changed."""
    if settings.backfill is None:
        return NOTHING_HELD
    with snapshot.fork():
        return backfill(snapshot, now_s, settings)


def held_back(gang: Gang, ahead: Backfilled, now_s: Seconds) -> Explanation | None:
    """It fits, and another would start later for it."""
    before = ahead.held_back.get(gang.name)
    if before is None:
        return None
    start_s = next(each.start_s for each in ahead.reservations if each.gang == before)
    if start_s == NEVER:
        told, remedy = f"{before} holds the place that it would take", "give it a walltime: what ends goes ahead"
    else:
        left_s = max(0, int(start_s - now_s))
        told = f"{before} is to start in {left_s} s and would start later for it"
        remedy = f"wait for {before}, or give it a walltime of at most {left_s} s"
    until_s = None if start_s == NEVER else start_s
    return Explanation(Reason.BEHIND_RESERVATION, f"it fits, but {told}", remedy, holders=(before,), until_s=until_s)


def with_promise(told: Explanation, name: str, ahead: Backfilled, now_s: Seconds) -> Explanation:
    """Beside why it waits: until when at most, and for whom."""
    promise = next((each for each in ahead.reservations if each.gang == name), None)
    if promise is None:
        return told
    for_whom = ", ".join(promise.waits_for[-3:]) or "nobody"
    if promise.start_s == NEVER:
        return replace(told, message=f"{told.message}; its place is held until {for_whom} has ended, whenever that is")
    in_s = max(0, int(promise.start_s - now_s))
    message = f"{told.message}; it starts in {in_s} s at the latest, when {for_whom} must have ended"
    return replace(told, message=message, until_s=promise.start_s)
