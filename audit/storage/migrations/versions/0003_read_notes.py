"""Readers get a table where they leave word of what they read. The log's own tables stay as version 2 has them."""

import sqlalchemy as sa
from alembic import op

from audit.storage.guards_postgresql import log_schema, postgresql_note_guards

revision = "0003"
down_revision = "0002"

_NOW = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def upgrade() -> None:
    """Defaults, not what a reader says: readers may name no column but `body`."""
    binary_text = sa.dialects.postgresql.TEXT(collation="C")
    op.create_table(
        "log_read_notes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", binary_text, nullable=False, server_default=sa.text(_NOW)),
        sa.Column("role", binary_text, nullable=False, server_default=sa.text("session_user")),
        sa.Column("body", binary_text, nullable=False),
        sa.CheckConstraint("octet_length(body) <= 65536", name="log_read_notes_size"),
    )
    for statement in postgresql_note_guards(log_schema(op.get_bind())):
        op.execute(statement)
