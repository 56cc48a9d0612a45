"""What the agent keeps beside the log, in the same file: the inbox of signals, wake-ups, and projections of the log.

Only the inbox and the timers are state of their own; incidents and approvals can be rebuilt from the log. Several
processes (the agent, a person's command line) use one file at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from agent.adapters.store import projections
from agent.adapters.store.chat import SqlChat
from agent.adapters.store.database import Database, Durability
from agent.adapters.store.desk import SqlApprovalDesk
from agent.adapters.store.inbox import SqlInbox
from agent.adapters.store.incidents import IncidentRow, SqlIncidents
from agent.adapters.store.projections import KINDS, Recorded
from agent.adapters.store.seen import Seen, SqlSeen
from agent.adapters.store.timers import SqlTimers
from agent.ports import Clock, Ledger

__all__ = ["KINDS", "Durability", "IncidentRow", "Recorded", "Seen", "Store"]


class Store:
    """One file's `inbox`, `timers`, `incidents`, `desk`, `chat` and `seen`."""

    def __init__(self, database: Database, clock: Clock, ledger: Ledger) -> None:
        self._database = database
        self.clock = clock
        self.inbox = SqlInbox(database, clock)
        self.timers = SqlTimers(database)
        self.incidents = SqlIncidents(database, clock)
        self.desk = SqlApprovalDesk(database, ledger, clock)
        self.chat = SqlChat(database)
        self.seen = SqlSeen(database)

    @classmethod
    def open(cls, path: str | Path, *, clock: Clock, ledger: Ledger, durability: Durability = "full") -> Store:
        """Opens the store in a SQLite file, and creates its tables there if they are not yet."""
        return cls(Database(Path(path), durability), clock, ledger)

    def rebuild_projections(self, log: Iterable[Recorded]) -> None:
        """Replaces incidents and approvals by what the log says."""
        projections.rebuild(self._database, log)

    def add_projections(self, log: Iterable[Recorded]) -> int:
        """Brings what these records tell of up to them, and leaves all else; how many incidents they are about."""
        return projections.add(self._database, log)

    def rewrite_projections(self, incident: str, log: Iterable[Recorded]) -> None:
        """Replaces what is projected of one incident by what its records say now."""
        projections.rewrite(self._database, incident, log)

    def drop_closed(self, before: datetime) -> int:
        """Lets go of incidents that were closed before that; how many."""
        return projections.drop_closed(self._database, before)

    def flush_erased(self) -> bool:
        """Whether what was overwritten is gone from the write-ahead log, too; a reader may keep it for a while."""
        return self._database.flush_erased()

    def close(self) -> None:
        self._database.close()
