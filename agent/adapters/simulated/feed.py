"""What the world says by itself: corev1 Events, and nodes whose conditions changed."""

from agent.adapters.simulated.merge import copied
from agent.adapters.simulated.store import Change, ObjectStore, Origin
from agent.ports import WatchEvent


class EventFeed:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen = store.version

    def take(self) -> list[WatchEvent]:
        """What is new since the last time, oldest first."""
        news = self._store.changes[self._seen :]
        self._seen = self._store.version
        return [WatchEvent(change.type, copied(change.object)) for change in news if _is_news(change)]


def _is_news(change: Change) -> bool:
    if change.origin is Origin.LOADED or change.after is None or change.key.group:
        return False
    if change.key.kind == "Event":
        return True
    return change.key.kind == "Node" and _conditions(change.before) != _conditions(change.after)


def _conditions(node: object) -> object:
    return (node.get("status") or {}).get("conditions") if isinstance(node, dict) else None
