"""Is the log intact? Answered without any of the code that wrote it, by Python's standard library alone.

An auditor runs `python -m audit.fsck PATH [--anchor PLACE --key VKEY] [--deep] [--json]` on a copy of these few files;
a PLACE is a kept checkpoint or a folder of them, `--size N --root HEX` stand for one that nobody signed. It reads the
SQLite file without changing it, in one snapshot, while writers may go on. `audit.rescan` looks at the rows; here is how
to ask. The command exits 0 if the log is intact, 1 if not, 2 if it could not look.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from audit.kept import Kept, Refused, believed, hold_against, notes_in, sizes_of
from audit.merkle import HASH_BYTES
from audit.notes import KeyRefused, read_key
from audit.rescan import rescan
from audit.rows import SqliteRows
from audit.sharing import Processes
from audit.verdict import Verdict

TABLES: dict[int, tuple[str, ...]] = {1: ("records", "attributes", "nodes", "schema")}
TABLES[2] = (*TABLES[1], "parts", "stubs")
"""By version of the file. A log of any version that was ever written can be checked."""


def fsck(
    path: str | Path,
    *,
    expect_root: bytes | None = None,
    expect_size: int | None = None,
    kept: Sequence[Kept | Refused] = (),
    deep: bool = False,
    processes: int | None = None,
) -> Verdict:
    """Checks the log in this file, and against anchors: a size and root, or checkpoints, that somebody kept outside.

    Without `expect_size`, `expect_root` is that of the whole log. Raises OSError or sqlite3.Error if the file cannot be
    opened; what is wrong inside it is in the verdict. `deep` has SQLite compare its own indexes with the tables too:
    an index that was tampered with hides records from queries, though not from this check. Without a number of
    `processes` a long log is looked at by as many as there are processors; what is found is the same.
    """
    anchored, sizes = expect_root is not None or expect_size is not None, sizes_of(kept)
    verdict = Verdict(str(path), anchored=anchored, sizes=sizes)
    with closing(_connect(Path(path))) as database:
        try:
            _look(database, verdict, expect_root, expect_size, processes)
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            # Text that is no UTF-8 is a finding like others. Reading all text leniently is slow: not before the need.
            database.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            verdict = Verdict(verdict.store, anchored=anchored, sizes=sizes)
            _look(database, verdict, expect_root, expect_size, processes)
        if deep:
            _check_indexes(database, verdict)
    hold_against(verdict, kept)
    return verdict


def _look(
    database: sqlite3.Connection, verdict: Verdict, root: bytes | None, size: int | None, processes: int | None
) -> None:
    try:
        database.execute("BEGIN")
        version = _version(database, verdict)
        if version is not None:
            share = Processes(partial(_open_rows, Path(verdict.store), version), processes)
            rescan(SqliteRows(database, version), verdict, root, size, share)
    except sqlite3.Error as error:
        if "decode" in str(error) and database.text_factory is str:
            raise
        verdict.integrity.add("unreadable", verdict.size, f"SQLite cannot read on: {error}")
    finally:
        database.rollback()


@contextmanager
def _open_rows(path: Path, version: int) -> Iterator[SqliteRows]:
    """A snapshot of its own, a moment later. Nothing in an append-only log changes meanwhile but what is let go, which
    shows as something wrong: the one process with the first snapshot then decides."""
    with closing(_connect(path)) as database:
        database.execute("BEGIN")
        yield SqliteRows(database, version)


def _check_indexes(database: sqlite3.Connection, verdict: Verdict) -> None:
    verdict.deep = True
    try:
        findings = [row[0] for row in database.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        findings = [str(error)]
    for finding in findings:
        if finding != "ok":
            verdict.integrity.add("database_damaged", None, f"SQLite says: {finding}")


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
    return database


def _version(database: sqlite3.Connection, verdict: Verdict) -> int | None:
    """None for what is not to be read as a log; the verdict says why."""
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    if not _all_there(TABLES[1], names, verdict):
        return None
    versions = [row[0] for row in database.execute("SELECT version FROM log_schema")]
    if len(versions) != 1 or versions[0] not in TABLES:
        known = " and ".join(map(str, TABLES))
        verdict.integrity.add("schema_unknown", None, f"schema version {versions}, this fsck knows {known}")
        return None
    version = int(versions[0])
    if not _all_there(TABLES[version], names, verdict):
        return None
    for name in sorted(guards(version) - names):
        verdict.warnings.add("guard_missing", None, f"the trigger {name} is gone: the log is not append-only now")
    return version


def guards(version: int) -> frozenset[str]:
    """Names of the triggers that keep a log of this version append-only."""
    return frozenset(f"log_{table}_{verb}" for table in TABLES[version] for verb in ("insert", "update", "delete"))


def _all_there(tables: Sequence[str], names: set[str], verdict: Verdict) -> bool:
    for table in tables:
        if f"log_{table}" not in names:
            verdict.completeness.add("table_missing", None, f"there is no table log_{table}")
    return verdict.completeness.ok


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


def _kept(places: Sequence[Path], keys: Sequence[str]) -> list[Kept | Refused]:
    """What is kept there, as far as one of these keys has signed it. Raises OSError and KeyRefused."""
    known = [read_key(key) for key in keys]
    return [each for place in places for each in believed(str(place), notes_in(place), known)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m audit.fsck", description="Checks an audit log in a SQLite file.")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("--size", type=_size, help="records that the log had when its root was kept")
    parser.add_argument("--root", type=_root, help="the root that was kept outside, in hex")
    parser.add_argument("--deep", action="store_true", help="have SQLite check the indexes that queries use, too")
    parser.add_argument("--json", action="store_true", help="the verdict as one JSON object")
    kept = "a signed checkpoint of this log that was kept outside, or a folder of them; repeatable"
    parser.add_argument("--anchor", "--checkpoint", type=Path, action="append", default=[], help=kept)
    parser.add_argument("--key", action="append", default=[], help="a verifier key that may have signed it; repeatable")
    options = parser.parse_args(arguments)
    try:
        kept_outside = _kept(options.anchor, options.key)
        verdict = fsck(
            options.path, expect_root=options.root, expect_size=options.size, kept=kept_outside, deep=options.deep
        )
    except KeyRefused as refusal:
        print(f"no checkpoint can be trusted by this key: {refusal}", file=sys.stderr)
        return 2
    except (OSError, sqlite3.Error) as error:
        print(f"cannot look at {options.path}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(verdict.as_json(), indent=2) if options.json else "\n".join(verdict.lines()))
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
