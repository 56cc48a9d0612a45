"""The agent's tables beside the log, in the same file: their names begin with `agent_`.

Bodies are nouns as JSON; the columns beside them are only for finding. Times are text of one width, so that the order
of texts is the order of times.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

SCHEMA_VERSION = 1

metadata = MetaData()

versions = Table("agent_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

inbox = Table(
    "agent_inbox",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("body", Text),  # NULL once done: what was in it is in the log
    Column("done_at", Text),
    UniqueConstraint("source", "id"),
    Index("agent_inbox_waiting", "sequence", sqlite_where=text("done_at IS NULL")),
    Index("agent_inbox_done", "done_at", sqlite_where=text("done_at IS NOT NULL")),
)

timers = Table(
    "agent_timers",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("due_at", Text, nullable=False),
    Index("agent_timers_due", "due_at", "incident"),
)

incidents = Table(
    "agent_incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("playbook", Text),
    Column("opened_at", Text, nullable=False),
    Column("closed_at", Text),
    Column("body", Text, nullable=False),
    Index("agent_incidents_state", "state", "opened_at", "id"),
    Index("agent_incidents_key", "key", "closed_at"),
    Index("agent_incidents_opened", "opened_at", "id"),
)

requests = Table(
    "agent_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_at", Text, nullable=False),
    Column("changes", Integer, nullable=False),  # answers and closings so far: a projection never goes back
    Column("body", Text, nullable=False),
    Index("agent_requests_state", "state", "requested_at", "id"),
    Index("agent_requests_requested", "requested_at", "id"),
)

chat_threads = Table(
    "agent_chat_threads",
    metadata,
    Column("about", Text, primary_key=True),  # an incident's or a request's id
    Column("message", Text, nullable=False),  # the chat's own id of the message
)

chat_cursor = Table(
    "agent_chat_cursor",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("next_index", Integer, nullable=False),  # of the log: what is before it was told
)

seen = Table(
    "agent_log_seen",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row
    Column("next_index", Integer, nullable=False),
    Column("leaf", Text, nullable=False),
)

PROJECTIONS = (incidents, requests)
"""What can be rebuilt from the log; the inbox and the timers cannot."""


def stored_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_time(text_form: str) -> datetime:
    return datetime.fromisoformat(text_form).astimezone(UTC)
