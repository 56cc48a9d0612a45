"""Nodes, the pods on them that belong to no workload, topologies; and the small shapes that pods and nodes share."""

from enum import StrEnum

from scheduler_core.cases.fields import BadCase, Fields, chosen
from scheduler_core.cases.quantities import counted_all
from scheduler_core.model import Node, NodeTerm, Pod, Requirement, Taint, TaintEffect, Toleration
from scheduler_core.topologies import HOSTNAME, Topology

NAMESPACE = "default"


class Operator(StrEnum):
    EQUAL = "Equal"
    EXISTS = "Exists"


class Selects(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


def topology(fields: Fields) -> Topology:
    return Topology(fields.text("name"), fields.texts("levels"))


def node(fields: Fields) -> Node:
    """The kubelet labels every node with its name."""
    name = fields.text("name")
    return Node(
        name,
        counted_all(fields.entries("allocatable"), up=False),
        {HOSTNAME: name, **fields.text_map("labels")},
        taints(fields, "taints"),
        ready=fields.flag("ready", True),
        unschedulable=fields.flag("unschedulable", False),
    )


def pod(fields: Fields) -> tuple[Pod, str]:
    """Of no workload, or of the one that is named in its namespace."""
    namespace = fields.text("namespace", NAMESPACE)
    name, workload = f"{namespace}/{fields.text('name')}", fields.maybe_text("workload")
    gang = None if workload is None else f"{namespace}/{workload}"
    requests = counted_all(fields.entries("requests"), up=True)
    return Pod(name=name, requests=requests, gang=gang, pod_set=fields.maybe_text("pod_set")), fields.text("node")


def taints(fields: Fields, key: str) -> tuple[Taint, ...]:
    """One without a key taints nothing; the form itself shows such a one."""
    return tuple(each for each in fields.each(key, _taint) if each.key)


def _taint(fields: Fields) -> Taint:
    effect = fields.choice("effect", TaintEffect, TaintEffect.NO_SCHEDULE)
    return Taint(fields.maybe_text("key") or "", fields.maybe_text("value") or "", effect)


def toleration(fields: Fields) -> Toleration:
    key, value, effect = (fields.maybe_text(each) or "" for each in ("key", "value", "effect"))
    operator = fields.choice("operator", Operator, Operator.EQUAL)
    if not key and operator is Operator.EQUAL:
        raise BadCase(fields.at("key"), "an empty key tolerates everything, and then the operator is Exists")
    if effect:
        chosen(TaintEffect, effect, fields.at("effect"))
    return Toleration(key, operator, value, effect)


def node_term(fields: Fields) -> NodeTerm:
    return NodeTerm(fields.each("match_expressions", _requirement))


def _requirement(fields: Fields) -> Requirement:
    key, operator = fields.text("key"), chosen(Selects, fields.text("operator"), fields.at("operator"))
    return Requirement(key, operator, fields.texts("values"))
