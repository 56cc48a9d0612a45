"""Days of a cluster in seconds: gangs come, run and end in virtual time, and what becomes of them is counted.

>>> from scheduler_core import Gang, Node, PodSet, Snapshot
>>> cluster = Snapshot(nodes=[Node("n1", {"nvidia.com/gpu": 8})])
>>> def work(name, gpus, at_s, runs_s):
...     pod_set = PodSet(count=gpus, requests={"nvidia.com/gpu": 1})
...     gang = Gang(name=name, pod_sets=(pod_set,), created_s=at_s, walltime_s=runs_s)
...     return Arrival(gang, at_s, runs_s, "large" if gpus > 4 else "small")
>>> load = [work("a", 4, 0, 100), work("b", 8, 10, 50), work("c", 4, 20, 30), work("d", 4, 30, 500)]
>>> for name in ("fifo", "backfill"):
...     result = simulate(cluster, load, by_name(name))
...     print(name, result.makespan_s, {gang: life.started_s for gang, life in result.lives.items()})
fifo 650 {'a': 0, 'b': 100, 'c': 150, 'd': 150}
backfill 650 {'a': 0, 'b': 100, 'c': 20, 'd': 150}

There c ends before b's turn comes and goes ahead; d would not, and waits. The cluster is afterwards as it was.
"""

from scheduler_core.simulation.checking import watch
from scheduler_core.simulation.engine import ARRIVALS_LIMIT, simulate
from scheduler_core.simulation.load import Arrival, Life
from scheduler_core.simulation.orders import ORDERS, by_name
from scheduler_core.simulation.result import ClassTold, Moment, Result
from scheduler_core.simulation.step import Order, Step

__all__ = [
    "ARRIVALS_LIMIT",
    "ORDERS",
    "Arrival",
    "ClassTold",
    "Life",
    "Moment",
    "Order",
    "Result",
    "Step",
    "by_name",
    "simulate",
    "watch",
]
