"""The log's first form: records, attributes, nodes, and the triggers that keep them append-only."""

import sqlalchemy as sa
from alembic import op

from audit.storage.guards_postgresql import log_schema, postgresql_guards

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The tables as version 1 has them, written out: later changes of `schema.py` are later steps."""
    binary_text = sa.dialects.postgresql.TEXT(collation="C")
    op.create_table(
        "log_records",
        sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", binary_text, nullable=False),
        sa.Column("at", binary_text, nullable=False),
        sa.Column("actor", binary_text, nullable=False),
        sa.Column("unique_key", binary_text, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    for name in ("kind", "at", "actor"):
        op.create_index(f"log_records_{name}", "log_records", [name])
    op.create_table(
        "log_attributes",
        sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", binary_text, primary_key=True),
        sa.Column("value", binary_text, nullable=False),
    )
    op.create_index("log_attributes_value", "log_attributes", ["name", "value", "index"])
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table("log_schema", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
    for statement in postgresql_guards(1, log_schema(op.get_bind())):
        op.execute(statement)
    op.execute("INSERT INTO log_schema (version) VALUES (1)")
