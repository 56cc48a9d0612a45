"""What may be erased gets a table of its own, and so do the leaves that retention leaves behind."""

import sqlalchemy as sa
from alembic import op

from audit.storage.guards_postgresql import log_schema, postgresql_guards

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The tables as version 2 has them."""
    binary_text = sa.dialects.postgresql.TEXT(collation="C")
    op.create_table(
        "log_parts",
        sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("place", binary_text, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.Column("word", binary_text),
    )
    op.create_index("log_parts_word", "log_parts", ["place", "word", "index"])
    op.create_table(
        "log_stubs",
        sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    for statement in postgresql_guards(2, log_schema(op.get_bind())):
        op.execute(statement)
    op.execute("UPDATE log_schema SET version = 2")
