"""The quota that gangs hold. Kept in step with every pod and every admission, so that availability is a look-up.

A gang holds what it was admitted with. One that runs without admission holds what its pods use, on the flavors that
their nodes are examples of.
"""

from scheduler_core.flavors import add_usage
from scheduler_core.model import PODS, Gang, Node, Pod
from scheduler_core.quota import FlavorResource, Queue
from scheduler_core.quota_tree import Place
from scheduler_core.state import Bound, Charge
from scheduler_core.tables import Tables


class Holdings(Tables):
    def _capacity_changed(self) -> None:
        for name in list(self._parked):
            self._journal.drop(self._parked, name)

    def _recount(self) -> None:
        """Quotas changed, so usage reaches the cohorts by other amounts: count it anew from the gangs."""
        for key in list(self._usage):
            self._journal.drop(self._usage, key)
        for gang in sorted(self._charges):
            self._journal.drop(self._charges, gang)
        for gang in sorted(self._gangs):
            self._charge(gang)
        self._capacity_changed()

    def _charge_pod(self, pod: Pod, node: str) -> None:
        """One more pod of a gang that nobody admitted."""
        if pod.gang is None or self._states[pod.gang].admission is not None:
            return
        more = self._pod_usage(self._gangs[pod.gang], Bound(pod, node))
        if more:
            charge = dict(self._charges.get(pod.gang, {}))
            for key, quantity in more.items():
                charge[key] = charge.get(key, 0) + quantity
            self._journal.put(self._charges, pod.gang, charge)
            self._move_usage(pod.gang, more, 1)

    def _charge(self, name: str) -> None:
        charge = self._count_charge(self._gangs[name])
        if charge:
            self._journal.put(self._charges, name, charge)
            self._move_usage(name, charge, 1)

    def _uncharge(self, name: str) -> None:
        charge = self._charges.get(name)
        if charge:
            self._journal.drop(self._charges, name)
            self._move_usage(name, charge, -1)

    def _move_usage(self, name: str, charge: Charge, sign: int) -> None:
        place: Place = ("queue", str(self._gangs[name].queue))
        for key in sorted(charge):
            for at, changed, value in self.quota_tree.charge(place, key, sign * charge[key], self._usage):
                if value:
                    self._journal.put(self._usage, (at, changed), value)
                else:
                    self._journal.drop(self._usage, (at, changed))

    def _count_charge(self, gang: Gang) -> Charge:
        total: dict[FlavorResource, int] = {}
        admission = self._states[gang.name].admission
        if gang.queue is not None and admission is not None:
            for each in gang.pod_sets:
                flavors, count = admission.flavors.get(each.name, {}), admission.counts[each.name]
                told = admission.usage.get(each.name)
                if told is None:
                    add_usage(total, self._queues[gang.queue], each.requests, count, flavors)
                else:  # as it was counted when it was let in, whatever its pods ask for
                    add_usage(total, self._queues[gang.queue], {PODS: count, **told}, 1, flavors)
        elif gang.queue is not None:
            for pod in sorted(self._of_gang[gang.name]):
                for key, quantity in self._pod_usage(gang, self._bound[pod]).items():
                    total[key] = total.get(key, 0) + quantity
        return total

    def _pod_usage(self, gang: Gang, bound: Bound) -> Charge:
        total: dict[FlavorResource, int] = {}
        if gang.queue is not None:
            queue = self._queues[gang.queue]
            add_usage(total, queue, bound.pod.requests, 1, self._flavors_at(queue, self._nodes[bound.node]))
        return total

    def _flavors_at(self, queue: Queue, node: Node) -> dict[str, str]:
        """The flavors that this node is an example of, for a pod that nobody admitted."""
        found: dict[str, str] = {}
        for quota in queue.quotas:
            labels = self._flavors[quota.flavor].node_labels if quota.flavor in self._flavors else {}
            if all(node.labels.get(key) == value for key, value in labels.items()):
                found.setdefault(quota.resource, quota.flavor)
        return found
