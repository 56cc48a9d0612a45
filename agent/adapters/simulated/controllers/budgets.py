"""PodDisruptionBudgets count again when the pods they guard change."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import disruption
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change


class Budgets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "PodDisruptionBudget":
            return (change.key,) if not change.status_only else ()
        if change.key.kind != "Pod":
            return ()
        budgets = self._control.store.of_kind("policy", "PodDisruptionBudget")
        return tuple(key_of(budget) for budget in budgets if disruption.guards(budget, change.object))

    def reconcile(self, key: Key) -> None:
        budget = self._control.get(key)
        if budget is not None:
            everything = self._control.store.of_kind("", "Pod")
            status = disruption.counted(budget, everything, self._control.store.get)
            self._control.patch(budget, {"status": status})
