"""The other hand: whoever may do everything with a log's rows, on either store, and the log that it gets to work on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from audit.log import Log
from audit.record import Record, canonical_bytes, leaf_hash, parse, timestamp
from audit.sealing import hidden
from audit.verdict import Verdict

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SIZE = 21
SEALED = (3, 12, 15)
"""Records with something sealed; the others have nothing."""

RETENTION, LET_GO = 17, 8
"""A record that lets those before `LET_GO` go."""

LETS_GO = {
    "first_dropped": 0,
    "first_kept": LET_GO,
    "days": 400,
    "before": timestamp(NOON + timedelta(seconds=RETENTION, days=-400)),
}

TABLES = ("records", "attributes", "nodes", "parts", "stubs", "schema")


def write_evidence(log: Log, first: int = 0, end: int = SIZE, actor: str = "agent") -> None:
    for number in range(first, end):
        attributes = {"target": f"gpu-{number}", "incident": "i-1", "approver": f"person-{number}"}
        note = f"evidence number {number:03}"
        log.append(
            "approval" if number in SEALED else "retention" if number == RETENTION else "intent",
            actor=actor,
            at=NOON + timedelta(seconds=number),
            attributes=attributes | ({"first_kept": str(LET_GO)} if number == RETENTION else {}),
            payload={"note": note, "rack": "caf\u00e9", "gpus": 1, "reason": f"because {number}"}
            | (LETS_GO if number == RETENTION else {}),
            unique_key=f"key-{number}",
            sealed=("/payload/reason", "/attributes/approver") if number in SEALED else (),
        )


@dataclass
class Hand:
    """Rows by SQL with `?` for each value, past all guards."""

    execute: Callable[[str, tuple[Any, ...]], Sequence[tuple[Any, ...]]]

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return list(self.execute(statement, values))

    def body(self, index: int) -> bytes:
        return bytes(self.run('SELECT body FROM log_records WHERE "index" = ?', index)[0][0])

    def stored(self, index: int) -> Record:
        return parse(self.body(index))

    def put_body(self, index: int, body: bytes) -> None:
        """With the leaf that goes with it."""
        self.run('UPDATE log_records SET body = ?, leaf = ? WHERE "index" = ?', body, leaf_hash(body), index)

    def put(self, record: Record, row: int | None = None) -> None:
        """A record with all copies in its row, as a careful forger would; attributes and tree stay."""
        row = record.index if row is None else row
        self.put_body(row, canonical_bytes(record))
        self.run(
            'UPDATE log_records SET kind = ?, at = ?, actor = ?, unique_key = ? WHERE "index" = ?',
            record.kind, record.at, record.actor, record.unique_key, row,
        )  # fmt: skip

    def add(self, record: Record) -> None:
        body = canonical_bytes(record)
        row = (record.index, record.kind, record.at, record.actor, record.unique_key, body, leaf_hash(body))
        self.run("INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?, ?)", *row)

    def change(self, index: int, old: bytes, new: bytes, *, leaf: bool = True) -> None:
        body = self.body(index)
        assert old in body, "the tamper does something"
        if leaf:
            self.put_body(index, body.replace(old, new))
        else:
            self.run('UPDATE log_records SET body = ? WHERE "index" = ?', body.replace(old, new), index)

    def remove(self, condition: str, *values: Any, tables: Sequence[str] = ("records", "attributes", "parts")) -> None:
        for table in tables:
            self.run(f"DELETE FROM log_{table} WHERE {condition}", *values)

    def move(self, old: int, new: int, tables: Sequence[str] = ("records", "attributes", "parts")) -> None:
        for table in tables:
            self.run(f'UPDATE log_{table} SET "index" = ? WHERE "index" = ?', new, old)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: self.run(f"SELECT * FROM log_{table}") for table in TABLES}

    def restore(self, tables: dict[str, list[tuple[Any, ...]]]) -> None:
        for table, rows in tables.items():
            self.run(f"DELETE FROM log_{table}")
            for row in rows:
                self.run(f"INSERT INTO log_{table} VALUES ({', '.join('?' * len(row))})", *row)


class Place(Protocol):
    """Where a log lies that is tampered with."""

    def open(self) -> Log: ...

    def hand(self) -> Any:
        """A context with a Hand; what it did is there when it ends."""
        ...

    def check(self, **anchor: Any) -> Verdict: ...

    def fresh(self) -> None:
        """Empties it: the next log there is another."""
        ...


@dataclass
class File:
    path: Path

    def open(self) -> Log:
        return Log.open(self.path, durability="memory")

    @contextmanager
    def hand(self) -> Iterator[Hand]:
        """Drops the guards, does the deed, and puts the guards back as they were."""
        with closing(sqlite3.connect(self.path)) as database:
            guards = database.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _, _ in guards:
                database.execute(f"DROP TRIGGER {name}")
            yield Hand(lambda statement, values: database.execute(statement, values).fetchall())
            left = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for _, table, statement in guards:
                if table in left:
                    database.execute(statement)
            database.commit()

    def check(self, **anchor: Any) -> Verdict:
        from audit.fsck import fsck

        return fsck(self.path, **anchor)

    def fresh(self) -> None:
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()


def forged(record: Record, **changes: Any) -> Record:
    return replace(hidden(record), **changes)


# --- what it does, by name --------------------------------------------------------------------------------------------

MATRIX: dict[str, Tamper] = {}
ROW, PART, TAIL = 13, 12, 18
"""A record, one with something sealed, and where a tail is cut."""


@dataclass(frozen=True)
class Tamper:
    do: Callable[[Hand], None]
    code: str
    index: int | None
    by_anchor: bool = False


def tamper(code: str, index: int | None, *, by_anchor: bool = False) -> Callable[[Callable[[Hand], None]], None]:
    def keep(do: Callable[[Hand], None]) -> None:
        MATRIX[do.__name__] = Tamper(do, code, index, by_anchor)

    return keep


def statement(name: str, code: str, index: int | None, *statements: str) -> None:
    def do(hand: Hand) -> None:
        for each in statements:
            hand.run(each)

    MATRIX[name] = Tamper(do, code, index)
