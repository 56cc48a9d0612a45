"""A pod spec's wishes about nodes, and a node's about pods, in the core's words."""

from collections.abc import Mapping
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import pod_requests
from agent.adapters.scheduler.amounts import asked_for, offered
from agent.domain.cluster import Node
from scheduler_core.model import Node as CoreNode, NodeTerm, PodShape, Requirement, Taint, TaintEffect, Toleration

HOSTNAME = "kubernetes.io/hostname"


def shape_of(spec: Mapping[str, Any], extra_selector: Mapping[str, str] | None = None) -> PodShape:
    return PodShape(
        requests=asked_for(pod_requests(Fields(spec, "spec", spec))),
        node_selector={**(spec.get("nodeSelector") or {}), **(extra_selector or {})},
        tolerations=tuple(toleration(each) for each in spec.get("tolerations") or ()),
        required_node_affinity=_terms(spec),
    )


def toleration(raw: Mapping[str, Any]) -> Toleration:
    return Toleration(
        key=raw.get("key") or "",
        operator=raw.get("operator") or "Equal",
        value=raw.get("value") or "",
        effect=raw.get("effect") or "",
    )


def taint(raw: Mapping[str, Any]) -> Taint:
    return Taint(raw.get("key") or "", raw.get("value") or "", raw.get("effect") or TaintEffect.NO_SCHEDULE)


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
