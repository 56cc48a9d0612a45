"""Alembic's entry: runs the steps on the connection that `audit.storage.migrate` opened, in its transaction."""

from alembic import context

from audit.storage import read_notes
from audit.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[metadata, read_notes.metadata],
    version_table="log_alembic_version",
)
with context.begin_transaction():
    context.run_migrations()
