"""InferenceServices: a Deployment under each, and an autoscaler where it may grow; none of it runs at minReplicas 0."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import inference, pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import tops_of
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

KIND = ("serving.kserve.io", "InferenceService")


class InferenceServices:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == KIND:
            return () if change.status_only else (change.key,)
        if change.key.kind not in ("Deployment", "Pod"):
            return ()
        return [key for key in tops_of(self._control.store, change.object) if (key.group, key.kind) == KIND]

    def reconcile(self, key: Key) -> None:
        service = self._control.get(key)
        if service is None:
            return
        made = self._control.store.owned_by(key, "Deployment")
        bare = self._bare_pods(key)
        for deployment in made:
            self._scale(service, deployment)
        if not made and not bare and inference.least(service):
            self._control.create(inference.deployment(service))
        for pod in bare if not inference.least(service) else ():
            self._control.delete(pod)
        self._limit(service, key, made=not bare)
        self._tell(service, key)

    def _scale(self, service: JsonObject, deployment: JsonObject) -> None:
        """Between its limits the autoscaler decides, where there is one."""
        replicas = int((deployment.get("spec") or {}).get("replicas", 1))
        least = inference.least(service)
        wanted = 0 if not least else min(max(replicas, least), inference.most(service))
        if wanted != replicas:
            self._control.patch(deployment, {"spec": {"replicas": wanted}})

    def _limit(self, service: JsonObject, key: Key, *, made: bool) -> None:
        autoscalers = self._control.store.owned_by(key, "HorizontalPodAutoscaler")
        for each in autoscalers:
            self._control.patch(each, {"spec": inference.limits(service)})
        if not autoscalers and made and inference.grows(service) and not self._scaled_by_another(service):
            self._control.create(inference.autoscaler(service))

    def _scaled_by_another(self, service: JsonObject) -> bool:
        names = {service["metadata"]["name"], inference.component_name(service)}
        names |= {each["metadata"]["name"] for each in self._control.store.owned_by(key_of(service), "Deployment")}
        return any(
            each["metadata"].get("namespace") == service["metadata"].get("namespace")
            and ((each.get("spec") or {}).get("scaleTargetRef") or {}).get("name") in names
            for each in self._control.store.of_kind("autoscaling", "HorizontalPodAutoscaler")
        )

    def _bare_pods(self, key: Key) -> list[JsonObject]:
        """Pods of a scenario that leaves the Deployment out: owned at once, or by label where no owner is there."""
        found = self._control.store.owned_by(key, "Pod")
        for pod in self._control.store.of_kind("", "Pod"):
            labelled = (pod["metadata"].get("labels") or {}).get(inference.NAME_LABEL) == key.name
            owner = controller_key(pod)
            lost = owner is None or (owner != key and self._control.get(owner) is None)
            if labelled and lost and pod["metadata"].get("namespace") == key.namespace:
                found = [*found, pod]
        return [pod for pod in found if pods.active(pod)]

    def _tell(self, service: JsonObject, key: Key) -> None:
        everything = self._control.store.of_kind("", "Pod")
        mine = [pod for pod in everything if key in tops_of(self._control.store, pod) and pods.active(pod)]
        ready, least = sum(1 for pod in mine if pods.ready(pod)), inference.least(service)
        stopped = pods.said("Stopped", not least, "Stopped" if not least else "")
        up = pods.said("PredictorReady", ready > 0, "" if ready else "MinimumReplicasUnavailable")
        whole = pods.said("Ready", ready > 0, "" if ready else "PredictorNotReady")
        status = {
            "conditions": pods.with_conditions(service, self._control.now, up, whole, stopped),
            "modelStatus": {"copies": {"totalCopies": ready, "failedCopies": 0}},
            "observedGeneration": service["metadata"].get("generation"),
        }
        self._control.patch(service, {"status": status})
