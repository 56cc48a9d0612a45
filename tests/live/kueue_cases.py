"""Small clusters with Kueue, drawn from a seed: queues, cohorts, flavors, priorities, preemption, topologies, gangs.

Each case has a namespace, nodes and quota of its own, so that many lie side by side in one cluster. First some gangs
get in; then the queues are shut by one admission check (a single object, so that all open in the same moment), others
come, and the queues are opened: whom does Kueue let in now?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Json = dict[str, Any]

VERSION = "kueue.x-k8s.io/v1beta2"
GPU = "nvidia.com/gpu"
CASE = "tests.watchkeeper.dev/case"
TYPE = "tests.watchkeeper.dev/gpu-type"
BLOCK, RACK, HOST = "cloud.provider.com/topology-block", "cloud.provider.com/topology-rack", "kubernetes.io/hostname"
FAKE = {"kwok.x-k8s.io/node": "fake"}
GATE = "watchkeeper-tests/gate"  # controllerName of the check that shuts a case's queues

PLAIN, PREEMPTING, PARTIAL, TOPOLOGY, TREE, FLAVORS = "plain", "preempting", "partial", "topology", "tree", "flavors"
KINDS = (PLAIN, PREEMPTING, FLAVORS, PREEMPTING, TREE, PARTIAL, TOPOLOGY, PREEMPTING, FLAVORS, TOPOLOGY)


@dataclass
class Case:
    name: str
    kind: str
    cluster: list[Json] = field(default_factory=list)  # what there is, in the order in which it is made
    first: list[Json] = field(default_factory=list)  # workloads that come while the queues are open
    then: list[Json] = field(default_factory=list)  # and those that come while they are shut

    @property
    def queues(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.cluster if each["kind"] == "ClusterQueue"]


def cases(seed: int, count: int) -> list[Case]:
    return [
        _case(Random(seed * 1_000 + index), f"case-{index:02}", KINDS[index % len(KINDS)]) for index in range(count)
    ]


def check(name: str) -> Json:
    return {**_named("AdmissionCheck", name), "spec": {"controllerName": GATE}}


def _case(chance: Random, name: str, kind: str) -> Case:
    case = Case(name, kind)
    case.cluster.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    flavors = [f"{name}-{each}" for each in (("h100", "a100") if kind == FLAVORS else ("h100",))]
    placed = kind == TOPOLOGY
    if placed:
        case.cluster += [*_nodes(chance, name), _topology(name)]
    for flavor in flavors:
        case.cluster.append(_flavor(name, flavor, placed))
    case.cluster.append(check(name))
    case.cluster += _queues(chance, case, flavors)
    doors = [each["metadata"]["name"] for each in case.cluster if each["kind"] == "LocalQueue"]
    for index in range(chance.randint(2, 5)):
        case.first.append(_workload(chance, case, f"first-{index}", chance.choice(doors), low=True))
    for index in range(chance.randint(3, 7)):
        case.then.append(_workload(chance, case, f"then-{index}", chance.choice(doors), low=False))
    return case


# -- quota -------------------------------------------------------------------------------------------------------------


def _queues(chance: Random, case: Case, flavors: list[str]) -> list[Json]:
    made: list[Json] = []
    count = 1 if case.kind == PARTIAL else chance.randint(1, 4)
    cohorts = _cohorts(chance, case, made) if count > 1 or case.kind == TREE else []
    for index in range(count):
        name = f"{case.name}-q{index}"
        cohort = chance.choice(cohorts) if cohorts else None
        made += [_cluster_queue(chance, case, name, cohort, flavors), _local_queue(case.name, f"q{index}", name)]
    return made


def _cohorts(chance: Random, case: Case, made: list[Json]) -> list[str]:
    """One that nobody writes down, or a root with two below it."""
    if case.kind != TREE:
        return [f"{case.name}-all"]
    root, left, right = (f"{case.name}-{each}" for each in ("root", "left", "right"))
    made.append({**_named("Cohort", root), "spec": {}})
    made += [{**_named("Cohort", each), "spec": {"parentName": root}} for each in (left, right)]
    return [left, right]


def _cluster_queue(chance: Random, case: Case, name: str, cohort: str | None, flavors: list[str]) -> Json:
    spec: Json = {
        "namespaceSelector": {},
        "queueingStrategy": chance.choice(["BestEffortFIFO", "BestEffortFIFO", "StrictFIFO"]),
        "resourceGroups": [
            {"coveredResources": [GPU], "flavors": [_quota(chance, flavor, cohort) for flavor in flavors]},
            *_cpus(chance, case, cohort),
        ],
        "admissionChecksStrategy": {"admissionChecks": [{"name": case.name}]},
    }
    if cohort is not None:
        spec["cohortName"] = cohort
    if case.kind in (PREEMPTING, FLAVORS, TREE, TOPOLOGY):
        spec["preemption"] = _preemption(chance, cohort)
    if case.kind == FLAVORS:
        stops = ("MayStopSearch", "TryNextFlavor")
        spec["flavorFungibility"] = {"whenCanBorrow": chance.choice(stops), "whenCanPreempt": chance.choice(stops)}
    return {**_named("ClusterQueue", name), "spec": spec}


def _quota(chance: Random, flavor: str, cohort: str | None) -> Json:
    nominal = chance.randint(2, 8)
    quota: Json = {"name": GPU, "nominalQuota": str(nominal)}
    if cohort is not None and chance.random() < 0.4:
        quota["borrowingLimit"] = str(chance.randint(0, 6))
    if cohort is not None and chance.random() < 0.3:
        quota["lendingLimit"] = str(chance.randint(0, nominal))
    return {"name": flavor, "resources": [quota]}


def _cpus(chance: Random, case: Case, cohort: str | None) -> list[Json]:
    """Now and then the queue counts a second resource, in a group of its own."""
    if case.kind != PREEMPTING or chance.random() < 0.5:
        return []
    case.cluster.append(_flavor(case.name, f"{case.name}-cpu-{len(case.cluster)}", False))
    name = case.cluster[-1]["metadata"]["name"]
    quota = {"name": "cpu", "nominalQuota": str(chance.randint(4, 12))}
    return [{"coveredResources": ["cpu"], "flavors": [{"name": name, "resources": [quota]}]}]


def _preemption(chance: Random, cohort: str | None) -> Json:
    rules: Json = {"withinClusterQueue": chance.choice(["LowerPriority", "LowerOrNewerEqualPriority", "Never"])}
    if cohort is not None:
        rules["reclaimWithinCohort"] = chance.choice(["Any", "LowerPriority", "Never"])
        if rules["reclaimWithinCohort"] != "Never" and chance.random() < 0.3:
            rules["borrowWithinCohort"] = {"policy": "LowerPriority", "maxPriorityThreshold": 50}
    return rules


def _local_queue(namespace: str, name: str, queue: str) -> Json:
    return {**_named("LocalQueue", name, namespace), "spec": {"clusterQueue": queue}}


# -- nodes -------------------------------------------------------------------------------------------------------------


def _nodes(chance: Random, case: str) -> list[Json]:
    """Two blocks of two racks, each with one to three nodes."""
    made: list[Json] = []
    for block in range(2):
        for rack in range(2):
            for _ in range(chance.randint(1, 3)):
                name = f"{case}-n{len(made)}"
                where = {BLOCK: f"{case}-b{block}", RACK: f"{case}-b{block}-r{rack}", HOST: name, CASE: case}
                room = {"cpu": "64", "memory": "512Gi", "pods": "110", GPU: str(chance.choice([2, 4, 4, 8]))}
                made.append(
                    {
                        "apiVersion": "v1",
                        "kind": "Node",
                        "metadata": {"name": name, "labels": where, "annotations": dict(FAKE)},
                        "status": {"capacity": room, "allocatable": room},
                    }
                )
    return made


def _topology(name: str) -> Json:
    return {**_named("Topology", name), "spec": {"levels": [{"nodeLabel": each} for each in (BLOCK, RACK, HOST)]}}


def _flavor(case: str, name: str, placed: bool) -> Json:
    labels = {CASE: case} if placed else {TYPE: name}
    spec: Json = {"nodeLabels": labels, **({"topologyName": case} if placed else {})}
    return {**_named("ResourceFlavor", name), "spec": spec}


# -- work --------------------------------------------------------------------------------------------------------------


def _workload(chance: Random, case: Case, name: str, queue: str, *, low: bool) -> Json:
    pod_sets = [_pod_set(chance, case, "main")]
    if case.kind in (PLAIN, PREEMPTING) and chance.random() < 0.25:
        pod_sets.append(_pod_set(chance, case, "launcher", most=1))
    spec: Json = {
        "queueName": queue,
        "podSets": pod_sets,
        "priority": chance.choice([0, 0, 10] if low else [0, 10, 10, 100]),
    }
    return {**_named("Workload", name, case.name), "spec": spec}


def _pod_set(chance: Random, case: Case, name: str, most: int = 4) -> Json:
    count = chance.randint(1, most)
    requests = {GPU: str(chance.choice([1, 1, 2])), "cpu": str(chance.randint(1, 2))}
    if not _counts_cpus(case):
        del requests["cpu"]
    pod_set: Json = {
        "name": name,
        "count": count,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {"name": "main", "image": "pause", "resources": {"requests": requests, "limits": requests}}
                ],
            }
        },
    }
    if case.kind == PARTIAL and count > 1 and chance.random() < 0.7:
        pod_set["minCount"] = chance.randint(1, count - 1)
    if case.kind == TOPOLOGY:
        pod_set["topologyRequest"] = _request(chance)
    return pod_set


def _counts_cpus(case: Case) -> bool:
    """Kueue lets nobody in who asks for what the queue does not count: all of a case's queues do, or none."""
    groups = [each["spec"]["resourceGroups"] for each in case.cluster if each["kind"] == "ClusterQueue"]
    return bool(groups) and all(len(each) > 1 for each in groups)


def _request(chance: Random) -> Json:
    way = chance.random()
    if way < 0.4:
        return {"required": chance.choice([BLOCK, RACK, HOST])}
    return {"preferred": chance.choice([BLOCK, RACK])} if way < 0.8 else {"unconstrained": True}


def _named(kind: str, name: str, namespace: str | None = None) -> Json:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": VERSION, "kind": kind, "metadata": metadata}


def summary(case: Case) -> Mapping[str, int]:
    return {"queues": len(case.queues), "first": len(case.first), "then": len(case.then)}
