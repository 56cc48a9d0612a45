"""Kueue's Workloads and our own Gangs as queued things: switched on or off, with or without quota, with their pods.

Pure readings of objects. The domain's noun Gang is made elsewhere (adapters/kubernetes); this is the control plane's
side of it.
"""

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.keys import controller_key, key_of, owner_keys
from agent.adapters.simulated.store import ObjectStore
from agent.ports import JsonObject

KUEUE_GROUP = "kueue.x-k8s.io"
WORKLOAD = (KUEUE_GROUP, "Workload")
GANG = ("watchkeeper.dev", "Gang")
GANG_KINDS = (WORKLOAD, GANG)
POD_GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
POD_SET_LABEL = "watchkeeper.dev/pod-set"
OWNERS_LIMIT = 8  # how far up a chain of owners is followed


def is_gang(key: Key) -> bool:
    return (key.group, key.kind) in GANG_KINDS


def is_active(gang: JsonObject) -> bool:
    return (gang.get("spec") or {}).get("active", True) is not False


def holds_quota(gang: JsonObject) -> bool:
    return pods.holds(gang, "QuotaReserved") or pods.holds(gang, "Admitted")


def is_admitted(gang: JsonObject) -> bool:
    return pods.holds(gang, "Admitted")


def wanted_pods(gang: JsonObject) -> int:
    return sum(int(each.get("count", 1)) for each in (gang.get("spec") or {}).get("podSets") or ())


def pods_of(store: ObjectStore, gang: JsonObject) -> list[JsonObject]:
    """Pods under the gang, under what it admits, or that name it as their pod group."""
    tops = [key_of(gang)] + [key for key in owner_keys(gang) if key.kind != "Pod"]
    found: dict[Key, JsonObject] = {}
    for top in tops:
        _collect(store, top, found, OWNERS_LIMIT)
    name, namespace = gang["metadata"]["name"], gang["metadata"].get("namespace")
    for pod in store.of_kind("", "Pod"):
        labels = pod["metadata"].get("labels") or {}
        if labels.get(POD_GROUP_LABEL) == name and pod["metadata"].get("namespace") == namespace:
            found[key_of(pod)] = pod
    return [found[key] for key in sorted(found)]


def _collect(store: ObjectStore, top: Key, found: dict[Key, JsonObject], depth: int) -> None:
    for each in store.owned_by(top) if depth else ():
        if each["kind"] == "Pod":
            found[key_of(each)] = each
        else:
            _collect(store, key_of(each), found, depth - 1)


def tops_of(store: ObjectStore, manifest: JsonObject) -> list[Key]:
    """The object's owners, nearest first."""
    chain: list[Key] = []
    owner = controller_key(manifest)
    while owner is not None and len(chain) < OWNERS_LIMIT:
        chain.append(owner)
        above = store.get(owner)
        owner = controller_key(above) if above else None
    return chain
