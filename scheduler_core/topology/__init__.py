"""Topology-aware placement: gangs into blocks, racks and hosts, as Kueue's users know it (KEP-2724).

A `Forest` is what node labels span, a `Capacity` what is free in its leaves, an `Ask` one pod set; `assign` places the
pod sets of a workload whole or says why not, and changes nothing. What it answers `Capacity.take` writes down and
`Capacity.give` takes back.

>>> from scheduler_core.model import Node, PodShape
>>> rack, host = "cloud/rack", "kubernetes.io/hostname"
>>> nodes = [Node(n, {"nvidia.com/gpu": g}, {rack: r, host: n}) for n, r, g in
...          [("n1", "r1", 19), ("n2", "r1", 10), ("n3", "r1", 10), ("n4", "r2", 8)]]
>>> capacity = Capacity.of(Forest.of(Topology("default", (rack, host)), nodes))
>>> one = PodShape(requests={"nvidia.com/gpu": 1})
>>> asks = [Ask(count=20, shape=one, topology=TopologyRequest(mode=Mode.REQUIRED, level=rack))]
>>> found = assign(capacity, asks)
>>> [(part.domain, part.count) for part in found["main"].parts]
[(('r1', 'n2'), 10), (('r1', 'n3'), 10)]
>>> [(part.domain, part.count) for part in found["main"].at(level=0)]
[(('r1',), 20)]
>>> capacity.take(found["main"], one.requests)
>>> assign(capacity, asks).message
'topology "default" allows to fit only 19 out of 20 pod(s). Total nodes: 4; excluded: resource "nvidia.com/gpu": 2'

For other parts of the core:
- `Forest.of(topology, nodes, flavor_node_labels)` leaves out nodes that are not ready, cordoned or without a level's
  label.
- `Capacity.occupy` for pods of no workload, `use` for what admitted workloads have (whether it fits or not), `fork`
  for a what-if, `emptied` for "as though all admitted workloads were gone".
- `repair` replaces lost nodes under an admitted workload, `grow` adds pods to one and `Assignment.first` takes some
  away; `spelled_out` turns an admission that names racks, where the topology goes down to hosts, into one that `use`
  takes.
- a pod set without a topology request, on a flavor with a topology, is `UNCONSTRAINED`; slices without a level are
  `TopologyRequest(slices=(Slice(level, size),))`. `has_levels` tells whether a flavor's topology can be asked at all.
- the flavor's own tolerations belong into the `PodShape`; so do node selector, affinity and nodes to keep away from.
- bad input raises a `SchedulerError`, which `answered` turns into the reason of the one who asked; no room is a
  `Failure`, with what came closest and what binds there.
"""

from scheduler_core.topologies import Mode, Slice, Topology, TopologyRequest, has_levels
from scheduler_core.topology.assign import answered, assign
from scheduler_core.topology.assignment import Assignment, Part
from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.choose import Algorithm
from scheduler_core.topology.failure import Cause, Failure
from scheduler_core.topology.forest import Forest
from scheduler_core.topology.place import TopologySettings
from scheduler_core.topology.repair import Repair, grow, repair
from scheduler_core.topology.request import UNCONSTRAINED, Ask
from scheduler_core.topology.spelled import spelled_out

__all__ = [
    "UNCONSTRAINED",
    "Algorithm",
    "Ask",
    "Assignment",
    "Capacity",
    "Cause",
    "Failure",
    "Forest",
    "Mode",
    "Part",
    "Repair",
    "Slice",
    "Topology",
    "TopologyRequest",
    "TopologySettings",
    "answered",
    "assign",
    "grow",
    "has_levels",
    "repair",
    "spelled_out",
]
