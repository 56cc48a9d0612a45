"""What a fault of the API server or of the agent's own files puts off again and again: after a while a person hears of
it, and it is on the record.

One that is away and one that refuses everything look alike from here: nothing is done until it answers. While other
tasks go on, it is this one's matter. In memory: after a restart the time counts from the first try.
"""

import logging
from datetime import datetime

from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import Fault, Ledger, Notifier, StoreUnavailable
from agent.recording import call

API_SERVER = ObjectRef(api_version="v1", kind="APIServer", name="kubernetes")
FILES = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Store", name="database")
FILES_PLACE = StoreUnavailable.place
PLACES = ("apiserver", "clock", FILES_PLACE)  # policies, metrics and repairs are called about where they are asked

log = logging.getLogger("watchkeeper.watch")


class Absence:
    def __init__(self, notifier: Notifier, ledger: Ledger, call_after_s: int) -> None:
        self._notifier = notifier
        self._ledger = ledger
        self._call_after_s = call_after_s
        self._since: dict[str, datetime] = {}  # by task
        self._all_since: datetime | None = None  # since when nothing that asks the API server has worked

    def works(self, task: str) -> None:
        self._since.pop(task, None)
        self._all_since = None

    def fails(self, task: str, subject: ObjectRef | None, fault: Fault, now: datetime) -> None:
        """Calls the person on duty once for each time that this lasts: once for all, or for each that lags behind."""
        if fault.place not in PLACES:
            return
        since = self._since.setdefault(task, now)
        self._all_since = self._all_since or now
        if (now - self._all_since).total_seconds() >= self._call_after_s:
            since = self._all_since
            about = f"{len(self._since)} tasks, {task} among them, are"
            away = FILES if fault.place == FILES_PLACE else API_SERVER
            self._call(away, f"{away.kind.lower()}-away-{rfc3339(since)}", about, since, fault)
        elif (now - since).total_seconds() >= self._call_after_s:
            self._call(subject or API_SERVER, f"{task}/put-off-{rfc3339(since)}", f"{task} is", since, fault)

    def _call(self, subject: ObjectRef, name: str, about: str, since: datetime, fault: Fault) -> None:
        message = (
            f"{about} put off since {rfc3339(since)} and tried again, nothing else is done: {fault.place}: {fault}"
        )
        try:
            call(self._notifier, self._ledger, subject, message[:2000], key=f"{name}/notice")
        except Fault as unheard:  # a log that is away, too: the next try comes within a minute
            log.warning("nobody could be called: %s (%s)", unheard, message)
