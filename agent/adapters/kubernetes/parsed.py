"""One object, read by itself: its names, its owner, and the noun that needs nobody else.

What is malformed is found here, before the objects meet, so that it costs only the object itself. The result depends
on the object alone and may be kept as long as the object does not change.
"""

from dataclasses import dataclass

from agent.adapters.kubernetes.fields import Fields, ref_of
from agent.adapters.kubernetes.gang_names import GangNames, gang_names_of
from agent.adapters.kubernetes.gang_size import minimum_of
from agent.adapters.kubernetes.gangs import gang_of
from agent.adapters.kubernetes.nodes import disruption_of, node_of
from agent.adapters.kubernetes.owners import Key, group_of, key_of, owner_of
from agent.adapters.kubernetes.pods import pod_of
from agent.adapters.kubernetes.workloads import is_workload_kind, workload_of
from agent.domain.cluster import Node, ObjectRef, Pod
from agent.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Parsed:
    key: Key
    ref: ObjectRef
    owner: ObjectRef | None
    root: Fields
    names: GangNames
    node: Node | None = None
    pod: Pod | None = None


def parse(raw: JsonObject) -> Parsed:
    """Raises MalformedObject."""
    root = Fields.of(raw)
    ref = ref_of(root)
    kind, core = ref.kind, group_of(ref.api_version) == ""
    _check(root, kind)
    return Parsed(
        key=key_of(ref),
        ref=ref,
        owner=owner_of(root, ref),
        root=root,
        names=gang_names_of(root),
        node=node_of(root) if core and kind == "Node" else None,
        pod=pod_of(root, ref) if core and kind == "Pod" else None,
    )


def _check(root: Fields, kind: str) -> None:
    """Reads what the assembly will read, for its errors."""
    root.within("metadata").strings("annotations")
    if minimum_of(root):
        gang_of(root, None, None, ())
    if is_workload_kind(root):
        workload_of(root, ())
    if kind == "PodDisruptionBudget":
        disruption_of(root, ())
