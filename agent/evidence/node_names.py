"""One machine, two names: `gpu-1` in the cluster and `gpu-1.prod.example.com` in its telemetry, or the other way round.

The first label of the name decides, where exactly one node has it and one of the two names is that label alone: two
full names of different domains are two machines, and so is what two nodes answer to. Judges compare whole names, so
what they are handed is renamed here, once.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from agent.evidence.labels import NODE, node_of
from agent.ports import Metrics, Series


def known_node(name: str, nodes: Collection[str]) -> str:
    """The node that `name` stands for; `name` itself where that is none, or not one alone."""
    if name in nodes or not name:
        return name
    short = _first_label(name)
    same = [node for node in nodes if _first_label(node) == short]
    alone = len(same) == 1 and short in (name, same[0])
    return same[0] if alone and not short.isdigit() else name  # the first part of an address is no name


def _first_label(name: str) -> str:
    return name.partition(".")[0]


@runtime_checkable
class TellsOfOne(Protocol):
    """Metrics of so many machines that who looks at one had better not read them all."""

    def about(self, node: str) -> Metrics: ...


def about(metrics: Metrics, node: str) -> Metrics:
    return metrics.about(node) if isinstance(metrics, ClusterNames) else metrics


class ClusterNames:
    """Implements ports.Metrics: what `metrics` says, with nodes called as the cluster calls them."""

    def __init__(self, metrics: Metrics, nodes: Collection[str]) -> None:
        self._metrics = metrics
        self._nodes = nodes
        self._renamed: dict[str, str] = {}

    def instant(self, query: str, at: datetime) -> list[Series]:
        return self._called(self._metrics.instant(query, at))

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        return self._called(self._metrics.range(query, start, end, step))

    def about(self, node: str) -> Metrics:
        """What is said of one of the nodes, and perhaps more: a source that can tell it by itself is asked for no more.
        All that could be meant by its name is among it, so that it is called as it would be among the others."""
        if not isinstance(self._metrics, TellsOfOne):
            return self
        return ClusterNames(self._metrics.about(node), self._nodes)

    def _called(self, found: list[Series]) -> list[Series]:
        said = {name for one in found if (name := node_of(one.labels)) and name not in self._nodes}
        if not said:
            return found
        names = {name: known for name in said if (known := self._known(name)) != name}
        meant = list(names.values())
        heard = {node_of(one.labels) for one in found}
        sure = {name: known for name, known in names.items() if meant.count(known) == 1 and known not in heard}
        return _renamed(found, sure)

    def _known(self, name: str) -> str:
        if name not in self._renamed:
            self._renamed[name] = known_node(name, self._nodes)
        return self._renamed[name]


def _renamed(found: Sequence[Series], names: dict[str, str]) -> list[Series]:
    return [
        one._replace(labels={**one.labels, NODE[0]: names[name]}) if (name := node_of(one.labels)) in names else one
        for one in found
    ]
