"""The log in PostgreSQL: several agents append to one log, as a role that may only insert and select.

Whoever writes first takes an advisory lock that ends with its transaction, so indexes are given out without gap or
fork. The tables, triggers and grants are made by their owner beforehand (`audit.storage.migrate`); the agent's role
could not make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from audit.errors import LogUnavailable
from audit.storage.appending import NotTaken
from audit.storage.durability import FAULTS
from audit.storage.read_notes import ReadNotes
from audit.storage.schema import SCHEMA_VERSION, versions
from audit.storage.transaction import Transaction

DRIVER = "postgresql+psycopg"

WRITER_LOCK = 0x57_4B_4C_4F_47
"""The advisory lock's key ("WKLOG"), one for each database: a database holds one log."""

CONNECT_TIMEOUT_S = 5

KEEPALIVE_S = 10
"""A server that is gone without a word is noticed after three of these."""


_LOCK = text(f"""
    WITH before AS MATERIALIZED (
        SELECT set_config('lock_timeout', :ms, true), set_config('synchronous_commit', 'on', true))
    SELECT ({FAULTS}), pg_advisory_xact_lock(:key) FROM before""")  # noqa: S608 - of this program
"""What is set is set before the lock is waited for: its row has to be there first."""

_GUARDS_OF_BEFORE = text("""
    SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = 'log_attributes'::regclass
        AND tgname = 'log_attributes_insert' AND tgtype & 1 = 1)""")
"""Row by row: they want what belongs to a record to be there before it, and the statement that appends has no order."""

_HAS_PRIVILEGE = text("SELECT has_table_privilege(:table, :verb)")
_IS_OWNER = text("SELECT relowner = current_user::regrole::oid FROM pg_class WHERE oid = 'log_records'::regclass")


class PostgresqlStore:
    """Opens transactions on the log's database. Each has its own connection from a pool; dead ones are replaced."""

    def __init__(self, url: URL, lock_timeout_s: float) -> None:
        self.name = url.render_as_string(hide_password=True)
        self._lock_timeout_ms = int(lock_timeout_s * 1000)
        self._guards_of_before = True  # until they are looked at
        self._engine = create_engine(
            url.set(drivername=DRIVER),
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",  # whatever the database or the role has by itself
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "keepalives_idle": KEEPALIVE_S,
                "keepalives_interval": KEEPALIVE_S,
                "keepalives_count": 3,
                "application_name": "watchkeeper-log",
            },
        )
        self.notes = ReadNotes(self._engine, self._errors)
        with self._errors():
            self._check_version()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A snapshot of the log."""
        snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ")
        with self._errors(), snapshot.connect() as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """The only writer's view of the log. What it inserts is durable when the block has been left."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            self._take_lock(connection)
            self._must_have_guards_of_now(connection)
            yield Transaction(connection)

    def may_append(self) -> bool:
        """A writer. Readers leave notes instead."""
        return self._may("log_records", "INSERT")

    def may_erase(self) -> bool:
        """The redactor, who is not the owner: the triggers refuse that one."""
        return not self._is_owner() and self._may("log_parts", "DELETE")

    def may_drop(self) -> bool:
        """The owner."""
        return self._is_owner()

    def _is_owner(self) -> bool:
        with self._errors(), self._engine.connect() as connection:
            return bool(connection.scalar(_IS_OWNER))

    def _may(self, table: str, verb: str) -> bool:
        with self._errors(), self._engine.connect() as connection:
            return bool(connection.scalar(_HAS_PRIVILEGE, {"table": table, "verb": verb}))

    def flush_erased(self) -> None:
        """Dead rows go with the server's next vacuum, which is the owner's or the server's own to run."""

    def close(self) -> None:
        """Closes idle connections."""
        self._engine.dispose()

    def _take_lock(self, connection: Connection) -> None:
        """Read committed: what is read after the lock is what the writer before has committed."""
        faults = connection.scalar(_LOCK, {"ms": f"{self._lock_timeout_ms}ms", "key": WRITER_LOCK})
        if faults:
            raise LogUnavailable(self.name, str(faults))

    def _must_have_guards_of_now(self, connection: Connection) -> None:
        """Asked until they are."""
        if self._guards_of_before:
            self._guards_of_before = bool(connection.scalar(_GUARDS_OF_BEFORE))
        if self._guards_of_before:
            raise LogUnavailable(self.name, "its guards are of before; its owner runs `watchkeeper audit migrate`")

    def _check_version(self) -> None:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(versions.name):
                raise LogUnavailable(self.name, "no log is here; its owner makes it by `watchkeeper audit migrate`")
            version = connection.scalar(select(versions.c.version))
        if version != SCHEMA_VERSION:
            raise LogUnavailable(self.name, f"schema version {version}; this program knows {SCHEMA_VERSION}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise LogUnavailable(self.name, _words(error)) from error
        except NotTaken as error:
            raise LogUnavailable(self.name, str(error)) from error


def _words(error: SQLAlchemyError) -> str:
    """The server's own first line, without the statement and its values."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
