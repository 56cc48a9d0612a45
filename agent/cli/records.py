"""Records for the command line: the newest that match, one of them with its proof, and the story they tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.cli.output import fail, short_time, show_table

if TYPE_CHECKING:
    from audit.log import Log
    from audit.record import Record

_WINDOW_FACTOR = 8
"""How fast the search for the newest matches reaches further back: it reads at most a seventh of the log twice."""


def newest(log: Log, limit: int, conditions: Mapping[str, Any]) -> list[Record]:
    """The newest `limit` records that meet the conditions, oldest first: looks back in growing windows."""
    size, window = log.size(), limit * _WINDOW_FACTOR
    while True:
        found = list(log.query(**conditions, after_index=size - window - 1 if window < size else None))
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
