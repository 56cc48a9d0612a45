"""Where the log lies that is measured: a SQLite file of its own, and a PostgreSQL of its own or one that is given.

PostgreSQL is started from Debian's package where there is one, on a loopback port, in a folder that is thrown away;
its settings are the package's own, so what is durable there is durable here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from audit.errors import LogError
from audit.log import Log
from audit.storage.migrate import migrate
from audit.storage.opening import url_of

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian's packages put each version."""

START_TIMEOUT_S = 60
TRIED = "postgresql://"


class NotMeasured(Exception):
    """This store cannot be measured here, and why."""


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM ends what is measured here as Ctrl-C does: with its server stopped and its folders gone."""
    if threading.current_thread() is not threading.main_thread():  # where signals are not ours to take
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        yield str(Path(folder) / "audit.db")


@contextmanager
def postgresql(dsn: str | None) -> Iterator[str]:
    """The URL of an empty log's owner. Raises NotMeasured."""
    if dsn is None:
        with _server() as url:
            _make(url)
            yield url
        return
    if not dsn.startswith(TRIED):
        raise NotMeasured(f"a database of PostgreSQL is named by {TRIED}…")
    _make(dsn)
    yield dsn


def forget(place: str) -> bool:
    """Has the system forget what it holds of a file in memory; False where it cannot be told to."""
    if "://" in place or not hasattr(os, "posix_fadvise"):
        return False
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return True


def stored_bytes(place: str) -> int:
    """Tables and indexes, and a file's write-ahead log."""
    if "://" not in place:
        file = Path(place)
        return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))
    with psycopg.connect(place) as connection:
        found = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'log\\_%'"
        ).fetchone()
    return int(found[0]) if found else 0


def _make(url: str) -> None:
    """Refuses a log that is there: it is somebody's evidence."""
    try:
        found = url_of(url)
        if found is None:
            raise NotMeasured(f"{url} names no database")
        migrate(found)
        with Log.open(url) as log:
            if log.size():
                raise NotMeasured(f"there is a log of {log.size()} records in this database; give an empty one")
    except LogError as error:
        raise NotMeasured(str(error)) from error


@contextmanager
def _server() -> Iterator[str]:
    versions = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda found: int(found.parts[-3]))
    if not versions:
        raise NotMeasured("no PostgreSQL is installed (Debian: postgresql), and no --dsn is given")
    programs = versions[-1].parent
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        data = str(Path(folder) / "data")
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
        _run(folder, programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        port = _free_port()
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        control, logfile = programs / "pg_ctl", str(Path(folder) / "log")
        _run(folder, control, "-D", data, "-l", logfile, "-o", options, "-w", "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _run(folder, control, "-D", data, "-m", "immediate", "stop")


def _run(folder: str, program: Path, *arguments: str) -> None:
    command = [str(program), *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=START_TIMEOUT_S)  # noqa: S603 - programs of the package
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip()
        raise NotMeasured(f"{program.name}: {said}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
