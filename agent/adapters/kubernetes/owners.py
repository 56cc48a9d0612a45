"""Who owns whom: the chain of ownerReferences from a pod up to the thing that a person created.

An owner that is not among the objects at hand (a kind that we do not list) is still named by the reference, and is
then the top of its chain. Owners are found by group, kind and name, since API versions of one object differ.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from agent.adapters.kubernetes.fields import Fields
from agent.domain.cluster import ObjectRef

CHAIN_LIMIT = 8  # Pod to RayJob or InferenceService takes five; more is a loop
OWNERS_KEPT = 10_000
_CLUSTER_SCOPED = ("Node",)  # owners of mirror pods


class Key(NamedTuple):
    """Names an object whatever its API version."""

    group: str
    kind: str
    namespace: str
    name: str


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def key_of(ref: ObjectRef) -> Key:
    return Key(group_of(ref.api_version), ref.kind, ref.namespace or "", ref.name)


def owner_of(root: Fields, ref: ObjectRef) -> ObjectRef | None:
    """The controller, else the first owner."""
    owners = root.within("metadata").objects("ownerReferences")
    if not owners:
        return None
    chosen = next((o for o in owners if o.boolean("controller", False)), owners[0])
    kind = chosen.required_text("kind")
    namespace = None if kind in _CLUSTER_SCOPED else ref.namespace
    return _owner(chosen.required_text("apiVersion"), kind, namespace, chosen.required_text("name"))


@lru_cache(maxsize=OWNERS_KEPT)
def _owner(api_version: str, kind: str, namespace: str | None, name: str) -> ObjectRef:
    """One for all that it owns."""
    return ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)


class Owners:
    """Answers for one set of objects: `owners` maps each object to its owner, `known` to its own spelling."""

    def __init__(self, known: Mapping[Key, ObjectRef], owners: dict[Key, ObjectRef]) -> None:
        """`known` is the caller's, who keeps it current."""
        self._known = known
        self._owners = owners
        self._chains: dict[ObjectRef, tuple[ObjectRef, ...]] = {}
        self.owning = {key_of(owner) for owner in owners.values()}

    def put(self, key: Key, ref: ObjectRef, owner: ObjectRef | None) -> None:
        """An object that owns nothing: another one, or in other hands."""
        self.drop(key, ref)
        if owner is not None:
            self._owners[key] = owner
            self.owning.add(key_of(owner))

    def drop(self, key: Key, ref: ObjectRef) -> None:
        """An object that owns nothing is gone."""
        self._chains.pop(ref, None)
        self._owners.pop(key, None)

    def spelled(self, ref: ObjectRef) -> ObjectRef:
        """The object's own reference where it is at hand, else the one given."""
        return self._known.get(key_of(ref), ref)

    def chain(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        """The object itself, its owner, and so on to the top."""
        if ref not in self._chains:
            self._chains[ref] = self._climbed(ref)
        return self._chains[ref]

    def _climbed(self, ref: ObjectRef) -> tuple[ObjectRef, ...]:
        chain = [self.spelled(ref)]
        while len(chain) < CHAIN_LIMIT:
            owner = self._owners.get(key_of(chain[-1]))
            if owner is None or self.spelled(owner) in chain:
                break
            chain.append(self.spelled(owner))
        return tuple(chain)

    def top(self, ref: ObjectRef) -> ObjectRef | None:
        """The top of the chain above `ref`; None for an object that nobody owns."""
        chain = self.chain(ref)
        return chain[-1] if len(chain) > 1 else None
