"""Which gang a pod belongs to, and which object stands for the gang.

One set of pods is one gang, however many objects describe it. Who admits the pods stands for them: Kueue's Workload
first, then the native PodGroup, then our own Gang, then the outermost JobSet, LeaderWorkerSet or Job. So a Job that
has a Workload is that gang's job and no second gang.
"""

import re
from collections.abc import Iterator

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_names import GangNames
from agent.adapters.kubernetes.gang_size import KUEUE, NATIVE, kind_of, minimum_of
from agent.adapters.kubernetes.native_naming import Naming
from agent.adapters.kubernetes.owners import Key, Owners, group_of, key_of
from agent.domain.cluster import ObjectRef

_KUEUE_NAME = re.compile(r"[a-z0-9]+-(?P<job>.+)-[0-9a-f]{5}")  # how Kueue names the Workload of a job
_STAND_INS = ("Workload", "PodGroup")
_NO_JOBS = (*_STAND_INS, "Pod")
_JOB_LIKE = (
    ("jobset.x-k8s.io", "JobSet"),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
    ("batch", "Job"),
)
_QUEUED = (  # what Kueue makes Workloads of; the Workload says how many pods those need
    *_JOB_LIKE,
    ("trainer.kubeflow.org", "TrainJob"),
    ("kubeflow.org", "PyTorchJob"),
    ("kubeflow.org", "MPIJob"),
    ("ray.io", "RayJob"),
    ("ray.io", "RayCluster"),
)


