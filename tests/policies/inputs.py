"""Builds policy inputs in the words of the field: `cordon("gpu-7").in_a_cluster_of(16).after(...)`.

The form is that of agent.stages.judge.policy_input; tests/policies/test_inputs.py holds the two together.
"""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def ago(**duration: float) -> str:
    return (NOW - timedelta(**duration)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seen(kind: str = "object", **duration: float) -> dict[str, Any]:
    """A piece of evidence of so long ago."""
    return {"kind": kind, "observed_at": ago(**duration), "age_s": _seconds(**duration)}


def _seconds(**duration: float) -> int:
    return int(timedelta(**duration).total_seconds())


def node(name: str) -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "Node", "name": name}


def namespaced(api_version: str, kind: str, namespace: str, name: str) -> dict[str, str]:
    return {"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name}


class Given:
    """One policy input; every method returns a changed copy."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def changed(self, part: str, **values: Any) -> "Given":
        copy = deepcopy(self.document)
        copy[part].update(values)
        return Given(copy)

    def proposed(self, **values: Any) -> "Given":
        return self.changed("proposal", **values)

    def seen(self, **facts: Any) -> "Given":
        return self.changed("facts", **facts)

    def in_a_cluster_of(self, total: int, *, eligible: int | None = None) -> "Given":
        able = total if eligible is None else eligible
        out = [f"out-{n}" for n in range(total - able)]
        return self.seen(nodes={"total": total, "eligible": able, "ineligible": out})

    def after(self, *past: dict[str, Any]) -> "Given":
        return Given({**deepcopy(self.document), "history": [*self.document["history"], *past]})

    def at_execution(self, *, told: str | None = None) -> "Given":
        given = Given({**deepcopy(self.document), "phase": "execute"})
        return given.seen(notice={"given_at": told} if told else None)

    def by_a_model(self, confidence: float = 0.99) -> "Given":
        return self.proposed(source="model:small", confidence=confidence)

    def undoing(self, proposal: str = "inc-1/0") -> "Given":
        return self.proposed(undoes=proposal, destructive=False)


def _given(action: str, target: dict[str, str], *, destructive: bool, **blast: list[str]) -> Given:
    radius = {"nodes": [], "gangs": [], "workloads": [], "pods": 0, "gpus": 0, **blast}
    proposal = {
        "id": "inc-1/1",
        "incident": "inc-1",
        "action": action,
        "target": target,
        "parameters": {},
        "blast_radius": radius,
        "destructive": destructive,
        "protective": not destructive,
        "undoes": None,
        "tenant": "",
        "source": "playbook:xid-79",
        "confidence": 0.95,
        "notice_s": 0,
        "edited_by": [],
        "digest": "0" * 64,
    }
    facts = {
        "nodes": {"total": 20, "eligible": 20, "ineligible": []},
        "target": {"labels": {}, "annotations": {}},
        "namespaces": {target["namespace"]: {"annotations": {}}} if "namespace" in target else {},
        "touched": [],
        "gangs": [],
        "workload": None,
        "budgets": [],
        "idle": None,
        "evidence": [seen("object", minutes=1)],
        "notice": None,
        "conflicts": [],
        "windows": [],
    }
    standing = {"levels": [], "frozen": None, "breaker": {"tripped_at": None, "reset_at": None}}
    document = {"now": ago(), "phase": "propose", "proposal": proposal, "facts": facts, "history": []}
    return Given({**document, "standing": standing})


def cordon(name: str = "gpu-7") -> Given:
    return _given("cordon_node", node(name), destructive=False, nodes=[name])


def uncordon(name: str = "gpu-7") -> Given:
    return _given("uncordon_node", node(name), destructive=False, nodes=[name])


def repair(name: str = "gpu-7", operation: str = "reboot") -> Given:
    stops_work = operation not in ("support", "diagnose")
    given = _given("request_node_repair", node(name), destructive=stops_work, nodes=[name])
    return given.proposed(parameters={"operation": operation})


def requeue(name: str = "llama", *, running: int = 8, touched: int = 8, healthy: bool = False) -> Given:
    ref = f"Workload/law/{name}"
    gang = {"ref": ref, "minimum": 8, "running": running, "touched": touched, "whole": touched == running}
    target = namespaced("kueue.x-k8s.io/v1beta2", "Workload", "law", name)
    given = _given("requeue_gang", target, destructive=True, gangs=[ref])
    return given.seen(gangs=[{**gang, "healthy": healthy}], touched=[{"ref": ref, "owner": None, "annotations": {}}])


def reclaim(name: str = "notebook", *, idle_s: int = 7200, workload_class: str = "notebook", **idle: Any) -> Given:
    evidence = {
        "witnesses": ["utilisation", "engine_activity"],
        "contradictions": [],
        "idle_s": idle_s,
        "workload_class": workload_class,
        "gpus": 1,
        "observed_at": ago(seconds=30),
        **idle,
    }
    target = namespaced("apps/v1", "StatefulSet", "research", name)
    given = _given("reclaim_idle_gpu", target, destructive=True, workloads=[f"StatefulSet/research/{name}"])
    return given.proposed(tenant="research").seen(idle=evidence)


def tell(audience: str = "oncall") -> Given:
    return _given("notify", node("gpu-7"), destructive=False).proposed(parameters={"audience": audience})


def past(action: str, target: str | dict[str, str], *, undo: bool = False, **duration: float) -> dict[str, Any]:
    """An executed action so long ago: past("cordon_node", "gpu-3", minutes=10)."""
    ref = node(target) if isinstance(target, str) else target
    return {
        "at": ago(**duration),
        "age_s": _seconds(**duration),
        "action": action,
        "target": ref,
        "parameters": {},
        "outcome": "succeeded",
        "nodes": [ref["name"]] if ref["kind"] == "Node" else [],
        "gangs": [],
        "workloads": [],
        "gpus": 0,
        "tenant": "",
        "undo": undo,
        "incident": "inc-0",
        "proposal": "inc-0/1",
    }
