"""Templates and their revisions, for StatefulSets and DaemonSets: which pods are of the template that is asked for.

A scenario's pods rarely bear their template's hash, and its ControllerRevisions are often left out. So what has no hash
counts as of the template that its owner had when it was first seen, and that template becomes the first revision.
"""

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change
from agent.domain.base import digest_of
from agent.ports import JsonObject

HASH_LABEL = "controller-revision-hash"


class Revisions:
    def __init__(self, control: Control) -> None:
        self._control = control
        self._first: dict[str, JsonObject] = {}  # uid -> the template that was there first

    def note(self, change: Change) -> None:
        if change.type == "ADDED":
            self._first[change.object["metadata"]["uid"]] = template_of(change.object)

    def outdated(self, owner: JsonObject, mine: list[JsonObject]) -> list[JsonObject]:
        """Those of another template than the owner's."""
        now, of_label = _hash(template_of(owner)), self._hashes_by_label(owner)
        return [pod for pod in mine if of_label.get(_label(pod), _hash(self._first_of(owner))) != now]

    def record(self, owner: JsonObject) -> str:
        """Keeps the template, and the one that was there first; gives the name of the revision that is asked for."""
        if template_of(owner) != self._first_of(owner):
            self._keep(owner, self._first_of(owner))
        return self._keep(owner, template_of(owner))

    def _keep(self, owner: JsonObject, template: JsonObject) -> str:
        kept = sorted(self._control.store.owned_by(key_of(owner), "ControllerRevision"), key=_number)
        newest = _number(kept[-1]) if kept else 0
        for each in kept:
            if _template_in(each) == template:
                if template == template_of(owner) and _number(each) < newest:
                    self._control.patch(each, {"revision": newest + 1})  # a template that comes back
                return str(each["metadata"]["name"])
        made = self._control.create(_revision(owner, template, newest + 1))
        return str(made["metadata"]["name"]) if made is not None else ""

    def _hashes_by_label(self, owner: JsonObject) -> dict[str, str]:
        """What a pod's label may say -> the template it means."""
        found = {_hash(template): _hash(template) for template in (self._first_of(owner), template_of(owner))}
        for each in self._control.store.owned_by(key_of(owner), "ControllerRevision"):
            for label in (each["metadata"]["name"], _label(each)):
                found[label] = _hash(_template_in(each))
        return {label: digest for label, digest in found.items() if label}

    def _first_of(self, owner: JsonObject) -> JsonObject:
        return self._first.get(owner["metadata"]["uid"], template_of(owner))


def template_of(owner: JsonObject) -> JsonObject:
    return dict((owner.get("spec") or {}).get("template") or {})


def hash_label(owner: JsonObject) -> dict[str, str]:
    """For a pod that is made of the owner's template now."""
    return {HASH_LABEL: _hash(template_of(owner))}


def _hash(template: JsonObject) -> str:
    return digest_of(template)[:10]


def _label(manifest: JsonObject) -> str:
    return str((manifest["metadata"].get("labels") or {}).get(HASH_LABEL, ""))


def _number(revision: JsonObject) -> int:
    return int(revision.get("revision") or 0)


def _template_in(revision: JsonObject) -> JsonObject:
    template = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    return {name: value for name, value in template.items() if name != "$patch"}


def _revision(owner: JsonObject, template: JsonObject, number: int) -> JsonObject:
    key: Key = key_of(owner)
    digest = _hash(template)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{key.name}-{digest}",
            "namespace": key.namespace,
            "labels": {**(template.get("metadata") or {}).get("labels", {}), HASH_LABEL: digest},
            "ownerReferences": [pods.owner_reference(owner)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }
