"""The log's tables. Their names begin with `log_`, so that the log may share a file with its owner's other state.

`body` is the evidence: the canonical bytes. Every other column and table is a copy for finding and proving, which
`audit.fsck` compares with the bodies. Complete subtrees are kept because they never change: append, root and proofs
read O(log n) of them instead of the log.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 1

metadata = MetaData()

records = Table(
    "log_records",
    metadata,
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("unique_key", Text, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Index("log_records_kind", "kind"),
    Index("log_records_at", "at"),
    Index("log_records_actor", "actor"),
)

attributes = Table(
    "log_attributes",
    metadata,
    Column("index", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index("log_attributes_value", "name", "value", "index"),
    sqlite_with_rowid=False,
)

nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

versions = Table("log_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))
