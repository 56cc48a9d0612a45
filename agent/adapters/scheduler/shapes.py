"""A pod spec's wishes about nodes, and a node's about pods, in the core's words."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import pod_requests
from agent.adapters.scheduler.amounts import asked_for, offered
from agent.domain.cluster import Node
from scheduler_core.errors import INT32
from scheduler_core.model import Node as CoreNode, NodeTerm, PodShape, Requirement, Taint, TaintEffect, Toleration

HOSTNAME = "kubernetes.io/hostname"
OPERATORS = ("Equal", "Exists")


def shape_of(spec: Mapping[str, Any], extra_selector: Mapping[str, str] | None = None) -> PodShape:
    return PodShape(
        requests=asked_for(pod_requests(Fields(spec, "spec", spec))),
        node_selector={**(spec.get("nodeSelector") or {}), **(extra_selector or {})},
        tolerations=tolerations(spec.get("tolerations")),
        required_node_affinity=_terms(spec),
    )


def tolerations(raw: Iterable[Mapping[str, Any]] | None) -> tuple[Toleration, ...]:
    """Words that this core does not know, as a newer Kubernetes may have them, tolerate nothing here."""
    told = (
        (each.get("key") or "", each.get("operator") or "Equal", each.get("value") or "", each.get("effect") or "")
        for each in raw or ()
    )
    return tuple(Toleration(*each) for each in told if each[1] in OPERATORS and each[3] in ("", *TaintEffect))


def taint(raw: Mapping[str, Any]) -> Taint:
    """An effect that is not known keeps pods away."""
    effect = raw.get("effect")
    known = effect if effect in tuple(TaintEffect) else TaintEffect.NO_SCHEDULE
    return Taint(raw.get("key") or "", raw.get("value") or "", known)


def priority(value: object) -> int:
    """What no PriorityClass can hold counts as the most, or the least, that one can."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(INT32[0], min(INT32[1], value))


def node_of(node: Node) -> CoreNode:
    """A node without a hostname label goes by its name there, as kubelets label it."""
    return CoreNode(
        name=node.name,
        allocatable=offered(node.allocatable),
        labels={HOSTNAME: node.name, **node.labels},
        taints=tuple(taint(each) for each in node.taints),
        ready=node.ready,
        unschedulable=node.unschedulable,
    )


def _terms(spec: Mapping[str, Any]) -> tuple[NodeTerm, ...]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return tuple(
        NodeTerm(
            tuple(
                Requirement(each.get("key") or "", each.get("operator") or "", tuple(each.get("values") or ()))
                for each in term.get("matchExpressions") or ()
            )
        )
        for term in required.get("nodeSelectorTerms") or ()
    )
