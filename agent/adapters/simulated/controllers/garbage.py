"""What its owners left behind goes too."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import owner_keys
from agent.adapters.simulated.store import Change


class GarbageCollection:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        return (change.key,) if change.type == "DELETED" else ()

    def reconcile(self, key: Key) -> None:
        if self._control.get(key) is not None:
            return  # made again meanwhile
        for dependent in self._control.store.owned_by(key):
            if all(self._control.get(owner) is None for owner in owner_keys(dependent)):
                self._control.delete(dependent)
