"""Kubeflow Notebooks: one pod by way of a StatefulSet of the same name; stopped while the annotation is there."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import tops_of
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

GROUP = "kubeflow.org"
STOPPED = "kubeflow-resource-stopped"
NAME_LABEL = "notebook-name"


class Notebooks:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "Notebook":
            return (change.key,)
        if change.key.kind not in ("Pod", "StatefulSet"):
            return ()
        return [key for key in tops_of(self._control.store, change.object) if key.kind == "Notebook"]

    def reconcile(self, key: Key) -> None:
        notebook = self._control.get(key)
        if notebook is None:
            return
        stopped = STOPPED in (notebook["metadata"].get("annotations") or {})
        stateful = self._control.get(Key("apps", "StatefulSet", key.namespace, key.name))
        bare = self._bare_pods(key)
        if stateful is not None:
            self._control.patch(stateful, {"spec": {"replicas": 0 if stopped else 1}})
        elif not stopped and not bare:
            self._control.create(_stateful_set(notebook))
        for pod in bare if stopped else ():
            self._control.delete(pod)
        self._tell(notebook)

    def _bare_pods(self, key: Key) -> list[JsonObject]:
        """Pods of a scenario that leaves the StatefulSet out: owned by the Notebook, or by a set that is not there."""
        missing = Key("apps", "StatefulSet", key.namespace, key.name)
        found = self._control.store.owned_by(key, "Pod")
        if self._control.get(missing) is None:
            found = found + self._control.store.owned_by(missing, "Pod")
            labelled = (
                pod
                for pod in self._control.store.of_kind("", "Pod")
                if not pod["metadata"].get("ownerReferences")
                and pod["metadata"].get("namespace") == key.namespace
                and (pod["metadata"].get("labels") or {}).get(NAME_LABEL) == key.name
            )
            found = [*found, *labelled]
        return [pod for pod in found if pods.active(pod)]

    def _tell(self, notebook: JsonObject) -> None:
        key = key_of(notebook)
        stateful = Key("apps", "StatefulSet", key.namespace, key.name)
        mine = [*self._control.store.owned_by(stateful, "Pod"), *self._bare_pods(key)]
        self._control.patch(notebook, {"status": {"readyReplicas": sum(1 for pod in mine if pods.ready(pod))}})


def _stateful_set(notebook: JsonObject) -> JsonObject:
    metadata = notebook["metadata"]
    template = (notebook.get("spec") or {}).get("template") or {}
    labels = {**((template.get("metadata") or {}).get("labels") or {}), NAME_LABEL: metadata["name"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "ownerReferences": [pods.owner_reference(notebook)],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {NAME_LABEL: metadata["name"]}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }
