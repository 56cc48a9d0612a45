"""Erases what is sealed in a record: first the record that says so, then the text. The sealed record stays as it is.

The order matters: killed in between, the log says of a text that it was erased while it is there, which `audit.fsck`
tells and doing it again mends; the other way about, a text would be gone and nothing would say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from audit.errors import LogError
from audit.log import Log
from audit.record import Record
from audit.removals import REDACTION, REDACTS

CARRIED = ("incident",)
"""Attributes by which the redaction is found where the record is."""


class NotAllowed(LogError):
    """Whoever opened the log may not erase. Nothing was recorded."""


class NothingToRedact(LogError):
    """The record has no sealed text that is still there, or not at the place named."""


def redact(
    log: Log,
    index: int,
    *,
    actor: str,
    reason: str,
    places: Sequence[str] | None = None,
    at: datetime | None = None,
    sealed: Sequence[str] = (),
) -> Record:
    """Erases these sealed texts of a record, or all of them, and answers the record that says so.

    Its own `sealed` places are those of the new record: who redacts is a person, too. Raises NothingToRedact,
    NoSuchRecord, LogUnavailable, and NotAllowed: in PostgreSQL one role may, and the database refuses every other.
    """
    if not log.store.may_erase():
        raise NotAllowed(f"{log.store.name}: this role may not erase")
    record = log.get(index)
    at_hand = [part.place for part in log.parts(index)]
    gone = sorted(at_hand if places is None else set(places))
    strange = [place for place in gone if place not in at_hand]
    if strange or not gone:
        left = f"; there are {', '.join(at_hand)}" if at_hand else ""
        what = f"{', '.join(strange)} is no text that can be erased" if strange else "nothing in it can be erased"
        raise NothingToRedact(f"record {index}: {what}{left}")
    about = {name: record.attributes[name] for name in CARRIED if name in record.attributes}
    said = log.append(
        REDACTION,
        actor=actor,
        at=at,
        attributes={**about, REDACTS: str(index)},
        payload={"redacts": index, "kind": record.kind, "places": gone, "reason": reason},
        sealed=sealed,
    )
    with log.store.writing() as transaction:
        transaction.erase(index, gone)
    log.store.flush_erased()
    return said
