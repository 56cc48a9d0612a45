"""The simulated Kueue places by topologies as the core decides, and its pods go where they were placed."""

from datetime import timedelta

from kueue_world import GPU, HOST, NOW, RACK, cluster_queue, flavor, local_queue, made, namespace, node

from agent.adapters.simulated.world import World
from agent.domain.cluster import ObjectRef

LEVELS = [{"nodeLabel": RACK}, {"nodeLabel": HOST}]


def test_a_gang_let_in_by_a_topology_runs_where_it_was_placed() -> None:
    racks = [node(name, 4, topology__rack=rack) for name, rack in (("n1", "r1"), ("n2", "r2"), ("n3", "r2"))]
    pod = {"containers": [{"name": "c", "resources": {"requests": {GPU: "1"}}}]}
    pod_set = {"name": "main", "count": 6, "template": {"spec": pod}, "topologyRequest": {"required": RACK}}
    workload = made("Workload", "w", {"queueName": "main", "podSets": [pod_set]}, "research")
    world = World(1, NOW, timedelta(seconds=30))
    world.load(
        [namespace(), made("Topology", "dc", {"levels": LEVELS}), flavor(topology="dc"), cluster_queue(), *racks]
    )
    world.load([local_queue()])
    world.advance_to(NOW)
    world.apply(workload)
    world.advance_to(NOW + timedelta(minutes=2))
    ref = ObjectRef(api_version="kueue.x-k8s.io/v1beta2", kind="Workload", namespace="research", name="w")
    (assigned,) = world.cluster.get(ref)["status"]["admission"]["podSetAssignments"]
    told = {
        each["valuesPerLevel"][-1]["universal"]: each["podCounts"]["universal"]
        for each in assigned["topologyAssignment"]["slices"]
    }
    stands: dict[str, int] = {}
    for each in world.cluster.list("v1", "Pod", namespace="research"):
        stands[each["spec"]["nodeName"]] = stands.get(each["spec"]["nodeName"], 0) + 1
    assert stands == told and set(told) == {"n2", "n3"} and sum(told.values()) == 6
