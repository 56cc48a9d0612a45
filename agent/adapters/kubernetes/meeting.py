"""Where one cluster's objects meet: who owns whom, which pod is of which gang, and what each becomes beside the others.

Pods come and go, and nodes say something new about themselves, many times a second in a large cluster. So what stands
as long as nothing else changes (chains of owners, who claims whom) is kept here, and patching.py says what a change
leaves standing.
"""

from bisect import insort
from collections.abc import Iterable
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


class Meeting:
    """`world` is in the order of its keys."""

    def __init__(self, world: dict[Key, Parsed]) -> None:
        self.world = world
        roots = {key: one.root for key, one in world.items()}
        refs = {key: one.ref for key, one in world.items()}
        self.owners = Owners(refs, {key: one.owner for key, one in world.items() if one.owner})
        names = {key: one.names for key, one in world.items()}
        self.membership = Membership(roots, refs, names, self.owners)
        self.above_workloads: set[Key] = set()
        self._members: dict[ObjectRef, dict[PodKey, Pod]] = {}
        self._budgets = [key for key in world if key[:2] == ("policy", "PodDisruptionBudget")]

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
        return memo.of(
            ("gang", key),
            (self.world[key], job_ref, job, *own),
            lambda: gang_of(self.world[key].root, job_ref, job.root if job else None, own),
        )

    def workloads(self, memo: Memo) -> list[Workload]:
        found = []
        for one in self.world.values():
            if is_workload(one.root, self.owners):
                above = [key_of(ref) for ref in self.owners.chain(one.ref)[1:]]
                self.above_workloads.update(above)
                found.append(_workload(one, tuple(o for o in map(self.world.get, above) if o), memo))
        return found

    def disruptions(self, pods: Iterable[Pod]) -> tuple[Disruption, ...]:
        return tuple(disruption_of(self.world[key].root, pods) for key in self._budgets)

    # -- pods that come and go, and what is as it was but for what it says of itself -----------------------------------

    def put(self, one: Parsed) -> None:
        if one.key not in self.world:
            keys = list(self.world)
            insort(keys, one.key)
            self.world = {key: self.world[key] if key != one.key else one for key in keys}
        else:
            self.world[one.key] = one
        self.membership.put(one.key, one.root, one.ref, one.names)
        self.owners.put(one.key, one.ref, one.owner)

    def drop(self, one: Parsed) -> None:
        del self.world[one.key]
        self.membership.drop(one.key)
        self.owners.drop(one.key, one.ref)


def pod_key(pod: Pod) -> PodKey:
    return pod.ref.namespace or "", pod.ref.name


def _workload(one: Parsed, above: tuple[Parsed, ...], memo: Memo) -> Workload:
    return memo.of(
        ("workload", one.key), (one, *above), lambda: workload_of(one.root, tuple(each.root for each in above))
    )
