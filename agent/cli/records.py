"""Records for the command line: the newest that match, one of them with its proof, and the story they tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.cli.output import fail, short_time, show_table

if TYPE_CHECKING:
    from audit.errors import LogDamaged
    from audit.log import Log
    from audit.record import Record

_WINDOW_FACTOR = 8
"""How fast the search for the newest matches reaches further back: it reads at most a seventh of the log twice."""


class Damages:
    """Records that are not what was appended, by index: they are left out of an answer, and that is said."""

    def __init__(self) -> None:
        self._found: dict[int, LogDamaged] = {}

    def add(self, damage: LogDamaged) -> None:
        self._found[damage.index] = damage

    @property
    def indexes(self) -> list[int]:
        return sorted(self._found)

    @property
    def told(self) -> list[str]:
        return [str(self._found[index]) for index in self.indexes]

    def end(self) -> None:
        """As a check of the log ends that finds it not intact."""
        if self._found:
            told = "; ".join(self.told)
            fail(f"{told}. What cannot be shown is left out.", "`watchkeeper audit fsck` says what else is wrong.")


def newest(
    log: Log,
    limit: int,
    conditions: Mapping[str, Any],
    before: int | None = None,
    damaged: Callable[[LogDamaged], None] | None = None,
) -> list[Record]:
    """The newest `limit` records that meet the conditions, oldest first and proved: looks back in growing windows."""
    size, window = log.size() if before is None else min(log.size(), before), limit * _WINDOW_FACTOR
    while True:
        after = size - window - 1 if window < size else None
        found = list(log.query(**conditions, after_index=after, before_index=size, damaged=damaged, proved=True))
        if len(found) >= limit or window >= size:
            return found[-limit:]
        window *= _WINDOW_FACTOR


def tell(records: list[Record]) -> None:
    """The story, one line a record; the date only where it changes."""
    from rich.text import Text

    day, rows = "", []
    for record in records:
        at = time_of(record)
        rows.append((Text(at[11:] if at[:10] == day else at), record.index, sentence_of(record)))
        day = at[:10]
    show_table(("time (UTC)", "record", "what happened"), rows, nothing="Nothing is recorded.")


def sentence_of(record: Record) -> str:
    from agent.compliance.forms import REDACTED
    from agent.compliance.timeline import sentence
    from audit.sealing import filled

    return sentence(record.kind, filled(record, REDACTED).payload)


def time_of(record: Record) -> str:
    return short_time(datetime.fromisoformat(record.at))


def record_at(log: Log, index: int) -> Record:
    from audit.errors import NoSuchRecord

    try:
        return log.get(index)
    except NoSuchRecord as error:
        fail(f"There is no record {index}: {error}.", "`watchkeeper audit query` shows which there are.")


def proof_of(log: Log, index: int) -> dict[str, Any]:
    from audit.proofs import ProofRefused, verify_inclusion
    from audit.record import canonical_bytes, leaf_hash

    size = log.size()
    leaf, root, hashes = (
        leaf_hash(canonical_bytes(record_at(log, index))),
        log.root(size),
        log.inclusion_proof(index, size),
    )
    try:
        verify_inclusion(index, size, leaf, hashes, root)
    except ProofRefused as refusal:
        fail(f"Record {index} is not the one that the log attests: {refusal}.", "Run `watchkeeper audit fsck`.")
    return {
        "leaf_hash": leaf.hex(),
        "tree_size": size,
        "root": root.hex(),
        "hashes": [sibling.hex() for sibling in hashes],
    }
