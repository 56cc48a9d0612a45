"""The gangs that an object says it belongs to, by name."""

from typing import NamedTuple

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE, NATIVE
from agent.adapters.kubernetes.owners import Key

_PREBUILT_LABEL = "kueue.x-k8s.io/prebuilt-workload-name"
_POD_GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
_WORKLOAD_ANNOTATION = "kueue.x-k8s.io/workload"


class GangNames(NamedTuple):
    kueue: Key | None  # a Workload of Kueue's
    native: Key | None  # a PodGroup, or the Workload of the first native API


def gang_names_of(root: Fields) -> GangNames:
    """Any object may name a prebuilt Workload; only pods name the rest."""
    metadata = root.within("metadata")
    namespace, labels = metadata.text("namespace"), metadata.within("labels")
    kueue = labels.text(_PREBUILT_LABEL)
    if root.text("kind") != "Pod":
        return GangNames(_key(KUEUE, "Workload", namespace, kueue), None)
    kueue = kueue or labels.text(_POD_GROUP_LABEL) or metadata.within("annotations").text(_WORKLOAD_ANNOTATION)
    spec = root.within("spec")
    group = _key(NATIVE, "PodGroup", namespace, spec.within("schedulingGroup").text("podGroupName"))
    first_api = _key(NATIVE, "Workload", namespace, spec.within("workloadRef").text("name"))
    return GangNames(_key(KUEUE, "Workload", namespace, kueue), group or first_api)


def _key(group: str, kind: str, namespace: str, name: str) -> Key | None:
    return Key(group, kind, namespace, name) if name else None
