"""Whoever has written sees it, whatever others read at that moment on the one connection that all look through."""

import threading
from pathlib import Path

from agent.adapters.store.database import Database

ROWS = 5_000  # a count of them takes long enough for another thread to come in the middle
WRITES = 60
READERS = 3


def test_a_thread_sees_what_it_has_written_while_others_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db", "memory")
    database.change("CREATE TABLE lines (number INTEGER PRIMARY KEY, text TEXT)")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i"
    database.change(f"INSERT INTO lines {numbers}, hex(i) || hex(i * i) FROM n")
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            database.rows("SELECT count(*), max(text) FROM lines")

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for each in readers:
        each.start()
    try:
        missed = [number for number in range(-WRITES, 0) if not _written(database, number)]
    finally:
        over.set()
        for each in readers:
            each.join()
        database.close()
    assert missed == []


def _written(database: Database, number: int) -> bool:
    database.change("INSERT INTO lines VALUES (?, 'own')", number)
    return bool(database.rows("SELECT 1 FROM lines WHERE number = ?", number))
