"""ResourceQuotas count again when pods come and go; whoever was refused a pod then tries once more."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods, quota
from agent.adapters.simulated.admitted_pods import QUOTA
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change


class ResourceQuotas:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == QUOTA:
            return () if change.status_only else (change.key,)
        if change.key.kind != "Pod" or not _comes_or_goes(change):
            return ()
        return [key_of(each) for each in self._control.store.of_kind(*QUOTA) if quota.counts(each, change.object)]

    def reconcile(self, key: Key) -> None:
        limit = self._control.get(key)
        if limit is None:
            return
        hard = quota.hard_of(limit)
        before = quota.used_of(limit, ())
        used = quota.counted(limit, self._control.store.of_kind("", "Pod"))
        told = {"hard": quota.shown(hard), "used": quota.shown(used)}
        raised = (limit.get("status") or {}).get("hard") != told["hard"]
        self._control.patch(limit, {"status": told})
        if raised or any(used[name] < before.get(name, used[name]) for name in used):
            self._control.try_again(key.namespace)


def _comes_or_goes(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return pods.finished(before) != pods.finished(after)
