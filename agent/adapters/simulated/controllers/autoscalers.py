"""HorizontalPodAutoscalers: every quarter of a minute the target gets as many replicas as its metrics ask for.

One whose metrics nobody can read is left as the scenario wrote it, until its spec is changed or a first number comes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from agent.adapters.kubernetes.owners import Key, group_of
from agent.adapters.simulated import autoscale, pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.scaling_metrics import Scaled, ScalingMetrics
from agent.adapters.simulated.store import Change, Origin
from agent.domain.base import rfc3339
from agent.ports import JsonObject

KIND = ("autoscaling", "HorizontalPodAutoscaler")
SYNC = timedelta(seconds=15)
REMEMBERED = timedelta(hours=1)  # the longest window of stabilisation there is
FAILED = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


class HorizontalPodAutoscalers:
    starts_what_was_loaded = True
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._metrics = ScalingMetrics(control.series)
        self._awake: set[str] = set()  # uids of those that are not as the scenario wrote them any more
        self._past: dict[str, list[tuple[datetime, int]]] = {}  # uid -> what was wished for
        self._ticking = False

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) != KIND or change.status_only:
            return ()
        if change.after is not None and change.origin is not Origin.LOADED:
            self._awake.add(change.after["metadata"]["uid"])
        return (change.key,)

    def reconcile(self, key: Key) -> None:
        if not self._ticking:
            self._ticking = True
            self._control.after(SYNC, self._tick)
        autoscaler = self._control.get(key)
        if autoscaler is not None:
            self._sync(autoscaler)

    def _tick(self) -> None:
        autoscalers = self._control.store.of_kind(*KIND)
        self._ticking = bool(autoscalers)
        if autoscalers:
            self._control.after(SYNC, self._tick)
        for each in autoscalers:
            if not self._control.pinning.pinned(each):
                self._sync(each)

    # -- one look ------------------------------------------------------------------------------------------------------

    def _sync(self, autoscaler: JsonObject) -> None:
        uid, spec = autoscaler["metadata"]["uid"], autoscaler.get("spec") or {}
        target = self._target(autoscaler)
        if target is None:
            if uid in self._awake:
                self._tell(autoscaler, None, None, pods.said("AbleToScale", False, "FailedGetScale", "no such target"))
            return
        current = int((target.get("spec") or {}).get("replicas", 1))
        if current == 0:
            off = "scaling is disabled since the replica count of the target is zero"
            if uid in self._awake:
                self._tell(autoscaler, 0, 0, pods.said("ScalingActive", False, "ScalingDisabled", off))
            return
        scaled = Scaled(key_of(target).namespace, key_of(target).name, current, self._pods_under(key_of(target)))
        metrics = spec.get("metrics") or ()
        wishes = [self._metrics.wish(each, scaled, self._control.now) for each in metrics]
        known = [each for each in wishes if each is not None]
        if known:
            self._awake.add(uid)
        if uid in self._awake:
            self._scale(autoscaler, target, current, known, _unread(metrics, wishes))

    def _scale(
        self, autoscaler: JsonObject, target: JsonObject, current: int, wishes: list[int], unread: JsonObject | None
    ) -> None:
        uid, spec, now = autoscaler["metadata"]["uid"], autoscaler["spec"], self._control.now
        wish = max(wishes, default=current)
        if unread is not None and wish < current:
            wish = current  # what a metric that cannot be read would have asked for, nobody knows
        past = self._past.setdefault(uid, [(now, current)])
        steady = autoscale.stabilised(wish, current, past, spec, now)
        past.append((now, wish))
        past[:] = [each for each in past if now - each[0] <= REMEMBERED]
        bounds = autoscale.bounded(steady, current, spec)
        able = pods.said("AbleToScale", True, *_able(wish, steady, bounds.replicas, current))
        active = unread if unread is not None and not wishes else pods.said("ScalingActive", True, "ValidMetricFound")
        limited = pods.said("ScalingLimited", bounds.limited, bounds.reason, _LIMITS[bounds.reason])
        if bounds.replicas != current and self._control.patch(target, {"spec": {"replicas": bounds.replicas}}):
            why = "above target" if bounds.replicas > current else "All metrics below target"
            self._control.event(
                autoscaler, "Normal", "SuccessfulRescale", f"New size: {bounds.replicas}; reason: {why}"
            )
            self._tell(autoscaler, current, bounds.replicas, able, active, limited, scaled=True)
        else:
            self._tell(autoscaler, current, bounds.replicas, able, active, limited)

    def _tell(
        self, autoscaler: JsonObject, current: int | None, desired: int | None, *said: JsonObject, scaled: bool = False
    ) -> None:
        status: dict[str, Any] = {"conditions": pods.with_conditions(autoscaler, self._control.now, *said)}
        status["observedGeneration"] = autoscaler["metadata"].get("generation")
        if current is not None:
            status |= {"currentReplicas": current, "desiredReplicas": desired}
        if scaled:
            status["lastScaleTime"] = rfc3339(self._control.now)
        self._control.patch(autoscaler, {"status": status})

    # -- whom it scales ------------------------------------------------------------------------------------------------

    def _target(self, autoscaler: JsonObject) -> JsonObject | None:
        named = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
        namespace = autoscaler["metadata"].get("namespace") or ""
        group = group_of(str(named.get("apiVersion") or "apps/v1"))
        return self._control.get(Key(group, str(named.get("kind")), namespace, str(named.get("name"))))

    def _pods_under(self, key: Key) -> list[JsonObject]:
        found = self._control.store.owned_by(key, "Pod")
        for replica_set in self._control.store.owned_by(key, "ReplicaSet"):
            found = found + self._control.store.owned_by(key_of(replica_set), "Pod")
        return [pod for pod in found if pods.active(pod)]


_LIMITS = {
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
}


def _able(wish: int, steady: int, replicas: int, current: int) -> tuple[str, str]:
    if steady != wish and replicas == current:
        return "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest"
    if replicas != current:
        return "SucceededRescale", f"the HPA controller was able to update the target scale to {replicas}"
    return "ReadyForNewScale", "recommended size matches current size"


def _unread(metrics: Iterable[JsonObject], wishes: Iterable[int | None]) -> JsonObject | None:
    """The condition that the first metric without a number makes."""
    for metric, wish in zip(metrics, wishes, strict=True):
        if wish is None:
            kind = str(metric.get("type"))
            why = "the HPA was unable to compute the replica count: no metrics returned"
            return pods.said("ScalingActive", False, FAILED.get(kind, "InvalidMetricSourceType"), why)
    return None
