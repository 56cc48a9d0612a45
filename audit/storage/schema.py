"""The log's tables. Their names begin with `log_`, so that the log may share a file with its owner's other state.

`body` is the evidence: the canonical bytes. Every other column and table is a copy for finding and proving, which
`audit.fsck` compares with the bodies. Complete subtrees are kept because they never change: append, root and proofs
read O(log n) of them instead of the log.

Two tables are not copies: `log_parts` has the texts behind commitments (`audit.sealing`), which may be erased, and
`log_stubs` the leaves of records that retention has dropped.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects import postgresql

SCHEMA_VERSION = 2

Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's INTEGER has 64 bits, and only it can be the table's own key."""

Ordered = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text in the order of its bytes, as SQLite has it: times are compared as text."""

metadata = MetaData()

records = Table(
    "log_records",
    metadata,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("kind", Ordered, nullable=False),
    Column("at", Ordered, nullable=False),
    Column("actor", Ordered, nullable=False),
    Column("unique_key", Ordered, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Index("log_records_kind", "kind"),
    Index("log_records_at", "at"),
    Index("log_records_actor", "actor"),
)

attributes = Table(
    "log_attributes",
    metadata,
    Column("index", Number, primary_key=True),
    Column("name", Ordered, primary_key=True),
    Column("value", Ordered, nullable=False),
    Index("log_attributes_value", "name", "value", "index"),
    sqlite_with_rowid=False,
)

nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("index", Number, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

parts = Table(
    "log_parts",
    metadata,
    Column("index", Number, primary_key=True),
    Column("place", Ordered, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("text", LargeBinary, nullable=False),  # UTF-8: not every database can keep every text as a text
    Column("word", Ordered),  # the same, where records are found by it
    Index("log_parts_word", "place", "word", "index"),
    sqlite_with_rowid=False,
)

stubs = Table(
    "log_stubs",
    metadata,
    Column("index", Number, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)

VERSION_2 = (parts, stubs)
"""Tables that a log of version 1 lacks."""

versions = Table("log_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))
