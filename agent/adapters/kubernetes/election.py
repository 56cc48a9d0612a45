"""Keeps a Lease while this process may act: a thread that asks for it, renews it, and gives it back.

Whether it is held is answered from memory and our own clock (`held`), never by asking the server: a server that does
not answer must not keep us acting. The rules are in leasing.py. The client library's own leader election was looked at
and left: it goes by the wall clock, dies of a connection error, tells nobody when it stops, and gives nothing back.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

from agent.adapters.kubernetes.lease_api import LeaseApi
from agent.adapters.kubernetes.leasing import CLIENT_GO, Mind, Role, Terms, released, taken
from agent.ports import Clock, ClusterFault, Conflict, JsonObject, NotFound

STOP_TIMEOUT_S = 8.0  # a round is two requests of 3 s at most, and giving back is one more
log = logging.getLogger("watchkeeper.lease")


def monotonic_s() -> float:
    """Seconds that go on while the machine sleeps, where the system can tell: a laptop that wakes up leads nobody."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot) if boot is not None else time.monotonic()


def identity(started: datetime) -> str:
    """Who holds it: two processes on one host, or one after the other in one pod, are not the same."""
    return f"{socket.gethostname()}_{os.getpid()}_{int(started.timestamp() * 1000):x}"


class Election:
    """`changed` is called (from the thread) whenever the role is another one."""

    def __init__(
        self,
        api: LeaseApi,
        name: tuple[str, str],
        me: str,
        wall: Clock,
        changed: Callable[[], None],
        terms: Terms = CLIENT_GO,
        clock_s: Callable[[], float] = monotonic_s,
    ) -> None:
        self._api, self._name, self._wall, self._changed = api, name, wall, changed
        self._clock_s = clock_s
        self._mind = Mind(me, terms)
        self._lock = threading.Lock()  # one round at a time, and none while it is given back
        self._fault: str | None = None
        self._told: Role | None = None
        self._resigned = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    # --- what others ask ---

    def held(self) -> bool:
        return self.role is Role.LEADING

    @property
    def role(self) -> Role:
        return Role.STANDBY if self._resigned else self._mind.role(self._clock_s())

    def standing(self) -> JsonObject:
        """For /readyz."""
        mind = self._mind
        return {
            "role": self.role.value,
            "lease": "/".join(self._name),
            "holder": mind.seen.holder if mind.seen else "",
            "fault": self._fault,
        }

    # --- the thread ---

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Gives the lease back. To be called when nothing acts any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)
        self.give_back()

    def give_back(self) -> None:
        """A round under way may still win it: the flag stands before, and what was won is given back after."""
        self._resigned = True
        with self._lock:
            held, self._mind = self._mind.led, self._mind.gave_up()
            if not held:
                return
            try:
                lease = self._api.get()
                if (lease.get("spec") or {}).get("holderIdentity") == self._mind.me:
                    self._api.replace(released(lease, self._wall.now()))
            except ClusterFault as fault:
                log.warning("the lease is not given back, and runs out by itself: %s", fault)
        self._tell()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.round()
            self._stopped.wait(self._mind.terms.retry_s)

    def round(self) -> None:
        """Asks once. What goes wrong is remembered, and tried again at the next."""
        with self._lock:
            try:
                self._mind = self._asked()
                self._fault = None
            except Conflict:
                self._fault = None  # somebody was faster; the next look says who
            except ClusterFault as fault:
                self._fault = str(fault)
                log.debug("%s", fault)
        self._tell()

    def _asked(self) -> Mind:
        try:
            lease: JsonObject | None = self._api.get()
        except NotFound:
            lease = None
        mind = self._mind = self._mind.observed(lease, self._clock_s())
        if self._stopped.is_set() or not mind.may_take(self._clock_s()):
            return mind
        wanted = taken(lease, mind.me, mind.terms, self._name, self._wall.now())
        asked_at = self._clock_s()
        written = self._api.create(wanted) if lease is None else self._api.replace(wanted)
        return mind.took(written, asked_at, self._clock_s(), made=lease is None)

    def _tell(self) -> None:
        """A suspended leader may only be noticed when its next round is over: `held` knows at once."""
        role = self.role
        if role is self._told:
            return
        before, self._told = self._told, role
        log.info("lease %s: %s%s", "/".join(self._name), role.value, f" (was {before.value})" if before else "")
        self._changed()
