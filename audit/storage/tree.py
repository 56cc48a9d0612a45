"""The tree's stored hashes, many by one statement: a proof needs twenty of them, and a database may be far away.

Each is looked up by its key, by an expression that leaves the planner of neither database another way. Nodes are named
by numbers alone, which is why they may stand in the statement itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

Place = tuple[int, int]
"""Level and index of a complete subtree; a leaf is one of level 0."""

PLACES_AT_ONCE = 1_000
"""In one statement: some 20 kB of it."""

_STORED = """
    WITH wanted (level, "index") AS (VALUES {places})
    SELECT level, "index", CASE level
        WHEN 0 THEN (SELECT leaf FROM log_records AS kept WHERE kept."index" = wanted."index")
        ELSE (SELECT hash FROM log_nodes AS kept WHERE kept.level = wanted.level AND kept."index" = wanted."index") END
    FROM wanted"""
_LEFT_BEHIND = """
    WITH wanted (level, "index") AS (VALUES {places})
    SELECT level, "index", (SELECT leaf FROM log_stubs AS kept WHERE kept."index" = wanted."index") FROM wanted"""


def hashes_at(connection: Connection, places: Iterable[Place]) -> dict[Place, bytes]:
    """Those that are stored, leaves of dropped records among them."""
    wanted = sorted(set(places))
    found = _look_up(connection, _STORED, wanted)
    gone = [place for place in wanted if place not in found and place[0] == 0]
    return found | _look_up(connection, _LEFT_BEHIND, gone)


def _look_up(connection: Connection, statement: str, places: Sequence[Place]) -> dict[Place, bytes]:
    found: dict[Place, bytes] = {}
    for batch in _batches(places):
        named = ", ".join(f"({level:d}, {index:d})" for level, index in batch)
        for level, index, stored in connection.exec_driver_sql(statement.format(places=named)):
            if isinstance(stored, bytes):  # SQLite keeps anything in any column
                found[level, index] = stored
    return found


def _batches(places: Sequence[Place]) -> Iterator[list[Place]]:
    left = iter(places)
    while batch := list(islice(left, PLACES_AT_ONCE)):
        yield batch
