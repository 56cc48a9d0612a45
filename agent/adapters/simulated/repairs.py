"""The site's repair system: takes requests, needs its time, and ends as the scenario says.

A repair that heals clears the node's conditions and the faulty GPU's series. What runs on a machine that is rebooted or
replaced is lost at that moment, which is the end of the repair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import BEHAVIOUR, REPAIR
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.effects import Effect
from agent.adapters.simulated.repair_rules import OPERATIONS, Rule, rules_in, rules_of
from agent.adapters.simulated.tsdb import SeriesStore
from agent.domain.cluster import node_ref
from agent.ports import JsonObject, RepairUnavailable

_KILLS = ("reboot", "replace")  # everything that runs on the node
_KILLS_GPU_WORK = ("reset_gpu",)
_GOOD_WHEN_TRUE = ("Ready", "AcceleratedHardwareReady")  # every other node condition is good when False

State = Literal["unknown", "pending", "succeeded", "failed"]


@dataclass
class _Repair:
    node: str
    operation: str
    gpu_uuid: str | None
    state: State = "pending"


class SimulatedRepairs:
    def __init__(
        self, settings: Mapping[str, Any], control: Control, series: SeriesStore, effects: list[Effect]
    ) -> None:
        self._rules = rules_of(settings)
        self._control = control
        self._series = series
        self._effects = effects
        self._repairs: dict[str, _Repair] = {}

    def request(self, node: str, operation: str, *, gpu_uuid: str | None, key: str) -> None:
        self._gate()
        if key in self._repairs:
            return
        if operation not in OPERATIONS or self._control.get(Key("", "Node", "", node)) is None:
            raise RepairUnavailable(f"the repair system knows no {operation} of a node {node}")
        rule = self._rule(node, operation)
        self._repairs[key] = _Repair(node, operation, gpu_uuid)
        self._note("request_repair", node, {"operation": operation, "gpu_uuid": gpu_uuid, "key": key})
        if rule.outcome != "stuck":
            self._control.after(rule.takes, lambda: self._end(key, rule))

    def _rule(self, node: str, operation: str) -> Rule:
        """What is said of this machine goes over what is said of all."""
        found = self._control.get(Key("", "Node", "", node)) or {}
        text = (found.get("metadata", {}).get("annotations") or {}).get(REPAIR)
        own = rules_in(text) if text is not None else {}
        return own.get(operation) or self._rules.get(operation, Rule())

    def state(self, key: str) -> State:
        self._gate()
        return self._repairs[key].state if key in self._repairs else "unknown"

    def withdraw(self, key: str) -> None:
        """Takes a request back while it is pending; anything else is left as it is."""
        self._gate()
        repair = self._repairs.get(key)
        if repair is not None and repair.state == "pending":
            del self._repairs[key]
            self._note("withdraw_repair", repair.node, {"operation": repair.operation, "key": key})

    def contents(self) -> dict[str, Any]:
        return {key: [each.node, each.operation, each.state] for key, each in sorted(self._repairs.items())}

    def _end(self, key: str, rule: Rule) -> None:
        repair = self._repairs.get(key)
        if repair is None or repair.state != "pending":
            return
        repair.state = "succeeded" if rule.outcome == "succeeded" else "failed"
        self._stop_work(repair)
        if repair.state == "succeeded" and rule.heals:
            self._heal(repair)

    def _stop_work(self, repair: _Repair) -> None:
        for pod in self._control.store.of_kind("", "Pod"):
            if pods.node_of(pod) != repair.node or pods.finished(pod):
                continue
            if repair.operation in _KILLS or (repair.operation in _KILLS_GPU_WORK and _uses_gpus(pod)):
                lost = f"lost by the {repair.operation} of {repair.node}"
                self._control.event(pod, "Warning", "NodeShutdown", lost)
                self._control.delete(pod)

    def _heal(self, repair: _Repair) -> None:
        node = self._control.get(Key("", "Node", "", repair.node))
        if node is not None:
            healed = [
                pods.said(each["type"], each["type"] in _GOOD_WHEN_TRUE, "Repaired", f"after {repair.operation}")
                for each in (node.get("status") or {}).get("conditions") or []
                if _is_bad(each)
            ]
            conditions = pods.with_conditions(node, self._control.now, *healed)
            behaves = {"metadata": {"annotations": {BEHAVIOUR: None}}} if _misbehaves(node) else {}
            self._control.patch_repaired(node, {"status": {"conditions": conditions}, **behaves})
        self._series.heal(repair.node, repair.gpu_uuid, self._control.now)

    def _gate(self) -> None:
        def refusal() -> Exception:
            return RepairUnavailable("the repair system does not answer")

        self._control.faults.gate("repair", dict.fromkeys(("down", "error", "conflict"), refusal))

    def _note(self, verb: str, node: str, body: JsonObject) -> None:
        self._effects.append(Effect("watchkeeper", verb, node_ref(node), body, self._control.now))


def _is_bad(condition: JsonObject) -> bool:
    return (condition.get("status") == "True") != (condition.get("type") in _GOOD_WHEN_TRUE)


def _misbehaves(node: JsonObject) -> bool:
    return BEHAVIOUR in (node["metadata"].get("annotations") or {})


def _uses_gpus(pod: JsonObject) -> bool:
    for container in (pod.get("spec") or {}).get("containers") or ():
        resources = container.get("resources") or {}
        if any("/gpu" in name or "/mig-" in name for part in resources.values() for name in part or ()):
            return True
    return False
