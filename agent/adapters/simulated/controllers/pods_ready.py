"""Kueue's patience: an admitted workload whose pods do not get ready in time is sent back, each time for longer.

Its clock runs from what this world itself has done: an admission or a lost readiness that the scenario wrote stands as
it is told. After as many returns as the configuration allows the workload is deactivated.
"""

from collections.abc import Iterable
from datetime import timedelta

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.evictions import evict, requeued
from agent.adapters.simulated.gangs import WORKLOAD, is_active, is_admitted
from agent.adapters.simulated.kueue_config import PodsReadyRule, pods_ready_rule
from agent.adapters.simulated.store import Change, Origin
from agent.domain.base import rfc3339
from agent.ports import JsonObject

REASON = "PodsReadyTimeout"


class PodsReadyTimeouts:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) != WORKLOAD or change.after is None:
            return ()
        if change.origin is not Origin.WORLD or _waits_since(change.before) == _waits_since(change.after):
            return ()
        return (change.key,)

    def reconcile(self, key: Key) -> None:
        """Starts the clock; what it is about is looked at again when it has run out."""
        gang = self._control.get(key)
        since = _waits_since(gang)
        allowed = self._allowed(gang) if gang is not None else None
        if since is not None and allowed is not None:
            self._control.after(allowed, lambda: self._time_out(key, since))

    def _allowed(self, gang: JsonObject) -> timedelta | None:
        rule = pods_ready_rule(self._control.store)
        recovers = (pods.condition(gang, "PodsReady") or {}).get("reason") == "WaitForRecovery"
        return rule.recovery_timeout if recovers and rule.timeout is not None else rule.timeout

    def _time_out(self, key: Key, since: str) -> None:
        gang = self._control.get(key)
        if gang is None or _waits_since(gang) != since or not is_active(gang) or self._control.pinning.pinned(gang):
            return
        rule = pods_ready_rule(self._control.store)
        count = int(((gang.get("status") or {}).get("requeueState") or {}).get("count") or 0) + 1
        if rule.backoff.exhausted(count):
            self._give_up(gang)
        else:
            self._send_back(key, gang, rule, count)

    def _give_up(self, gang: JsonObject) -> None:
        why = "exceeding the maximum number of re-queuing retries"
        said = pods.said("DeactivationTarget", True, "RequeuingLimitExceeded", why)
        conditions = pods.with_conditions(gang, self._control.now, said)
        self._control.patch(gang, {"spec": {"active": False}, "status": {"conditions": conditions}})

    def _send_back(self, key: Key, gang: JsonObject, rule: PodsReadyRule, count: int) -> None:
        again = timedelta(seconds=rule.backoff.delay_s(count))
        name = f"{key.namespace}/{key.name}" if key.namespace else key.name
        state = {"count": count, "requeueAt": rfc3339(self._control.now + again)}
        evict(self._control, gang, REASON, f"Exceeded the PodsReady timeout {name}", status={"requeueState": state})
        self._control.after(again, lambda: self._let_wait(key, state["requeueAt"]))

    def _let_wait(self, key: Key, due: object) -> None:
        """The back-off is over, unless it was sent back again meanwhile, or its state was cleared."""
        gang = self._control.get(key)
        state = ((gang or {}).get("status") or {}).get("requeueState") or {}
        if gang is None or state.get("requeueAt") != due or not is_active(gang):
            return
        said = requeued("BackoffFinished", "The workload backoff was finished")
        conditions = pods.with_conditions(gang, self._control.now, said)
        self._control.patch(gang, {"status": {"conditions": conditions, "requeueState": {"requeueAt": None}}})


def _waits_since(gang: JsonObject | None) -> str | None:
    """Since when it has been admitted without being ready; None when it is ready or not admitted."""
    if gang is None or not is_admitted(gang) or pods.holds(gang, "PodsReady") or pods.holds(gang, "Finished"):
        return None
    said = pods.condition(gang, "PodsReady")
    lost = said is not None and said.get("reason") == "WaitForRecovery"
    since = said if lost else pods.condition(gang, "Admitted")
    return str((since or {}).get("lastTransitionTime") or "") or None
