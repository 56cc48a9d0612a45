"""Where one cluster's objects meet: who owns whom, which pod is of which gang, and what each becomes beside the others.

Pods come and go, and nodes say something new about themselves, many times a second in a large cluster. So what stands
as long as nothing else changes (chains of owners, who claims whom) is kept here, and patching.py says what a change
leaves standing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.adapters.kubernetes.gangs import gang_of
from agent.adapters.kubernetes.membership import Membership
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.nodes import disruption_of
from agent.adapters.kubernetes.owners import Key, Owners, key_of
from agent.adapters.kubernetes.parsed import Parsed
from agent.adapters.kubernetes.workloads import is_workload, workload_of
from agent.domain.cluster import Disruption, Gang, ObjectRef, Pod, Workload

PodKey = tuple[str, str]
BUDGET, NAMESPACE = ("policy", "PodDisruptionBudget"), ("", "Namespace")


class Meeting:
    """`world` is in the order of its keys."""

    def __init__(self, world: dict[Key, Parsed]) -> None:
        self.world = world
        roots = {key: one.root for key, one in world.items()}
        refs = {key: one.ref for key, one in world.items()}
        self.owners = Owners(refs, {key: one.owner for key, one in world.items() if one.owner})
        names = {key: one.names for key, one in world.items()}
        self.membership = Membership(roots, refs, names, self.owners)
        self._under: dict[Key, set[Key]] = {}  # the workloads that something says more of
        self._gangs_of: dict[Key, set[Key]] = {}  # the gangs that something is the job of
        self._members: dict[ObjectRef, dict[PodKey, Pod]] = {}
        self._in_order = True

    @classmethod
    def of(cls, parsed: Iterable[Parsed]) -> "Meeting":
        world: dict[Key, Parsed] = {}
        for one in parsed:
            world.setdefault(one.key, one)
        return cls({key: world[key] for key in sorted(world)})

    # -- what each becomes ---------------------------------------------------------------------------------------------

    def placed(self, one: Parsed, memo: Memo) -> Pod:
        pod = one.pod
        assert pod is not None  # noqa: S101 - the caller chose pods
        owner, gang = self.owners.top(one.ref), self.membership.of(one.ref)
        ref = self.world[gang].ref if gang else None
        return memo.of(("pod", one.key), (one, owner, ref), lambda: replace(pod, owner=owner, gang=ref))

    def join(self, pod: Pod) -> None:
        if pod.gang:
            self._members.setdefault(pod.gang, {})[pod_key(pod)] = pod

    def leave(self, pod: Pod) -> None:
        if pod.gang:
            del self._members[pod.gang][pod_key(pod)]

    def gang(self, key: Key, memo: Memo) -> Gang:
        members = self._members.get(self.world[key].ref, {})
        own = [members[each] for each in sorted(members)]
        job_ref = self.membership.job_of(key)
        job = self.world.get(key_of(job_ref)) if job_ref else None
        if job is not None:
            self._gangs_of.setdefault(job.key, set()).add(key)
        return memo.of(
            ("gang", key),
            (self.world[key], job_ref, job, *own),
            lambda: gang_of(self.world[key].root, job_ref, job.root if job else None, own),
        )

    def workload(self, key: Key, memo: Memo) -> Workload | None:
        """None for what is no workload, or is not there."""
        one = self.world.get(key)
        if one is None or not is_workload(one.root, self.owners):
            return None
        above = [key_of(ref) for ref in self.owners.chain(one.ref)[1:]]
        for each in above:
            self._under.setdefault(each, set()).add(key)
        return _workload(one, tuple(o for o in map(self.world.get, above) if o), memo)

    def disruptions(self, pods: Iterable[Pod]) -> tuple[Disruption, ...]:
        return tuple(disruption_of(one.root, pods) for key, one in self.world.items() if key[:2] == BUDGET)

    def namespaces(self) -> dict[str, Mapping[str, str]]:
        return {
            key.name: one.root.within("metadata").strings("annotations")
            for key, one in self.world.items()
            if key[:2] == NAMESPACE
        }

    # -- one object after the other; patching.py says what may come here -----------------------------------------------

    def renew(self, one: Parsed) -> None:
        """Of one that is there: what it says of itself now."""
        self.world[one.key] = one
        self.membership.renew(one.key, one.root)

    def come(self, one: Parsed) -> bool:
        """Do all others stay what they are?"""
        self.world[one.key] = one
        self._in_order = False
        self.owners.put(one.key, one.ref, one.owner)
        return self.membership.put(one.key, one.root, one.ref, one.names)

    def go(self, one: Parsed) -> bool:
        """Do all others stay what they are?"""
        del self.world[one.key]
        stay = self.membership.drop(one.key, one.ref)
        self.owners.drop(one.key, one.ref)
        return stay

    def order(self) -> None:
        """Once all have come."""
        if not self._in_order:
            self.world = {key: self.world[key] for key in sorted(self.world)}
            self._in_order = True

    def gangs_about(self, key: Key) -> set[Key]:
        """Those of which the object says something: its own, and those it is the job of."""
        own = {key} if key in self.membership.gangs else set()
        return own | self._gangs_of.get(key, set())

    def workloads_under(self, key: Key) -> set[Key]:
        return self._under.get(key, set())


def pod_key(pod: Pod) -> PodKey:
    return pod.ref.namespace or "", pod.ref.name


def _workload(one: Parsed, above: tuple[Parsed, ...], memo: Memo) -> Workload:
    return memo.of(
        ("workload", one.key), (one, *above), lambda: workload_of(one.root, tuple(each.root for each in above))
    )
