"""Where LangGraph keeps a thread between two steps: a SQLite connection of its own.

Checkpoints say where a thread stood, never what was done: that is in the log. The workflow's state is plain JSON, so a
checkpoint can name no class to be built when it is read back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.ports import StoreUnavailable

Durability = Literal["full", "memory"]
"""full: on disk when a step ends. memory: for simulated runs, survives the process but not a power cut."""

LOCK_TIMEOUT_S = 5.0

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_PRIMARY = 0xFF  # SQLite's extended result codes have the primary one in their lowest byte


class Checkpoints(SqliteSaver):
    """Without what LangGraph writes beside a checkpoint that is about to follow: half of all commits.

    What a task returned is kept apart for when another of the same step fails. A step of ours is one task: its
    checkpoint is the next thing that is written. A process that dies before that runs the stages since the last one
    again, as if it had died a moment earlier (docs/decisions/0010-checkpoints-before-deeds.md). What a thread waits
    for, what woke it and what failed stand in no checkpoint and are kept.

    A file that is locked or full is StoreUnavailable, which passes: the thread goes on from where it stood. One that is
    damaged does not pass, and its thread goes to a person.
    """

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        with self._stored():
            return super().get_tuple(config)

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        with self._stored():
            return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        if any(channel in WRITES_IDX_MAP for channel, _ in writes):
            with self._stored():
                super().put_writes(config, writes, task_id, task_path)

    def delete_thread(self, thread_id: str) -> None:
        with self._stored():
            super().delete_thread(thread_id)

    @contextmanager
    def _stored(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            with self.lock, suppress(sqlite3.Error):  # what could not be committed must not go in with what comes next
                self.conn.rollback()
            raise _fault(error) from error


def _fault(error: sqlite3.Error) -> StoreUnavailable:
    fault = StoreUnavailable(f"checkpoints: {error}")
    fault.passes = getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _PASSING
    return fault


def open_checkpointer(path: str | Path, durability: Durability = "full") -> Checkpoints:
    """A checkpointer on that file. `close` it; `delete_thread(incident)` forgets a thread that has ended."""
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, check_same_thread=False)
    connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'OFF'}")
    # A thread that has ended is deleted; what it quoted is overwritten, too.
    connection.execute(f"PRAGMA secure_delete={'ON' if durability == 'full' else 'OFF'}")
    saver = Checkpoints(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    saver.setup()
    return saver


def close(saver: SqliteSaver) -> None:
    saver.conn.close()


def flush_erased(path: Path) -> bool:
    """Leaves nothing of threads that have ended in the file or its write-ahead log. False while somebody holds it."""
    if not path.is_file():
        return True
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("VACUUM")
            return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        except sqlite3.OperationalError:
            return False
