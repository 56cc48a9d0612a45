"""An Event on each object that we changed (events.k8s.io/v1), for whoever looks at the object and not at our log.

Written on a thread of its own, after the change: nothing waits for it, and nothing fails because it could not be
written. The log is the evidence; this is a courtesy.
"""

import logging
import queue
import threading
from dataclasses import dataclass

from agent.acting import Deed, acting, current
from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.mirror import CONTROLLER
from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import Clock, ClusterFault, Conflict, JsonObject

WAITING_AT_MOST = 1_000  # an API server that answers nothing: then the oldest deeds are told, the newest are not
CLOSE_TIMEOUT_S = 2.0
NOTE_CHARS = 1_000  # the server takes 1,024
NAME_CHARS = 200
_OURS_OR_NOBODYS = "default"  # where Events about what lies in no namespace are kept

log = logging.getLogger("watchkeeper.apiserver")


@dataclass(frozen=True, slots=True)
class _Note:
    event: JsonObject
    deed: Deed


class DeedWriter:
    def __init__(self, connection: Connection, clock: Clock, instance: str) -> None:
        self._connection = connection
        self._clock = clock
        self._instance = instance
        self._waiting: queue.Queue[_Note | None] = queue.Queue(WAITING_AT_MOST)
        self._thread = threading.Thread(target=self._run, name="tells what was done", daemon=True)
        self._thread.start()

    def note(self, ref: ObjectRef, after: JsonObject, verb: str) -> None:
        """Only what is done for an incident: the agent's own housekeeping is nobody's news."""
        deed = current()
        if deed is None or ref.kind == "Event":
            return
        event = event_of(deed, ref, after, verb, rfc3339(self._clock.now()), self._instance)
        try:
            self._waiting.put_nowait(_Note(event, deed))
        except queue.Full:
            log.warning("no Event is written about %s: %d others wait", ref, WAITING_AT_MOST)

    def close(self) -> None:
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while (note := self._waiting.get()) is not None:
            path = f"/apis/events.k8s.io/v1/namespaces/{note.event['metadata']['namespace']}/events"
            try:
                with acting(note.deed):
                    self._connection.write("POST", path, [("fieldManager", "watchkeeper")], note.event)
            except Conflict:
                log.debug("the Event %s is there already", note.event["metadata"]["name"])
            except ClusterFault as fault:
                log.warning("no Event is written about %s: %s", note.event["regarding"]["name"], fault)


def event_of(deed: Deed, ref: ObjectRef, after: JsonObject, verb: str, moment: str, instance: str) -> JsonObject:
    """The same deed has the same name: an Event that is there already is not written twice."""
    metadata = after.get("metadata") or {}
    about = {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name, "namespace": ref.namespace}
    digest = digest_of({"step": deed.step, "verb": verb, "object": str(ref)}).rpartition(":")[2][:16]
    namespace = ref.namespace or _OURS_OR_NOBODYS
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{ref.name[:NAME_CHARS]}.{digest}",
            "namespace": namespace,
            "annotations": {"watchkeeper.dev/incident": deed.incident, "watchkeeper.dev/action": deed.step},
        },
        "eventTime": _micro(moment),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "type": "Normal",
        "reason": "".join(word.capitalize() for word in deed.action.split("_"))[:128],
        "action": verb,
        "regarding": {name: value for name, value in {**about, "uid": metadata.get("uid")}.items() if value},
        "note": f"{deed.action} for incident {deed.incident} (step {deed.step})"[:NOTE_CHARS],
    }


def _micro(moment: str) -> str:
    """MicroTime: six digits behind the point, always."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<6.6}Z"
