"""Where LangGraph keeps a thread between two steps: a SQLite connection of its own.

Checkpoints say where a thread stood, never what was done: that is in the log. The workflow's state is plain JSON, so a
checkpoint can name no class to be built when it is read back.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

Durability = Literal["full", "memory"]
"""full: on disk when a step ends. memory: for simulated runs, survives the process but not a power cut."""

LOCK_TIMEOUT_S = 5.0


def open_checkpointer(path: str | Path, durability: Durability = "full") -> SqliteSaver:
    """A checkpointer on that file. `close` it; `delete_thread(incident)` forgets a thread that has ended."""
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, check_same_thread=False)
    connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'OFF'}")
    saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    saver.setup()
    return saver


def close(saver: SqliteSaver) -> None:
    saver.conn.close()
