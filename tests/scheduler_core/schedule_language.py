"""The language the scheduler's tests are written in: a cluster said in one breath.

cluster().node("gpu-7", gpus=8).queue("research", quota=64).gang("llama", pods=8, gpus=8, queue="research")
"""

from __future__ import annotations

from typing import Any

from scheduler_core import (
    Cohort,
    CycleResult,
    Effect,
    Explanation,
    Flavor,
    Gang,
    Node,
    Phase,
    Pod,
    PodSet,
    Queue,
    Quota,
    Settings,
    Snapshot,
    cycle,
    explain,
    run,
    what_if,
)

GPU = "nvidia.com/gpu"


def cluster(settings: Settings | None = None) -> Cluster:
    return Cluster(settings or Settings())


class Cluster:
    """A snapshot under construction, and the questions tests ask of it."""

    def __init__(self, settings: Settings) -> None:
        self.snapshot = Snapshot()
        self.settings = settings

    # -- what there is

    def node(self, name: str, gpus: int = 8, **more: Any) -> Cluster:
        resources = more.pop("resources", {})
        self.snapshot.add_node(Node(name, {GPU: gpus, **resources}, **more))
        return self

    def nodes(self, count: int, gpus: int = 8, **more: Any) -> Cluster:
        for index in range(count):
            self.node(f"gpu-{index}", gpus, **more)
        return self

    def flavor(self, name: str, **labels: str) -> Cluster:
        self.snapshot.add_flavor(Flavor(name, labels))
        return self

    def cohort(self, name: str, parent: str | None = None, quota: int | None = None, **limits: int) -> Cluster:
        quotas = () if quota is None else (Quota(resource=GPU, nominal=quota, **limits),)
        self.snapshot.add_cohort(Cohort(name=name, parent=parent, quotas=quotas))
        return self

    def queue(
        self,
        name: str,
        quota: int | dict[str, int] = 64,
        borrowing_limit: int | None = None,
        lending_limit: int | None = None,
        **more: Any,
    ) -> Cluster:
        amounts = quota if isinstance(quota, dict) else {"default": quota}
        quotas = tuple(
            Quota(
                resource=GPU,
                flavor=flavor,
                nominal=nominal,
                borrowing_limit=borrowing_limit,
                lending_limit=lending_limit,
            )
            for flavor, nominal in amounts.items()
        )
        self.snapshot.add_queue(Queue(name=name, quotas=quotas, **more))
        return self

    # -- who wants something

    def gang(
        self,
        name: str,
        pods: int = 1,
        gpus: int = 8,
        queue: str | None = None,
        at_least: int | None = None,
        priority: int = 0,
        created_s: int = 0,
        **shape: Any,
    ) -> Cluster:
        pod_set = PodSet(count=pods, min_count=at_least, requests={GPU: gpus}, **shape)
        gang = Gang(name=name, pod_sets=(pod_set,), queue=queue, priority=priority, created_s=created_s)
        self.snapshot.add_gang(gang)
        return self

    def gang_of(self, name: str, *pod_sets: PodSet, queue: str | None = None) -> Cluster:
        self.snapshot.add_gang(Gang(name=name, pod_sets=pod_sets, queue=queue))
        return self

    def running(self, gang: str, *nodes: str) -> Cluster:
        """Pods of the gang run there already, one per name given."""
        pod_set = self.snapshot.gang(gang).pod_sets[0]
        have = len(self.snapshot.pods_of(gang))
        for index, node in enumerate(nodes, start=have):
            self.snapshot.occupy(node, pod_set.requests, f"{gang}-{pod_set.name}-{index}", gang)
        return self

    def pod(self, name: str, node: str, gpus: int = 1, owner: str | None = None) -> Cluster:
        self.snapshot.occupy(node, {GPU: gpus}, name, owner=owner)
        return self

    def waits(self, name: str, gpus: int = 1, **more: Any) -> Cluster:
        self.snapshot.wait(Pod(name=name, requests={GPU: gpus}, **more))
        return self

    # -- what happens

    def cycle(self, now_s: int = 0) -> CycleResult:
        return cycle(self.snapshot, now_s, self.settings)

    def run(self, now_s: int = 0) -> CycleResult:
        return run(self.snapshot, now_s, self.settings)

    def what_if(self, *changes: Any, now_s: int = 0, until_s: int | None = None) -> Effect:
        return what_if(self.snapshot, changes, now_s, settings=self.settings, until_s=until_s)

    def why(self, gang: str, now_s: int = 0) -> Explanation | None:
        return explain(self.snapshot, gang, now_s, self.settings)

    def running_gangs(self) -> set[str]:
        return {name for name in self.snapshot.gangs if self.snapshot.phase(name) is Phase.RUNNING}

    def nodes_of(self, gang: str) -> list[str]:
        return sorted(self.snapshot.pods[pod].node for pod in self.snapshot.pods_of(gang))
