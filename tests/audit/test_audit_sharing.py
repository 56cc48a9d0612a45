"""Several processes look at a log in a SQLite file, and at what goes wrong with them."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sharing_matrix import *  # noqa: F403
from tampering import MATRIX, SIZE, File, write_evidence

from audit.fsck import fsck
from audit.rows import Rows, SqliteRows
from audit.sharing import MIN_RECORDS, Processes
from audit.stretch import Seen, stretches


@contextmanager
def rows_of(path: Path) -> Iterator[Rows]:
    with closing(sqlite3.connect(path)) as database:
        yield SqliteRows(database, 2)


@pytest.fixture
def place(path: Path) -> File:
    return File(path)


@pytest.fixture
def open_rows(path: Path) -> Callable[[], object]:
    return partial(rows_of, path)


@contextmanager
def killed_at_once(path: Path) -> Iterator[Rows]:
    os.kill(os.getpid(), signal.SIGKILL)
    with rows_of(path) as rows:
        yield rows


def seen_by(processes: Processes) -> Sequence[Seen | None]:
    return list(processes.look(stretches(0, SIZE, 2), frozenset({SIZE})))


@pytest.mark.parametrize("name", ["payload_byte_flipped", "segment_dropped", "node_hash_changed"])
def test_real_processes_tell_the_same(place: File, name: str) -> None:
    with place.open() as log:
        write_evidence(log)
        root = log.root()
    honest = fsck(place.path, expect_root=root, processes=2)
    assert honest == fsck(place.path, expect_root=root, processes=1)
    assert (honest.ok, honest.size, honest.root) == (True, SIZE, root)
    with place.hand() as hand:
        MATRIX[name].do(hand)
    found = fsck(place.path, expect_root=root, processes=2)
    assert found == fsck(place.path, expect_root=root, processes=1)
    assert not found.ok


def test_every_stretch_is_seen_by_real_processes(place: File) -> None:
    with place.open() as log:
        write_evidence(log)
    seen = seen_by(Processes(partial(rows_of, place.path), 2))
    assert [each and each.stretch for each in seen] == stretches(0, SIZE, 2)


def test_a_process_that_is_killed_has_seen_nothing(place: File) -> None:
    with place.open() as log:
        write_evidence(log)
    assert set(seen_by(Processes(partial(killed_at_once, place.path), 2))) == {None}


def test_a_short_log_is_not_shared(place: File) -> None:
    processes = Processes(partial(rows_of, place.path))
    assert not processes.pays(MIN_RECORDS - 1)


@pytest.mark.parametrize("first", [0, 1, 5, 8, 21, 64])
@pytest.mark.parametrize("level", [0, 2, 5])
def test_stretches_are_whole_subtrees_without_gap(first: int, level: int) -> None:
    for end in range(first, first + 70):
        found = stretches(first, end, level)
        assert [index for each in found for index in range(each.first, each.end)] == list(range(first, end))
        assert all(each.level <= level and each.first % (each.end - each.first) == 0 for each in found)
