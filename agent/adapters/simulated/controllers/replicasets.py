"""ReplicaSets: so many pods of one template."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject


class ReplicaSets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "ReplicaSet":
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "ReplicaSet" else ()

    def reconcile(self, key: Key) -> None:
        replica_set = self._control.get(key)
        if replica_set is None:
            return
        spec = replica_set["spec"]
        wanted = int(spec.get("replicas", 1))
        mine = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        for pod in sorted(mine, key=_last_to_go)[wanted:]:
            self._control.delete(pod)
        for _ in range(len(mine), wanted):
            name = f"{key.name}-{self._control.suffix()}"
            made = self._control.create(pods.from_template(spec.get("template") or {}, name, replica_set))
            if made is None:
                break  # no quota for one is none for the others
        mine = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        ready = sum(1 for pod in mine if pods.ready(pod)) or None
        status = {"replicas": len(mine), "readyReplicas": ready, "availableReplicas": ready}
        self._control.patch(replica_set, {"status": status})


def _last_to_go(pod: JsonObject) -> tuple[bool, bool, str, str]:
    """Who serves stays, and of those the oldest."""
    metadata = pod["metadata"]
    return (not pods.ready(pod), pods.node_of(pod) is None, metadata["creationTimestamp"], metadata["name"])
