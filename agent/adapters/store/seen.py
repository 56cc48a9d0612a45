"""How much of the log the projections beside it know: all before a record, and that record's leaf, by which the log is
known again."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store.database import Database
from agent.adapters.store.schema import seen


class Seen(NamedTuple):
    """`next_index` is the first record that is not known; `leaf` is the one before it, in hex."""

    next_index: int
    leaf: str


class SqlSeen:
    """One row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self) -> Seen | None:
        with self._database.reading() as connection:
            row = connection.execute(select(seen.c.next_index, seen.c.leaf)).one_or_none()
        return None if row is None else Seen(row.next_index, row.leaf)

    def set(self, known: Seen) -> None:
        values = {"id": 0, **known._asdict()}
        with self._database.writing() as connection:
            connection.execute(
                insert(seen).values(values).on_conflict_do_update(index_elements=["id"], set_=known._asdict())
            )
