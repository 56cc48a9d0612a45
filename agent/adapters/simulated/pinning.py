"""Objects that controllers leave alone: annotated as pinned, until the agent has changed them.

Pinning is per object. The timeline pins anew by naming the annotation again.
"""

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change, Origin
from agent.ports import JsonObject

PINNED_ANNOTATION = "watchkeeper.dev/pinned"


class Pinning:
    def __init__(self) -> None:
        self._released: set[Key] = set()

    def pinned(self, manifest: JsonObject) -> bool:
        annotations = manifest["metadata"].get("annotations") or {}
        return annotations.get(PINNED_ANNOTATION) == "true" and key_of(manifest) not in self._released

    def note(self, change: Change) -> None:
        if change.origin is Origin.AGENT:
            self._released.add(change.key)
        if change.type != "MODIFIED" and change.origin is not Origin.AGENT:
            self._released.discard(change.key)

    def pin_again(self, key: Key) -> None:
        self._released.discard(key)


def names_pinning(manifest: JsonObject) -> bool:
    """Does this manifest itself ask for pinning?"""
    return ((manifest.get("metadata") or {}).get("annotations") or {}).get(PINNED_ANNOTATION) == "true"
