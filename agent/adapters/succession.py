"""What an agent that takes charge has to learn first, where the log lies apart from its other state: the file beside it
may be new, or from the last time that this agent led.

The log is the authority, so what is projected of it is brought up to its end: open incidents, requests that wait for
people. A thread that another agent has moved on since is forgotten here, and is taken up by the log
(`agent/resuming.py`). What only the other's file had, signals that were stored and not looked at, is not here.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from agent.adapters.store import KINDS, Seen, Store
from agent.ports import LedgerUnavailable, StoreUnavailable
from audit.errors import LogError
from audit.log import Log, Record
from audit.record import timestamp

KEPT_DAYS = 30  # of what has ended; nothing looks back further, and a log of a year would not fit into memory
STARTS = "configuration"
"""The kind of record that each agent leaves when it takes charge."""

logger = logging.getLogger("watchkeeper.succession")


class Succession:
    """`forget` drops the checkpoints of an incident's thread."""

    def __init__(self, store: Store, log: Log, forget: Callable[[str], None]) -> None:
        self._store, self._log, self._forget = store, log, forget

    def take_over(self, *, elected: bool) -> int:
        """The number of incidents that were brought up to date. Raises LedgerUnavailable, StoreUnavailable.

        Without an election others may be at work on the same log, each with incidents of its own: only an agent that
        knows nothing at all takes over what it finds.
        """
        try:
            return self._taken_over(elected=elected)
        except LogError as error:
            raise LedgerUnavailable(f"what is open cannot be read: {error}") from error

    def note(self, still: Callable[[], bool]) -> None:
        """All that is in the log now is projected here, if it is `still` us who lead: asked after the log's end."""
        try:
            size = self._log.size()
            known = self._known(size)
            if known is not None and still() and self._store.seen.get() != known:
                self._store.seen.set(known)
        except (LogError, StoreUnavailable) as error:
            logger.info("not noted how far the log is known: %s", error)

    def _taken_over(self, *, elected: bool) -> int:
        seen, size = self._store.seen.get(), self._log.size()
        if seen is None or not self._is_this_log(seen, size):
            if seen is not None:
                logger.warning("the database belongs to another log, or this one was set back: it is read anew")
            return self._told(self._store.add_projections(self._log.query(kind=KINDS, since=self._beginning())))
        others = next(iter(self._log.query(kind=STARTS, after_index=seen.next_index - 1, limit=1)), None)
        if others is None or not elected:
            return 0
        return self._told(self._brought_up(self._touched(seen.next_index)))

    def _beginning(self) -> str:
        """Of the oldest incident that is open, or of what has ended lately."""
        over = {_incident_of(record) for record in self._log.query(kind="incident_closed")}
        opened = (record.at for record in self._log.query(kind="incident") if _incident_of(record) not in over)
        lately = timestamp(self._store.clock.now() - timedelta(days=KEPT_DAYS))
        return min(next(opened, lately), lately)

    def _touched(self, first: int) -> list[str]:
        """Incidents of which something was recorded from there on, in the order in which it was."""
        records = self._log.query(kind=KINDS, after_index=first - 1)
        return list(dict.fromkeys(filter(None, map(_incident_of, records))))

    def _brought_up(self, incidents: list[str]) -> int:
        for incident in incidents:
            self._store.add_projections(self._log.query(kind=KINDS, incident=incident))
            self._forget(incident)
        return len(incidents)

    def _told(self, count: int) -> int:
        if count:
            logger.info("%d incidents of the log were not, or not so, in the database", count)
        return count

    def _known(self, size: int) -> Seen | None:
        return Seen(size, self._log.leaf(size - 1).hex()) if size else None

    def _is_this_log(self, seen: Seen, size: int) -> bool:
        with suppress(LogError):
            return seen.next_index <= size and self._log.leaf(seen.next_index - 1).hex() == seen.leaf
        return False


def _incident_of(record: Record) -> str:
    return record.attributes.get("incident", "")
