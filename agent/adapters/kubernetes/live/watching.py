"""One watch of one kind, until the server ends it: its lines as events, bookmarks among them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.live.discovery import Resource
from agent.adapters.kubernetes.live.reading import parsed
from agent.adapters.kubernetes.live.refusals import fault_in
from agent.ports import ClusterUnavailable, WatchEvent

SILENCE_S = 10.0  # how much longer than asked for a watch may last before its line counts as dead


@contextmanager
def watched(
    connection: Connection, resource: Resource, version: str, lasts_s: int, fields: str = ""
) -> Iterator[Iterator[WatchEvent]]:
    """Raises ClusterFault, Gone among them, then or while it is read."""
    query = [("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", version)]
    query += [("timeoutSeconds", str(lasts_s))] + ([("fieldSelector", fields)] if fields else [])
    path = resource.collection()
    with connection.stream(path, query, read_timeout_s=lasts_s + SILENCE_S) as lines:
        yield (_event(line, path) for line in lines)


def _event(line: bytes, path: str) -> WatchEvent:
    try:
        told: Any = parsed(line)
        kind, found = str(told["type"]), told["object"]
    except (ValueError, TypeError, KeyError) as error:
        raise ClusterUnavailable(f"watch of {path}: a line that is no event: {line[:100]!r}") from error
    if kind == "ERROR" or not isinstance(found, dict):
        raise fault_in(found if isinstance(found, dict) else {}, f"watch of {path}")
    return WatchEvent(kind, found)
