"""One kind, listed once and then watched for as long as the process lives, on a thread of its own.

A watch that ends is resumed from the last version it told; where the server has forgotten that version, or was away
for long, the kind is listed anew and what is gone meanwhile is told. Faults are met with growing pauses (tenacity), and
told to whoever looks in the meantime. A kind that the server does not serve, or serves no more, is asked for again now
and then; but what every server has, and what was there a moment ago, is not believed to be gone because of one 404.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter
from tenacity.nap import sleep_using_event

from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.live.discovery import Catalogue, Resource
from agent.adapters.kubernetes.live.paging import Pages, newest
from agent.adapters.kubernetes.live.reading import levelled
from agent.adapters.kubernetes.live.slim import Shared, slim
from agent.adapters.kubernetes.live.watching import watched
from agent.adapters.kubernetes.owners import group_of
from agent.ports import ClusterFault, ClusterUnavailable, Gone, JsonObject, NotFound, WatchEvent

WATCH_S = 30  # then it is asked for anew: a line that died without a word stays unnoticed for 40 s at most
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
SHORTEST_WATCH_S = 1.0  # of a server that ends each watch at once, no more than this often is asked
HEALED_WITHIN_S = 2.0  # a watch that broke a moment ago is waited for; a server that restarts is not
UNSERVED_RETRY_S = 60.0  # a CRD is rarely new
VANISHED_AFTER_S = 10.0  # an API server that starts, or one behind the others, serves its CRDs a little later
RELISTED_AFTER_S = 15.0  # an etcd can be restored in such a break and count on past our version, in another history
CAUGHT_UP_S = 1.0  # what happened during a break is told at the beginning of the next watch, without a word at its end
SILENT_AT_MOST_S = 90.0  # three watches: a thread that hangs must not leave an old view that looks new
CUT_SHORT_AT_MOST = (
    5  # watches that end at once and tell nothing: whoever ends them may keep back what there is to tell
)
LISTED_IN_VAIN_S = 10.0  # a server that has forgotten already what it has just listed is not asked again at once

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
        self._broken_s: float | None = None  # since when
        self._missing_s: float | None = None  # since when the server says that it does not serve what it served
        self._listed_s: float | None = None  # when; None once the watch after it has ended
        self._cut_short = 0
        self._clock_s = time.monotonic
        self._heard_s = self._clock_s()
        self.lists = self.breaks = 0  # how often since the start, for whoever counts
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
                return self._silent()
            return self._fault or ClusterFault(f"{self.kind}: not listed within {timeout_s:g} s")

    def _silent(self) -> ClusterFault | None:
        lag_s = self.lag_s()
        return ClusterFault(f"nothing was heard for {lag_s:.0f} s") if lag_s > SILENT_AT_MOST_S else None

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
        except NotFound as missing:
            self._missing(missing)
            return
        self._missing_s = None
        self._begin_anew_if(resource)
        try:
            if self._version is None:
                self._list(resource)
            elif self._fault is not None:
                self._check_order(newest(self._connection, resource))
            self._watch(resource, str(self._version))
        except Gone as gone:
            self._forgotten(gone)
        except NotFound as missing:
            self._catalogue.doubt()
            raise ClusterUnavailable(f"it is served, and its list is not: {missing}") from missing

    def _begin_anew_if(self, resource: Resource) -> None:
        """In another version of its kind each object reads otherwise, under the same resourceVersion."""
        if resource != self._resource:
            with self._lock:
                self._known = dict.fromkeys(self._known, -1)
            self._resource, self._version = resource, None
        if self._broken_s is not None and self._clock_s() - self._broken_s > RELISTED_AFTER_S:
            self._version = None

    def _forgotten(self, gone: Gone) -> None:
        """Until it is listed anew nothing is seen: what happened in the gap is not known."""
        listed_s, self._listed_s = self._listed_s, None
        in_vain = listed_s is not None and self._clock_s() - listed_s < LISTED_IN_VAIN_S
        if self._version is None or in_vain:
            self._version = None
            raise gone  # a list that takes longer than the server remembers
        log.info("%s: version %s cannot be resumed, all are listed anew: %s", self.kind, self._version, gone)
        self._version = None
        with self._changed:
            self._settled = False

    def _missing(self, missing: NotFound) -> None:
        """A kind that every server has, and one that was there a moment ago, are not believed to be gone at once."""
        if "." not in group_of(self.versions[0]):  # a CRD's group always has one
            raise ClusterUnavailable(f"every server has it, and this one does not: {missing}") from missing
        now = self._clock_s()
        self._missing_s = now if self._missing_s is None else self._missing_s
        if self._resource is not None and now - self._missing_s < VANISHED_AFTER_S:
            self._catalogue.doubt()
            raise ClusterUnavailable(f"it was served and is not now: {missing}") from missing
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
        listed: set[Name] = set()
        for page in pages:
            with self._lock:
                listed.update(self._keep(resource, "ADDED", raw) for raw in page)
        with self._lock:
            version = int(pages.version) if pages.version.isdecimal() else 0
            until = version or sys.maxsize  # what a write of ours answered since is newer than the list
            gone = {name for name, known in self._known.items() if name not in listed and known <= until}
            self._forget(resource, gone, pages.version)
            self._shared = Shared()
            self._version = pages.version
            self._reached = version
        self._listed_s = self._clock_s()
        self.lists += 1

    def _check_order(self, version: int) -> None:
        if self._version is not None and 0 < version < int(self._version):
            with self._lock:
                self._known = dict.fromkeys(self._known, -1)  # whatever is listed now is newer than what we know
            raise Gone(f"the server's versions went back, from {self._version} to {version}")

    def _watch(self, resource: Resource, version: str) -> None:
        begun = self._clock_s()
        with watched(self._connection, resource, version, WATCH_S, self._fields) as events, self._seeing():
            for event in events:
                self._heard_s = self._clock_s()
                self._cut_short = -1
                self._note(resource, event)
                if self._stop.is_set():
                    return
        self._shared, self._listed_s = Shared(), None
        lasted_s = self._clock_s() - begun
        self._cut_short = self._cut_short + 1 if lasted_s < SHORTEST_WATCH_S else 0
        if self._cut_short >= CUT_SHORT_AT_MOST:
            self._cut_short, self._version = 0, None
        self._stop.wait(max(0.0, SHORTEST_WATCH_S - lasted_s))

    @contextmanager
    def _seeing(self) -> Iterator[None]:
        """At once after a list; after a break only when what happened meanwhile has had the time to be told."""
        if self._fault is None or self._listed_s is not None:
            self._sees()
            yield
            return
        caught_up = threading.Timer(CAUGHT_UP_S, self._sees)
        caught_up.daemon = True
        caught_up.start()
        try:
            yield
        finally:
            caught_up.cancel()

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
            self._tell(WatchEvent(change, self._part(raw)))
        return name

    def _part(self, raw: JsonObject) -> JsonObject:
        """What anybody may nest as deep as the server lets them must not end the view of all the others."""
        try:
            shared: JsonObject = self._shared.of(slim(raw))
        except RecursionError:
            log.warning("%s %s nests too deep: what lies deeper is not seen", self.kind, "/".join(_name(raw)))
            shared = self._shared.of(slim(levelled(raw)))
        return shared

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
            self._settled, self._fault, self._broken_s = True, None, None
            self._changed.notify_all()

    def _broken(self, error: BaseException | None) -> None:
        with self._changed:
            news = self._fault is None
            self.breaks += news
            self._broken_s = self._clock_s() if self._broken_s is None else self._broken_s
            self._listed_s = None
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
