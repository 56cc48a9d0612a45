"""Drops old records and leaves a stub that keeps the rest provable: the leaf of every record, and the whole tree.

Whoever kept a dropped record can still prove that it was in the log, every old checkpoint is still consistent with
every new one, and a record of kind `retention` says what was dropped, when and by whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import removals
from audit.errors import LogError
from audit.log import Log
from audit.record import timestamp
from audit.removals import FIRST_KEPT, RETENTION

DEFAULT_DAYS = 400
"""A year, and the weeks in which somebody looks back at it."""

MINIMUM_DAYS = removals.MINIMUM_DAYS
"""What the check asks of a record of retention."""

SLICE_RECORDS = 10_000
"""Dropped in one transaction: writers wait for it, and less than for a second."""


class RetentionRefused(LogError):
    """Shorter than the minimum, or by somebody who may not. Nothing was dropped, and nothing recorded."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Records from `first` up to, not including, `first_kept`; `record` says so."""

    first: int
    first_kept: int
    record: int


def retain(
    log: Log, days: int, *, actor: str, now: datetime, reason: str = "", sealed: Sequence[str] = ()
) -> Dropped | None:
    """Drops the records before the first that is younger than so many days; None if there are none.

    In PostgreSQL this is for the owner of the tables. Interrupted, it goes on when it is called again. Raises
    RetentionRefused, LogUnavailable.
    """
    if days < MINIMUM_DAYS:
        raise RetentionRefused(f"{days} days is less than the {MINIMUM_DAYS} that a log must be kept")
    if not log.store.may_drop():
        raise RetentionRefused(f"{log.store.name}: this is for the owner of its tables")
    before = timestamp(now - timedelta(days=days))
    with log.store.reading() as transaction:
        first, first_kept = transaction.first_kept(), transaction.first_since(before)
    if first_kept <= first:
        return None
    said = log.append(
        RETENTION,
        actor=actor,
        at=now,
        attributes={FIRST_KEPT: str(first_kept)},
        payload={"first_dropped": first, "first_kept": first_kept, "before": before, "days": days, "reason": reason},
        sealed=sealed,
    )
    for end in [*range(first + SLICE_RECORDS, first_kept, SLICE_RECORDS), first_kept]:
        with log.store.writing() as transaction:
            transaction.drop(end)
    log.store.flush_erased()
    return Dropped(first, first_kept, said.index)
