"""An empty log in a real PostgreSQL, its roles granted: fixtures of the tests that are about the log itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from sqlalchemy.engine import make_url

from audit.storage.migrate import migrate


def empty_log(server: Postgresql) -> None:
    server.sql(f"DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public AUTHORIZATION {OWNER}", database="audit")
    server.sql(f"GRANT USAGE ON SCHEMA public TO {WRITER}, {READER}, {REDACTOR}", OWNER, "audit")
    migrate(make_url(server.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    running = Postgresql()
    yield running
    running.stop()


@pytest.fixture
def database(server: Postgresql) -> Postgresql:
    empty_log(server)
    return server
