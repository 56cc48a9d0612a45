"""Makes and updates the log's tables in PostgreSQL, as their owner, and grants each role what it needs and no more.

Alembic knows which steps a database has seen. SQLite files are made whole when they are opened (`audit.storage.sqlite`)
by the same functions.
"""

from __future__ import annotations

import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from audit.errors import LogUnavailable
from audit.storage.guards_postgresql import log_schema, postgresql_guards, postgresql_note_guards
from audit.storage.postgresql import CONNECT_TIMEOUT_S, DRIVER
from audit.storage.read_notes import notes
from audit.storage.schema import metadata, parts, stubs, versions

SCRIPTS = Path(__file__).parent / "migrations"
_DATABASE = text("""
    SELECT quote_ident(datname), pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database
    WHERE datname = current_database()""")
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}", re.ASCII)


def migrate(
    url: URL, *, writers: tuple[str, ...] = (), readers: tuple[str, ...] = (), redactors: tuple[str, ...] = ()
) -> None:
    """Brings the tables up to date and grants the roles; run by the owner. Raises LogUnavailable, ValueError.

    A redactor may erase what is sealed, and append, because every erasure is a record. The roles must exist: who may
    log in is the database's administrator's to say.
    """
    for role in (*writers, *readers, *redactors):
        if not _ROLE.fullmatch(role):
            raise ValueError(f"{role!r} is no name of a role")
    engine = create_engine(url.set(drivername=DRIVER), connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _make_guards_anew(connection)
            _grant(connection, writers, readers, redactors)
    except SQLAlchemyError as error:
        name = url.render_as_string(hide_password=True)
        raise LogUnavailable(name, str(getattr(error, "orig", None) or error).strip()) from error
    finally:
        engine.dispose()


def _make_guards_anew(connection: Connection) -> None:
    """As this program has them, whatever became of them since the step that made them."""
    schema = log_schema(connection)
    for statement in (*postgresql_guards(1, schema), *postgresql_guards(2, schema), *postgresql_note_guards(schema)):
        connection.execute(text(statement))


def _grant(
    connection: Connection, writers: tuple[str, ...], readers: tuple[str, ...], redactors: tuple[str, ...]
) -> None:
    everything = ", ".join(table.name for table in metadata.sorted_tables)
    appended = ", ".join(table.name for table in metadata.sorted_tables if table not in (versions, stubs))
    connection.execute(text(f"REVOKE ALL ON {everything}, {notes.name} FROM PUBLIC"))
    _revoke_temporary(connection, (*writers, *readers, *redactors))
    for role in (*writers, *readers, *redactors):
        connection.execute(text(f'GRANT SELECT ON {everything} TO "{role}"'))
    for role in (*writers, *redactors):
        connection.execute(text(f'GRANT INSERT ON {appended} TO "{role}"'))
    for role in readers:
        connection.execute(text(f'GRANT INSERT (body), SELECT (id, at) ON {notes.name} TO "{role}"'))
    for role in writers:
        connection.execute(text(f'GRANT SELECT, DELETE ON {notes.name} TO "{role}"'))
    for role in redactors:
        connection.execute(text(f'GRANT DELETE ON {parts.name} TO "{role}"'))


def _revoke_temporary(connection: Connection, roles: tuple[str, ...]) -> None:
    """Nobody needs tables of their own beside the log. The guards hold without this, too: so it is no condition that
    the tables' owner owns the database, who alone may take it back."""
    database, mine = connection.execute(_DATABASE).one()
    if mine:
        others = ", ".join(["PUBLIC", *(f'"{role}"' for role in roles)])
        connection.execute(text(f"REVOKE TEMPORARY ON DATABASE {database} FROM {others}"))
