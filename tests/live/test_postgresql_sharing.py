"""Several processes look at a log in a real PostgreSQL, through one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from postgresql import READER, Postgresql
from postgresql_log import *  # noqa: F403
from sharing_matrix import *  # noqa: F403
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from tampering import MATRIX, SIZE, write_evidence
from test_postgresql_tampers import Tables, place  # noqa: F401 - a fixture

from audit.rows import Rows
from audit.storage.recheck import PostgresqlRows, fsck_postgresql


@contextmanager
def rows_of(server: Postgresql) -> Iterator[Rows]:
    engine = create_engine(make_url(server.url(READER)).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield PostgresqlRows(connection)
    finally:
        engine.dispose()


@pytest.fixture
def open_rows(server: Postgresql) -> Callable[[], object]:
    return partial(rows_of, server)


@pytest.mark.parametrize("name", ["payload_byte_flipped", "segment_dropped", "node_hash_changed"])
def test_real_processes_tell_the_same(place: Tables, name: str) -> None:  # noqa: F811
    url = make_url(place.on.url(READER))
    with place.open() as log:
        write_evidence(log)
        root = log.root()
    honest = fsck_postgresql(url, expect_root=root, processes=2)
    assert honest == fsck_postgresql(url, expect_root=root, processes=1)
    assert (honest.ok, honest.size, honest.root) == (True, SIZE, root)
    with place.hand() as hand:
        MATRIX[name].do(hand)
    found = fsck_postgresql(url, expect_root=root, processes=2)
    assert found == fsck_postgresql(url, expect_root=root, processes=1)
    assert not found.ok
