"""The HorizontalPodAutoscaler over a workload: what it keeps to, and how that is changed and restored.

Which limits are wise is for the playbooks; `scale_workload` asks here only how to set them.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from agent.actions.base import refused
from agent.actions.written import Body, Manifest, forget, remember, spec_of, uid_of
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import Refusal, Step, Verb
from agent.evidence.lookup import in_order


@dataclass(frozen=True, slots=True)
class Autoscaler:
    ref: ObjectRef
    manifest: Manifest

    @property
    def min_replicas(self) -> int:
        return int(spec_of(self.manifest).get("minReplicas") or 1)

    @property
    def max_replicas(self) -> int:
        return int(spec_of(self.manifest).get("maxReplicas") or 1)

    @property
    def target_utilisation(self) -> int | None:
        """Of its one metric that has such a target; None when there is none, or more than one."""
        places = self._utilisation_places()
        if len(places) != 1:
            return None
        return int(_target(spec_of(self.manifest)["metrics"][places[0]])["averageUtilization"])

    def refuse(self, max_replicas: int | None, target: int | None) -> Refusal | None:
        if max_replicas is not None and max_replicas < self.min_replicas:
            why = f"{self.ref} keeps at least {self.min_replicas} replicas"
            return refused("precondition.below_minimum", why, "ask the owner for a lower minimum")
        if target is not None and self.target_utilisation is None:
            why = f"{self.ref} does not have exactly one metric with a utilisation target"
            return refused("precondition.no_utilisation_target", why, "give max_replicas")
        same = max_replicas in (None, self.max_replicas) and target in (None, self.target_utilisation)
        return refused("precondition.no_change", f"{self.ref} keeps to that already", "nothing to do") if same else None

    def step(self, max_replicas: int | None, target: int | None, proposal: str) -> Step:
        before = {
            **({"max_replicas": self.max_replicas} if max_replicas is not None else {}),
            **({"target_utilisation": self.target_utilisation} if target is not None else {}),
        }
        body: Body = {"metadata": remember(proposal, before), "spec": self._limits(max_replicas, target)}
        old = (self.max_replicas if max_replicas is not None else None, self.target_utilisation if target else None)
        seen: Body = {"spec": self._limits(*old)}
        undo: Body = {"metadata": forget(), **seen}
        return Step(verb=Verb.PATCH, target=self.ref, body=body, uid=uid_of(self.manifest), seen=seen, undo=undo)

    def restore(self, max_replicas: int | None, target: int | None) -> Step:
        body: Body = {"metadata": forget(), "spec": self._limits(max_replicas, target)}
        now = (self.max_replicas if max_replicas is not None else None, self.target_utilisation if target else None)
        seen: Body = {"spec": self._limits(*now)}
        return Step(verb=Verb.PATCH, target=self.ref, body=body, uid=uid_of(self.manifest), seen=seen)

    def shows(self, body: Mapping[str, Any]) -> bool:
        """Does its spec say what a step wanted it to say?"""
        spec = spec_of(self.manifest)
        return all(spec.get(key) == value for key, value in body["spec"].items())

    def now(self) -> dict[str, object]:
        """By the names of scale_workload's parameters."""
        return {"max_replicas": self.max_replicas, "target_utilisation": self.target_utilisation}

    def rests_on(self) -> dict[str, object]:
        limits = {"min": self.min_replicas, "max": self.max_replicas, "utilisation": self.target_utilisation}
        return {"autoscaler": uid_of(self.manifest), "limits": limits}

    def _limits(self, max_replicas: int | None, target: int | None) -> Body:
        limits: Body = {"maxReplicas": max_replicas} if max_replicas is not None else {}
        places = self._utilisation_places()
        if target is not None and len(places) == 1:
            metrics = deepcopy(list(spec_of(self.manifest)["metrics"]))
            _target(metrics[places[0]])["averageUtilization"] = target
            limits["metrics"] = metrics
        return limits

    def _utilisation_places(self) -> list[int]:
        metrics = spec_of(self.manifest).get("metrics") or ()
        return [place for place, metric in enumerate(metrics) if "averageUtilization" in _target(metric)]


def autoscaler_of(target: ObjectRef, view: ClusterView) -> Autoscaler | None:
    for each in in_order({ref: Autoscaler(ref, raw) for ref, raw in view.objects.items() if _is_autoscaler(ref)}):
        scaled = spec_of(each.manifest).get("scaleTargetRef") or {}
        named = (scaled.get("kind"), each.ref.namespace, scaled.get("name"))
        if named == (target.kind, target.namespace, target.name):
            return each
    return None


def _is_autoscaler(ref: ObjectRef) -> bool:
    return ref.kind == "HorizontalPodAutoscaler" and ref.api_version.startswith("autoscaling/")


def _target(metric: Any) -> Any:
    """The target of a metric of any of the types that scale by utilisation."""
    source = metric.get("resource") or metric.get("containerResource") or {}
    return source.get("target") or {}
