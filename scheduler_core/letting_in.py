"""One gang is let in, or not: what it is asked for, and what elastic gangs give up for it."""

from collections.abc import Callable
from dataclasses import replace

from scheduler_core.checks import has_checks
from scheduler_core.elastic import Resized, shrink_for
from scheduler_core.model import Gang, Seconds
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, try_start

MayTake = Callable[[Assignment], bool]


def anything(assignment: Assignment) -> bool:
    return True


def asked_of(snapshot: Snapshot, gang: Gang, settings: Settings) -> Settings:
    """Quota alone, or nodes too. With `admit_by_quota` the pods find their nodes in a later cycle, as those of a gang
    that lacks some; so do they where checks must be ready first. Who may hold a reservation needs its nodes at once:
    a time at which there is quota and nothing to run on would be no promise."""
    if has_checks(snapshot, gang):
        return replace(settings, place=False)
    reserves = settings.backfill is not None and settings.backfill.govern(gang.queue)
    return replace(settings, place=False) if settings.admit_by_quota and not reserves else settings


def let_in(
    snapshot: Snapshot,
    gang: Gang,
    now_s: Seconds,
    settings: Settings,
    resized: list[Resized],
    may_take: MayTake = anything,
) -> Assignment | None:
    """Committed if it starts. Elastic gangs give up for it what is above their minimum; who may not take what it
    found (`may_take`) gets nothing, and nobody gives up anything for it."""
    asked = asked_of(snapshot, gang, settings)

    def start() -> Assignment | None:
        return try_start(snapshot, gang.name, now_s, asked)

    mark = snapshot.mark()
    given: tuple[Resized, ...] = ()
    assignment = start()
    if assignment is None and (given := shrink_for(snapshot, gang, start)):
        assignment = start()
    if assignment is None or not may_take(assignment):
        snapshot.undo(mark)
        return None
    snapshot.keep(mark)
    resized += given
    commit(snapshot, assignment)
    return assignment
