"""All exporters together: what each source of series (a node's GPUs, a process, an object) shows, and since when.

A source is written again only when its mark has changed, since a day of 256 GPUs is mostly one in which nothing happens
to most of them.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import Behaviour, behaviour_of
from agent.adapters.simulated.exporters import dcgm, kube_state, kueue, scraped, serving, training
from agent.adapters.simulated.exporters.devices import Devices, assigned, gpus_at
from agent.adapters.simulated.exporters.kueue_tally import KueueTally
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exporters.scraped import Heard, Hearing
from agent.adapters.simulated.exporters.work import Place, Scene, Work, works
from agent.adapters.simulated.exposition import Labels
from agent.adapters.simulated.store import ObjectStore
from agent.domain.cluster import ClusterView
from agent.ports import JsonObject

Series = dict[Labels, Sample]


@dataclass(frozen=True, slots=True)
class Source:
    """`series` is told what the source showed before."""

    name: Hashable
    mark: Hashable
    series: Callable[[Series], Series]


class Exporters:
    """Remembers only who has which GPU, and what Kueue has counted."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._devices: Devices = {}
        self._tally = KueueTally()
        store.listeners.append(self._tally.note)

    def sources(self, view: ClusterView, now: datetime) -> Iterator[Source]:
        served, unserved = serving.replicas(self._store)
        at_work = works(Scene(view, self._behaviours(), serving.busy(served), now))
        yield from self._of_nodes(at_work)
        for place, work in at_work.items():
            yield Source(("training", place), work.steps_per_second, _new(training.series, place, work))
        yield from _of_services(served, unserved)
        for manifest in kube_state.told_of(self._store):
            metadata = manifest["metadata"]
            name = (manifest["kind"], metadata.get("namespace"), metadata["name"])
            yield Source(name, metadata["resourceVersion"], _new(kube_state.series, manifest))
        yield Source("kueue", kueue.mark(self._store), _new(kueue.series, view, self._store, self._tally))

    def _behaviours(self) -> dict[Place, Behaviour]:
        found = {}
        for pod in self._store.of_kind("", "Pod"):
            said = behaviour_of(self._store, pod)
            if said is not None:
                found[_place(pod)] = said
        return found

    # -- GPUs ----------------------------------------------------------------------------------------------------------

    def _of_nodes(self, at_work: dict[Place, Work]) -> Iterator[Source]:
        nodes = self._store.of_kind("", "Node")
        holding = [pod for pod in self._store.of_kind("", "Pod") if _place(pod) in at_work]
        self._devices = assigned(nodes, holding, self._devices)
        holders: dict[tuple[str, int], dcgm.Holder] = {}
        for pod in holding:
            for index in self._devices.get(pod["metadata"]["uid"], ()):
                holders[pods.node_of(pod) or "", index] = _holder(pod, at_work)
        heard = scraped.hearing(self._store)
        for node in nodes:
            name = node["metadata"]["name"]
            yield self._of_node(node, tuple(holders.get((name, index)) for index in range(gpus_at(node))), heard)

    def _of_node(self, node: JsonObject, here: tuple[dcgm.Holder | None, ...], heard: Hearing | None) -> Source:
        name = ("dcgm", node["metadata"]["name"])
        how, stuck = scraped.at(node["metadata"]["name"], heard)
        if how is Heard.SILENT:
            return Source(name, how, _silence)
        if how is Heard.REPEATING:
            return Source(name, how, scraped.frozen)
        said = behaviour_of(self._store, node)
        throttled = said if said is not None and said.word == "throttles" else None
        product = dcgm.product_of(node)
        mark = (how, stuck, here, throttled, product)
        return Source(name, mark, lambda _: scraped.with_zero(dcgm.series(name[1], product, here, throttled), stuck))


def _of_services(served: dict[Key, dict[Key, serving.Replica]], unserved: dict[Key, int]) -> Iterator[Source]:
    for service, replicas in served.items():
        for pod, replica in replicas.items():
            yield Source(("serving", pod), (service, replica), _new(serving.series, service, pod, replica))
    for service, waiting in unserved.items():
        yield Source(("gateway", service), waiting, _new(serving.at_the_gateway, service, waiting))


def _holder(pod: JsonObject, at_work: dict[Place, Work]) -> dcgm.Holder:
    container = (pod["spec"].get("containers") or [{}])[0].get("name", "main")
    return (*_place(pod), container, at_work[_place(pod)].activity)


def _place(pod: JsonObject) -> Place:
    return pod["metadata"].get("namespace") or "", pod["metadata"]["name"]


def _new(series: Callable[..., Series], *about: object) -> Callable[[Series], Series]:
    """A source that looks at what is so now alone."""
    return lambda _: series(*about)


def _silence(_: Series) -> Series:
    return {}
