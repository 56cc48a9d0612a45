"""Telling people. The first door is the process's own log; Slack and mail have rooms of their own later."""

import logging

from agent.domain.cluster import ObjectRef

log = logging.getLogger("watchkeeper.notify")


class LogNotifier:
    """Writes each notification once to the process log (standard error of `watchkeeper run`)."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
        if key in self._told:
            return
        self._told.add(key)
        log.warning("to %s about %s: %s", audience, subject, message)
