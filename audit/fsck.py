"""Is the log intact? Answered without any of the code that wrote it, by Python's standard library alone.

An auditor runs `python -m audit.fsck PATH [--size N --root HEX] [--json]` on a copy of these few files. It reads the
SQLite file without changing it, in one snapshot, while writers may go on; it rehashes every body, rebuilds the tree
and compares all copies with what the bodies say. It exits 0 if the log is intact, 1 if not, 2 if it could not look.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from audit.errors import RecordRefused
from audit.merkle import HASH_BYTES
from audit.record import Record, leaf_hash, parse
from audit.retree import Retree
from audit.verdict import Verdict

SCHEMA_VERSION = 1
CLOCK_TOLERANCE_S = 5.0
"""Writers on several machines take the time before they queue for the log, and their clocks differ a little."""

GUARDS = frozenset(
    f"log_{table}_{verb}"
    for table in ("records", "attributes", "nodes", "schema")
    for verb in ("insert", "update", "delete")
)
_RECORDS = 'SELECT "index", kind, at, actor, unique_key, body, leaf FROM log_records ORDER BY "index"'
_ATTRIBUTES = 'SELECT "index", name, value FROM log_attributes ORDER BY "index", name'
_REPEATED_KEYS = """
    SELECT max("index"), unique_key FROM log_records NOT INDEXED
    WHERE unique_key IS NOT NULL GROUP BY unique_key HAVING count(*) > 1 ORDER BY 1"""


def fsck(path: str | Path, *, expect_root: bytes | None = None, expect_size: int | None = None) -> Verdict:
    """Checks the log in this file, and against an anchor: the size and root that somebody outside has kept.

    Without `expect_size`, `expect_root` is that of the whole log. Raises OSError or sqlite3.Error if the file cannot be
    opened; what is wrong inside it is in the verdict.
    """
    verdict = Verdict(str(path), anchored=expect_root is not None or expect_size is not None)
    with closing(_connect(Path(path))) as database:
        try:
            database.execute("BEGIN")
            if _is_log(database, verdict):
                _check(database, verdict, expect_root, expect_size)
        except sqlite3.Error as error:
            verdict.integrity.add("unreadable", verdict.size, f"SQLite cannot read on: {error}")
    return verdict


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    # Without its WAL beside it, a file on a read-only medium can only be opened as one that nobody changes.
    alone = not Path(f"{path}-wal").exists()
    uri = path.resolve().as_uri() + "?mode=ro"
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        database.close()
        if not alone:
            raise
        database = sqlite3.connect(uri + "&immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # The file is there and broken: a finding, made again where findings are kept.
    # Text that is no UTF-8 is a finding, not a reason to stop.
    database.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return database


def _is_log(database: sqlite3.Connection, verdict: Verdict) -> bool:
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    for table in ("log_schema", "log_records", "log_attributes", "log_nodes"):
        if table not in names:
            verdict.completeness.add("table_missing", None, f"there is no table {table}")
    if not verdict.completeness.ok:
        return False
    versions = [row[0] for row in database.execute("SELECT version FROM log_schema")]
    if versions != [SCHEMA_VERSION]:
        verdict.integrity.add("schema_unknown", None, f"schema version {versions}, this fsck knows {SCHEMA_VERSION}")
        return False
    for name in sorted(GUARDS - names):
        verdict.warnings.add("guard_missing", None, f"the trigger {name} is gone: the log is not append-only now")
    return True


def _check(database: sqlite3.Connection, verdict: Verdict, expect_root: bytes | None, expect_size: int | None) -> None:
    tree = Retree(database, verdict)
    attributes = _Attributes(database, verdict)
    last_at: datetime | None = None
    root_then = tree.root() if expect_size == 0 else None
    for index, kind, at, actor, unique_key, body, leaf in database.execute(_RECORDS):
        if index != verdict.size:
            _report_gap(verdict, index)
            if not tree.skip_to(index):
                return
            verdict.size = index
        computed = leaf_hash(body) if isinstance(body, bytes) else b""
        record = _read(verdict, index, body) if computed == leaf else None
        if computed != leaf:
            verdict.integrity.add("body_differs", index, "the body does not hash to the stored leaf")
        # Where the record itself is known to be bad, the tree has nothing to add.
        tree.add(computed, trusted=record is not None and record.index == index)
        verdict.size += 1
        if verdict.size == expect_size:
            root_then = tree.root()
        found = attributes.of(index)
        if record is not None:
            _compare(verdict, record, (index, kind, at, actor, unique_key, found))
            last_at = _check_time(verdict, record, last_at)
    attributes.report_rest()
    tree.finish()
    verdict.root = tree.root()
    for index, key in database.execute(_REPEATED_KEYS):
        verdict.integrity.add("unique_key_repeated", index, f"the unique key {key!r} is taken by an earlier record")
    _check_anchor(verdict, expect_root, expect_size, root_then)


def _report_gap(verdict: Verdict, index: object) -> None:
    expected = verdict.size
    if isinstance(index, int) and index > expected:
        rows = f"record {expected} is" if index == expected + 1 else f"records {expected} to {index - 1} are"
        verdict.completeness.add("record_missing", expected, f"{rows} missing")
    else:
        verdict.integrity.add("index_invalid", expected, f"a record with the index {index!r} comes before it")


def _read(verdict: Verdict, index: int, body: bytes) -> Record | None:
    try:
        return parse(body)
    except RecordRefused as refusal:
        verdict.integrity.add("not_a_record", index, str(refusal))
        return None


def _compare(verdict: Verdict, record: Record, copies: tuple[object, ...]) -> None:
    attested = (record.index, record.kind, record.at, record.actor, record.unique_key, record.attributes)
    if attested == copies:
        return
    names = ("index", "kind", "at", "actor", "unique_key", "attributes")
    for name, said, copy in zip(names, attested, copies, strict=True):
        if said != copy:
            index = copies[0] if isinstance(copies[0], int) else None
            verdict.integrity.add(f"{name}_differs", index, f"{name} is {copy!r}, but {said!r} in the body")


def _check_time(verdict: Verdict, record: Record, last_at: datetime | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(record.at)
    except ValueError:
        verdict.integrity.add("not_a_record", record.index, f"{record.at} is no moment")
        return last_at
    if last_at is None or at >= last_at:
        return at
    back_s = (last_at - at).total_seconds()
    if back_s > CLOCK_TOLERANCE_S:
        verdict.warnings.add("clock_went_back", record.index, f"{record.at} is {back_s:.0f} s before an earlier record")
    return last_at


def _check_anchor(verdict: Verdict, root: bytes | None, size: int | None, root_then: bytes | None) -> None:
    if size is not None and size > verdict.size:
        missing = f"records {verdict.size} to {size - 1} are missing: the anchor saw {size} records"
        verdict.completeness.add("tail_missing", verdict.size, missing)
    elif root is not None and verdict.root is None:
        verdict.integrity.add("root_unknown", None, "records are missing, so the anchor's root cannot be compared")
    elif root is not None and root != (verdict.root if size is None else root_then):
        verdict.integrity.add("root_differs", None, "this is not the log whose root the anchor kept: it was rewritten")


class _Attributes:
    """Walks the attribute rows in step with the records."""

    def __init__(self, database: sqlite3.Connection, verdict: Verdict) -> None:
        self._rows: Iterator[tuple[int, str, str]] = database.execute(_ATTRIBUTES)
        self._verdict = verdict
        self._next = next(self._rows, None)

    def of(self, index: int) -> dict[str, str]:
        found: dict[str, str] = {}
        while self._next is not None and self._next[0] <= index:
            if self._next[0] == index:
                found[self._next[1]] = self._next[2]
            else:
                self._report(self._next)
            self._next = next(self._rows, None)
        return found

    def report_rest(self) -> None:
        while self._next is not None:
            self._report(self._next)
            self._next = next(self._rows, None)

    def _report(self, row: tuple[int, str, str]) -> None:
        self._verdict.completeness.add("record_missing", row[0], f"attribute {row[1]!r} belongs to a missing record")


def _root(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != HASH_BYTES:
        raise ValueError
    return value


def _size(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m audit.fsck", description="Checks an audit log in a SQLite file.")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("--size", type=_size, help="records that the log had when its root was kept")
    parser.add_argument("--root", type=_root, help="the root that was kept outside, in hex")
    parser.add_argument("--json", action="store_true", help="the verdict as one JSON object")
    options = parser.parse_args(arguments)
    try:
        verdict = fsck(options.path, expect_root=options.root, expect_size=options.size)
    except (OSError, sqlite3.Error) as error:
        print(f"cannot look at {options.path}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(verdict.as_json(), indent=2) if options.json else "\n".join(verdict.lines()))
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
