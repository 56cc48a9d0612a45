"""vLLM's series of a service whose load the scenario tells: its callers keep so many requests open.

Each replica works at as many as it has room for, the others wait in its queue. A service without replicas has no
process to ask: then the gateway before it says how many wait.
"""

from dataclasses import dataclass

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import CAPACITY, LOAD, parse_load, said_by
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import ObjectStore
from agent.ports import JsonObject

DEFAULT_CAPACITY = 16  # requests that one replica works at
CACHE_WHEN_FULL = 0.92  # of the KV cache
_SERVICES = (("serving.kserve.io", "InferenceService"), ("apps", "Deployment"), ("apps", "StatefulSet"),
             ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Replica:
    running: int
    waiting: int
    capacity: int

    @property
    def busy(self) -> float:
        return self.running / self.capacity


def replicas(store: ObjectStore) -> tuple[dict[Key, dict[Key, Replica]], dict[Key, int]]:
    """Service -> its ready pods, each with its share; and the services that have none, with who waits for them."""
    serving: dict[Key, list[JsonObject]] = {}
    for pod in store.of_kind("", "Pod"):
        told = said_by(store, pod, LOAD) if pods.ready(pod) else None
        if told is not None:
            serving.setdefault(key_of(told[0]), []).append(pod)
    loads = {key_of(each): each for kind in _SERVICES for each in store.of_kind(*kind) if _load_of(each) is not None}
    shared = {key: _shared(store.get(key) or {}, mine) for key, mine in serving.items()}
    return shared, {key: _load_of(each) or 0 for key, each in loads.items() if key not in shared}


def busy(served: dict[Key, dict[Key, Replica]]) -> dict[tuple[str, str], float]:
    """Of each replica, by namespace and name, the share of its room that is taken."""
    return {(pod.namespace, pod.name): replica.busy for each in served.values() for pod, replica in each.items()}


def series(service: Key, pod: Key, replica: Replica) -> dict[Labels, Sample]:
    labels = {"namespace": pod.namespace, "pod": pod.name, "service": service.name, "model_name": service.name}
    return {
        labels_of("vllm:num_requests_running", labels): Sample(replica.running),
        labels_of("vllm:num_requests_waiting", labels): Sample(replica.waiting),
        labels_of("vllm:gpu_cache_usage_perc", labels): Sample(round(replica.busy * CACHE_WHEN_FULL, 4)),
    }


def at_the_gateway(service: Key, waiting: int) -> dict[Labels, Sample]:
    labels = {"namespace": service.namespace, "service": service.name, "model_name": service.name}
    return {labels_of("vllm:num_requests_waiting", labels): Sample(waiting)}


def _shared(service: JsonObject, mine: list[JsonObject]) -> dict[Key, Replica]:
    load, capacity = _load_of(service) or 0, _number(service, CAPACITY, DEFAULT_CAPACITY)
    each, more = divmod(load, len(mine))
    found = {}
    for index, pod in enumerate(mine):
        share = each + (1 if index < more else 0)
        found[key_of(pod)] = Replica(min(capacity, share), max(0, share - capacity), capacity)
    return found


def _load_of(service: JsonObject) -> int | None:
    return _number(service, LOAD, -1) if LOAD in (service["metadata"].get("annotations") or {}) else None


def _number(service: JsonObject, annotation: str, default: int) -> int:
    text = (service["metadata"].get("annotations") or {}).get(annotation)
    return default if text is None else parse_load(text)
