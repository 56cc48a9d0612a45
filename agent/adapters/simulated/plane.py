"""The control plane: tells controllers what changed and lets them work until nothing is left to do.

Who owns state is decided here. What a scenario wrote stays as written: the initial objects wake nobody but those who
start what nobody has started yet, and a status written by the timeline only those who watch statuses. So a pod that the
timeline makes fail is not replaced until something else happens to its owner.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import shown
from agent.adapters.simulated.store import Change, Origin

RECONCILES_LIMIT = 200_000  # per settling; far above any real burst, so whoever reaches it goes in circles


class Controller(Protocol):
    starts_what_was_loaded: bool  # also heeds the initial objects
    watches_statuses: bool  # also heeds a status that the scenario wrote

    def wants(self, change: Change) -> Iterable[Key]:
        """Which objects to look at because of this change. Told of every change, even of those it does not heed."""
        ...

    def reconcile(self, key: Key) -> None:
        """Brings the world nearer to what the object of that key asks for."""
        ...


class ControlPlane:
    def __init__(self, control: Control, controllers: Sequence[Controller]) -> None:
        self._control = control
        self._controllers = controllers
        self._queues: list[dict[Key, None]] = [{} for _ in controllers]

    @property
    def busy(self) -> bool:
        return any(self._queues)

    def note(self, change: Change) -> None:
        for controller, queue in zip(self._controllers, self._queues, strict=True):
            for key in controller.wants(change):
                if heeds(controller, change):
                    queue[key] = None

    def wake(self, key: Key) -> None:
        """Lets those who work at that object look at it again, as if somebody had touched it."""
        manifest = self._control.get(key)
        if manifest is not None:
            self.note(Change(0, "MODIFIED", key, manifest, manifest, Origin.WORLD))

    def settle(self) -> None:
        """Earlier controllers first, each in the order of its news; the scheduler is last and sees the result."""
        for _ in range(RECONCILES_LIMIT):
            found = next((index for index, queue in enumerate(self._queues) if queue), None)
            if found is None:
                return
            key = next(iter(self._queues[found]))
            del self._queues[found][key]
            manifest = self._control.get(key)
            if manifest is None or not self._control.pinning.pinned(manifest):
                self._controllers[found].reconcile(key)
        raise RuntimeError(f"controllers do not settle: {type(self._controllers[found or 0]).__name__} on {shown(key)}")


def heeds(controller: Controller, change: Change) -> bool:
    if change.origin is Origin.LOADED:
        return controller.starts_what_was_loaded
    if change.origin is Origin.SCENARIO and change.status_only:
        return controller.watches_statuses or _succeeded(change)
    return True


def _succeeded(change: Change) -> bool:
    """A pod that the scenario says has done its work: that is no sickness to be kept, its job may count it."""
    return change.key.kind == "Pod" and (change.object.get("status") or {}).get("phase") == "Succeeded"