class Membership:
    """`gangs` are the gangs found; `of(pod)` is the pod's."""

    def __init__(
        self,
        roots: dict[Key, Fields],
        refs: dict[Key, ObjectRef],
        names: dict[Key, GangNames],
        owners: Owners,
    ) -> None:
        self._roots, self._refs, self._names, self._owners = roots, refs, names, owners
        self.gangs: dict[Key, Fields] = {}
        self._claims: dict[Key, Key] = {}  # an object, and the gang of all pods under it
        self._direct: dict[Key, Key] = {}  # a pod that names its gang itself
        self._claim_for_kueue()
        self._kueues, self._claims = self._claims, {}  # what others claim comes after them
        self._claim_for_native_groups()
        for key, root in self._of_kind("watchkeeper.dev", "Gang"):
            self._add(key, root, [key])
        for group, kind in _JOB_LIKE:
            for key, root in self._of_kind(group, kind):
                if not self._claims_over(self._refs[key]):
                    self._add(key, root, [key])
        self._claimed = self._by_gang()

    # one object after the other; patching.py says what may come here

    def renew(self, key: Key, root: Fields) -> None:
        """One that says nothing new of all that is read here."""
        self._roots[key] = root
        if key in self.gangs:
            self.gangs[key] = root

    def put(self, key: Key, root: Fields, ref: ObjectRef, names: GangNames) -> bool:
        """One that came, its owner being known already. Is all else claimed as it was?"""
        self._roots[key], self._refs[key], self._names[key] = root, ref, names
        if names.native is None or not self._is_direct(ref, names.native):
            return True
        self._direct[key] = names.native
        self._claims.setdefault(key, names.native)
        return self._naming.add(names.native, self._above(ref))

    def drop(self, key: Key, ref: ObjectRef) -> bool:
        """One that is gone, its owner being known still. Is all else claimed as it was?"""
        del self._roots[key], self._refs[key], self._names[key]
        native = self._direct.pop(key, None)
        if native is None:
            return True
        self._claims.pop(key, None)
        return self._naming.drop(native, self._above(ref))

    def speaks_of(self, key: Key) -> bool:
        """Whether some gang claims it, be it there or not."""
        return key in self._kueues or key in self._claims

    def of(self, pod: ObjectRef) -> Key | None:
        """What the pod names itself (never where Kueue admits it), else the nearest claim above it."""
        return self._direct.get(key_of(pod)) or next(iter(self._claims_over(pod)), None)

    def job_of(self, gang: Key) -> ObjectRef | None:
        """The object that owns the pods, where another one stands for them."""
        if gang.kind not in _STAND_INS:
            return None
        owners = (ref for ref in self._owners.chain(self._refs[gang])[1:] if ref.kind not in _NO_JOBS)
        return next(owners, self._claimed.get(gang))

    def _by_gang(self) -> dict[Key, ObjectRef]:
        """The first object that could own its pods, of those that each gang claims."""
        found: dict[Key, ObjectRef] = {}
        others = ((key, gang) for key, gang in self._claims.items() if key not in self._kueues)
        for key, gang in (*self._kueues.items(), *others):
            ref = self._refs.get(key)
            if ref is not None and ref.kind not in _NO_JOBS:
                found.setdefault(gang, ref)
        return found

    def _add(self, gang: Key, root: Fields, claimed: list[Key]) -> None:
        if minimum_of(root) > 0:
            self.gangs[gang] = root
            for key in claimed:
                self._claims.setdefault(key, gang)

    def _claims_over(self, ref: ObjectRef) -> list[Key]:
        """The gangs that claim the object or something above it, the nearest claim first."""
        claims = (self._claim(key_of(link)) for link in self._owners.chain(ref))
        return [gang for gang in claims if gang]

    def _claim(self, key: Key) -> Key | None:
        """What a pod names is asked for when it is needed, so that pods may come and go."""
        return self._kueues.get(key) or self._named(key) or self._claims.get(key)

    def _named(self, key: Key) -> Key | None:
        names = self._names.get(key) if key.kind == "Pod" else None
        return names.kueue if names is not None and names.kueue in self.gangs else None

    def _of_kind(self, group: str, kind: str) -> Iterator[tuple[Key, Fields]]:
        return ((key, root) for key, root in self._roots.items() if key.group == group and key.kind == kind)

    # Kueue

    def _claim_for_kueue(self) -> None:
        workloads = sorted(self._of_kind(KUEUE, "Workload"), key=lambda found: _finished(found[1]))
        for key, root in workloads:
            self._add(key, root, [key, *self._owned_by(key, root)])
        for key, names in self._names.items():
            if names.kueue in self.gangs and key.kind != "Pod":
                self._claims.setdefault(key, names.kueue)

    def _owned_by(self, key: Key, root: Fields) -> list[Key]:
        """A Workload lists the objects that it admits as its owners: a job, or every pod of a pod group."""
        owners = root.within("metadata").objects("ownerReferences")
        if owners:
            return [
                Key(
                    group_of(o.required_text("apiVersion")),
                    o.required_text("kind"),
                    key.namespace,
                    o.required_text("name"),
                )
                for o in owners
            ]
        named = _KUEUE_NAME.fullmatch(key.name)
        names = {key.name, named["job"]} if named else {key.name}
        return [Key(group, kind, key.namespace, name) for group, kind in _QUEUED for name in sorted(names)]

    # the native Workload and PodGroup API (KEP-4671)

    def _claim_for_native_groups(self) -> None:
        for kind in ("PodGroup", "Workload"):
            for key, root in self._of_kind(NATIVE, kind):
                ref = self._refs[key]
                if not self._is_kueues(ref):
                    self._add(key, root, [key, *self._above(ref)])
        self._naming = Naming(frozenset(self._claims))
        for key, names in self._names.items():
            if names.native is not None and self._is_direct(self._refs[key], names.native):
                self._direct[key] = names.native
                self._naming.add(names.native, self._above(self._refs[key]))
                for claimed in (key, *self._above(self._refs[key])):
                    self._claims.setdefault(claimed, names.native)

    def _above(self, ref: ObjectRef) -> list[Key]:
        return [key_of(link) for link in self._owners.chain(ref)[1:]]

    def _is_direct(self, ref: ObjectRef, native: Key) -> bool:
        return native in self.gangs and not self._is_kueues(ref)

    def _is_kueues(self, ref: ObjectRef) -> bool:
        return any(gang.group == KUEUE for gang in self._claims_over(ref))


def read_of(root: Fields) -> tuple[object, ...]:
    """What is read here of an object beside its name, its owner's, and the gangs that it names."""
    return minimum_of(root) > 0, _finished(root), root.within("metadata").values.get("ownerReferences") or ()


def _finished(root: Fields) -> bool:
    return kind_of(root)[1] == "Workload" and find(conditions_of(root.within("status")), "Finished", "True") is not None
