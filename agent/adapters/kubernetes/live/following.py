"""One kind, listed once and then watched for as long as the process lives, on a thread of its own.

A watch that ends is resumed from the last version it told; where the server has forgotten that version, the kind is
listed anew and what is gone meanwhile is told. Faults are met with growing pauses (tenacity), and told to whoever looks
in the meantime. A kind that the server does not serve, or serves no more, is asked for again now and then.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter
from tenacity.nap import sleep_using_event

from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.live.discovery import Catalogue, Resource
from agent.adapters.kubernetes.live.paging import Pages
from agent.adapters.kubernetes.live.slim import Shared, slim
from agent.adapters.kubernetes.live.watching import watched
from agent.ports import ClusterFault, Gone, JsonObject, NotFound, WatchEvent

WATCH_S = 30  # then it is asked for anew: a line that died without a word stays unnoticed for 40 s at most
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
SHORTEST_WATCH_S = 1.0  # of a server that ends each watch at once, no more than this often is asked
HEALED_WITHIN_S = 2.0  # a watch that broke a moment ago is waited for; a server that restarts is not
UNSERVED_RETRY_S = 60.0  # a CRD is rarely new

Name = tuple[str, str]
Tell = Callable[[WatchEvent], None]

log = logging.getLogger("watchkeeper.apiserver")


class Follower:
    """`versions` are the API versions of one kind, the preferred one first. `tell` is called with the lock held."""

    def __init__(
        self, connection: Connection, catalogue: Catalogue, kind: str, versions: Sequence[str], fields: str, tell: Tell
    ) -> None:
        self.kind = kind
        self.versions = tuple(versions)
        self._connection, self._catalogue = connection, catalogue
        self._fields = fields
        self._tell = tell
        self._shared = Shared()
        self._lock = threading.Lock()
        self._resource: Resource | None = None
        self._version: str | None = None  # None: to be listed
        self._known: dict[Name, int] = {}
        self._reached = 0  # the newest version that the watch has told
        self._changed = threading.Condition()
        self._settled = False  # listed and watched, or known not to be served
        self._fault: ClusterFault | None = None
        self._clock_s = time.monotonic
        self._heard_s = self._clock_s()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follows {kind}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def wait(self, timeout_s: float) -> ClusterFault | None:
        """Until it sees: None then, else what keeps it from seeing. A first list has the time, a fault has not."""
        end = self._clock_s() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: self._settled or self._fault is not None, timeout_s)
            left_s = min(HEALED_WITHIN_S, max(0.0, end - self._clock_s()))
            if self._changed.wait_for(lambda: self._settled and self._fault is None, left_s):
                return None
            return self._fault or ClusterFault(f"{self.kind}: not listed within {timeout_s:g} s")

    def lag_s(self) -> float:
        return self._clock_s() - self._heard_s

    def changed(self, after: JsonObject) -> None:
        """What a write answered. The watch may have told it, and more, already."""
        with self._lock:
            known = self._resource
            if known is not None and after.get("apiVersion") == known.api_version and _version(after) > self._reached:
                self._keep(known, "MODIFIED", after)

    # -- on its own thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            tries = Retrying(
                retry=retry_if_exception_type(
                    Exception
                ),  # a thread that ends unnoticed leaves an old view that looks new
                wait=wait_exponential_jitter(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=FIRST_PAUSE_S),
                stop=stop_when_event_set(self._stop),
                sleep=sleep_using_event(self._stop),
                before_sleep=lambda state: self._broken(state.outcome.exception() if state.outcome else None),
                retry_error_callback=lambda state: None,
            )
            tries(self._round)

    def _round(self) -> None:
        """Lists if that is needed, then watches once, to the end of that watch."""
        try:
            resource = self._served()
            if resource != self._resource:
                self._resource, self._version = resource, None
            if self._version is None:
                self._list(resource)
            elif self._fault is not None:
                self._check_history(resource)
            self._watch(resource, str(self._version))
        except Gone as gone:
            if self._version is None:
                raise  # a list that takes longer than the server remembers
            log.info("%s: version %s cannot be resumed, all are listed anew: %s", self.kind, self._version, gone)
            self._version = None
        except NotFound:
            if self._resource is not None:
                self._catalogue.doubt()
            self._vanished()
            self._stop.wait(UNSERVED_RETRY_S)

    def _served(self) -> Resource:
        missing: NotFound | None = None
        for version in self.versions:
            try:
                found = self._catalogue.find(version, self.kind)
            except NotFound as fault:
                missing = fault
                continue
            if {"list", "watch"} <= found.verbs:
                return found
        raise missing or NotFound(f"{self.kind} cannot be watched")

    def _list(self, resource: Resource) -> None:
        selected = [("fieldSelector", self._fields)] if self._fields else []
        pages = Pages(self._connection, resource, query=selected)
        before = set(self._known)
        for page in pages:
            with self._lock:
                for raw in page:
                    before.discard(self._keep(resource, "ADDED", raw))
        with self._lock:
            self._forget(resource, before, pages.version)
            self._shared = Shared()
            self._version = pages.version
            self._reached = int(pages.version) if pages.version.isdecimal() else 0

    def _check_history(self, resource: Resource) -> None:
        """An etcd that was restored counts on from an earlier version: there is nothing to resume."""
        pages = Pages(self._connection, resource)
        next(iter(pages), None)
        self._check_order(int(pages.version) if pages.version.isdecimal() else 0)

    def _check_order(self, version: int) -> None:
        if self._version is not None and 0 < version < int(self._version):
            with self._lock:
                self._known = dict.fromkeys(self._known, -1)  # whatever is listed now is newer than what we know
            raise Gone(f"the server's versions went back, from {self._version} to {version}")

    def _watch(self, resource: Resource, version: str) -> None:
        begun = self._clock_s()
        with watched(self._connection, resource, version, WATCH_S, self._fields) as events:
            self._sees()
            for event in events:
                self._heard_s = self._clock_s()
                self._note(resource, event)
                if self._stop.is_set():
                    return
        self._shared = Shared()
        self._stop.wait(max(0.0, SHORTEST_WATCH_S - (self._clock_s() - begun)))

    def _note(self, resource: Resource, event: WatchEvent) -> None:
        version = _version(event.object)
        self._check_order(version)
        with self._lock:
            self._reached = max(self._reached, version)
            if event.type in ("ADDED", "MODIFIED"):
                self._keep(resource, event.type, event.object)
            elif event.type == "DELETED" and self._known.get(_name(event.object), 0) <= version:
                self._known.pop(_name(event.object), None)
                self._tell(WatchEvent("DELETED", slim(event.object)))
            self._version = str(version) if version else self._version

    # -- with the lock held --------------------------------------------------------------------------------------------

    def _keep(self, resource: Resource, change: str, raw: JsonObject) -> Name:
        name, version = _name(raw), _version(raw)
        if self._known.get(name, -2) < version:
            self._known[name] = version
            self._tell(WatchEvent(change, self._shared.of(slim(raw))))
        return name

    def _forget(self, resource: Resource, names: set[Name], version: str) -> None:
        for namespace, name in sorted(names):
            self._known.pop((namespace, name), None)
            metadata = {"name": name, "resourceVersion": version, **({"namespace": namespace} if namespace else {})}
            gone: JsonObject = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
            self._tell(WatchEvent("DELETED", gone))

    # -- what others are told ------------------------------------------------------------------------------------------

    def _vanished(self) -> None:
        with self._lock:
            if self._resource is not None:
                log.warning("%s %s is served no more", self._resource.api_version, self.kind)
                self._forget(self._resource, set(self._known), str(self._reached))
            self._resource = self._version = None
        self._sees()

    def _sees(self) -> None:
        self._heard_s = self._clock_s()
        with self._changed:
            self._settled, self._fault = True, None
            self._changed.notify_all()

    def _broken(self, error: BaseException | None) -> None:
        with self._changed:
            news = self._fault is None
            self._fault = error if isinstance(error, ClusterFault) else ClusterFault(str(error))
            self._changed.notify_all()
        log.log(logging.WARNING if news else logging.DEBUG, "%s is not followed now: %s", self.kind, error)


def _name(raw: JsonObject) -> Name:
    metadata = raw.get("metadata")
    words = metadata if isinstance(metadata, dict) else {}
    return str(words.get("namespace") or ""), str(words.get("name") or "")


def _version(raw: JsonObject) -> int:
    metadata = raw.get("metadata")
    text = str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""
    return int(text) if text.isdecimal() else 0
