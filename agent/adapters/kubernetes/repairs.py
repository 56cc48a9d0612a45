"""The live world's repair system: a custom resource for each request, which the site's own controller carries out.

The name is made from the request's key, so the same key never starts a second repair; the state is read from the
resource's conditions. Where nothing is configured no repair can be asked for, and it says so.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from agent.actions.kept import check_kept
from agent.domain.cluster import ObjectRef
from agent.domain.repairing import RepairKind, RepairSettings
from agent.ports import Cluster, ClusterFault, Conflict, JsonObject, NotFound, RepairUnavailable

KEY = "watchkeeper.dev/repair"
WITHDRAWN = "watchkeeper.dev/withdrawn"
State = Literal["unknown", "pending", "succeeded", "failed"]


class NoRepairs:
    """ports.RepairSystem where there is none."""

    def request(self, node: str, operation: str, *, gpu_uuid: str | None, key: str) -> None:
        raise RepairUnavailable(f"no repair system is configured (`repair`): {operation} of {node} is a person's to do")

    def state(self, key: str) -> State:
        return "unknown"

    def withdraw(self, key: str) -> None:
        """There is nothing to withdraw."""


class RepairResources:
    """ports.RepairSystem."""

    def __init__(self, cluster: Cluster, settings: RepairSettings) -> None:
        self._cluster, self._settings = cluster, settings

    def request(self, node: str, operation: str, *, gpu_uuid: str | None, key: str) -> None:
        kind = next((kind for name, kind in self._settings.operations.items() if name == operation), None)
        if kind is None:
            raise RepairUnavailable(f"the repair system is not told how to {operation} (`repair.operations`)")
        said = {"node": node, "gpu_uuid": gpu_uuid or "", "operation": operation}
        ref = _ref(kind, key)
        manifest = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {
                "name": ref.name,
                **({"namespace": ref.namespace} if ref.namespace else {}),
                "annotations": {KEY: key},
            },
            "spec": filled(kind.spec, said),
        }
        try:
            check_kept(manifest, self._cluster.create(manifest, dry_run=True))  # a schema drops what it does not know
            self._cluster.create(manifest)
        except Conflict:
            return  # this very request stands already
        except ClusterFault as fault:
            raise RepairUnavailable(f"{ref} cannot be made: {fault}") from fault

    def state(self, key: str) -> State:
        found = self._found(key)
        if found is None:
            return "unknown"
        conditions: Any = (found.get("status") or {}).get("conditions") or []
        true = {str(c.get("type")) for c in conditions if isinstance(c, Mapping) and str(c.get("status")) == "True"}
        if true & set(self._settings.failed):
            return "failed"
        return "succeeded" if true & set(self._settings.done) else "pending"

    def withdraw(self, key: str) -> None:
        """Marked, not deleted: what a controller has begun is its own to stop, and what was asked stays to be seen."""
        found = self._found(key)
        if found is None:
            return
        ref = ObjectRef.model_validate({"apiVersion": found["apiVersion"], "kind": found["kind"], **_place(found)})
        try:
            self._cluster.patch(ref, {"metadata": {"annotations": {WITHDRAWN: "true"}}})
        except ClusterFault as fault:
            raise RepairUnavailable(f"{ref} cannot be withdrawn: {fault}") from fault

    def _found(self, key: str) -> JsonObject | None:
        for kind in self._settings.operations.values():
            try:
                found = self._cluster.get(_ref(kind, key))
            except NotFound:
                continue
            except ClusterFault as fault:
                raise RepairUnavailable(f"the repair system does not answer: {fault}") from fault
            if ((found.get("metadata") or {}).get("annotations") or {}).get(KEY) == key:
                return found
        return None


def filled(template: Any, said: Mapping[str, str]) -> Any:
    """The template with what is asked in its places. Only these words are replaced, and what they bring is not read."""
    if isinstance(template, Mapping):
        return {key: filled(value, said) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, said) for value in template]
    if not isinstance(template, str):
        return template
    parts = [template]
    for name, value in said.items():
        parts = [piece for part in parts for piece in _split(part, "{" + name + "}", value)]
    return "".join(parts)


class _Said(str):
    """What was put in: never looked into again."""


def _split(part: str, place: str, value: str) -> list[str]:
    if isinstance(part, _Said):
        return [part]
    pieces: list[str] = []
    for piece in part.split(place):
        pieces += [piece, _Said(value)]
    return pieces[:-1]


def _ref(kind: RepairKind, key: str) -> ObjectRef:
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    return ObjectRef(
        api_version=kind.api_version, kind=kind.kind, namespace=kind.namespace, name=f"watchkeeper-{digest}"
    )


def _place(found: JsonObject) -> dict[str, str]:
    metadata = found["metadata"]
    place = {"name": str(metadata["name"])}
    return {**place, "namespace": str(metadata["namespace"])} if metadata.get("namespace") else place
