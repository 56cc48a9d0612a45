"""What a controller has in its hands: to look, to change what it may, to make and to delete, and to say so.

Nothing here changes a pinned object: that rule is kept in this one place.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import admitted_pods, pods
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.keys import controller_key, key_of, ref_of
from agent.adapters.simulated.merge import merged
from agent.adapters.simulated.overview import Overview
from agent.adapters.simulated.pinning import Pinning
from agent.adapters.simulated.store import ObjectStore, Origin
from agent.adapters.simulated.timers import Timers
from agent.adapters.simulated.tsdb import SeriesStore
from agent.domain.base import digest_of, rfc3339
from agent.domain.reservations import Reservations
from agent.ports import JsonObject

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # as Kubernetes: no vowels, so no words


@dataclass
class Control:
    seed: int
    store: ObjectStore
    clock: SimulatedClock
    timers: Timers
    faults: FaultBoard
    pinning: Pinning
    series: SeriesStore
    reservations: Reservations | None = None  # as the queues of our own hold starts for large gangs
    overview: Overview = field(init=False)
    wake: Callable[[Key], None] = field(default=lambda key: None)  # the control plane's, once there is one
    _refused: dict[Key, None] = field(default_factory=dict)  # whose pods no quota had room for
    _suffixes: int = field(default=0)

    def __post_init__(self) -> None:
        self.overview = Overview(self.store, self.clock)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def get(self, key: Key) -> JsonObject | None:
        return self.store.get(key)

    def after(self, delay: timedelta, action: Callable[[], None]) -> None:
        self.timers.at(self.now + delay, action)

    def patch(self, manifest: JsonObject, patch: JsonObject) -> bool:
        """Merges into the object as it is now. False when it may not be touched, or is gone."""
        current = self.store.get(key_of(manifest))
        if current is None or self.pinning.pinned(current):
            return False
        self.store.replace(key_of(manifest), merged(current, patch), Origin.WORLD)
        return True

    def patch_repaired(self, manifest: JsonObject, patch: JsonObject) -> None:
        """A repair changes the machine itself, pinned or not: it is somebody's action, no controller's."""
        self.store.merge(key_of(manifest), patch, Origin.WORLD)

    def create(self, manifest: JsonObject) -> JsonObject | None:
        """None when there is one of that name already, or a quota has no room for it."""
        if self.store.get(key_of(manifest)) is not None:
            return None
        if manifest["kind"] != "Pod":
            return self.store.create(manifest, Origin.WORLD)
        pod = admitted_pods.with_workload(self.store, admitted_pods.with_priority(self.store, manifest))
        why = admitted_pods.refused(self.store, pod)
        if why:
            self._refuse(pod, why)
            return None
        made = self.store.create(pod, Origin.WORLD)
        admitted_pods.charge(self.store, made)
        return made

    def _refuse(self, pod: JsonObject, why: str) -> None:
        key = controller_key(pod)
        owner = self.store.get(key) if key is not None else None
        if key is not None and owner is not None:
            self._refused[key] = None
            self.event(owner, "Warning", "FailedCreate", f"Error creating: {why}")

    def try_again(self, namespace: str) -> None:
        """There may be room now for those whose pods were refused."""
        for key in [key for key in self._refused if key.namespace == namespace]:
            del self._refused[key]
            self.wake(key)

    def delete(self, manifest: JsonObject) -> None:
        """A pod on a node is given its grace; anything else is gone at once."""
        current = self.store.get(key_of(manifest))
        if current is None or self.pinning.pinned(current):
            return
        if current["kind"] == "Pod" and pods.node_of(current) and not pods.finished(current):
            if not pods.terminating(current):
                self.store.merge(key_of(current), pods.deletion(self.now), Origin.WORLD)
        else:
            self.store.remove(key_of(current), Origin.WORLD)

    def event(self, about: JsonObject, severity: str, reason: str, message: str) -> None:
        """A corev1 Event. The same thing said again counts up."""
        about_ref = {**ref_of(about).json_object(), "uid": about["metadata"]["uid"]}
        namespace = about_ref.get("namespace", "default")
        name = f"{about_ref['name']}.{digest_of([about_ref, reason, message])[:16]}"
        known = self.store.get(Key("", "Event", namespace, name))
        if known is not None:
            seen = {"count": int(known.get("count") or 1) + 1, "lastTimestamp": rfc3339(self.now)}
            self.store.merge(key_of(known), seen, Origin.WORLD)
            return
        self.store.create(
            _event(about_ref, namespace, name, severity, reason, message, rfc3339(self.now)), Origin.WORLD
        )

    def suffix(self) -> str:
        """Five characters for the name of something new; each call gives others."""
        self._suffixes += 1
        number = int.from_bytes(hashlib.sha256(f"{self.seed}:{self._suffixes}".encode()).digest()[:8], "big")
        letters = []
        for _ in range(5):
            number, index = divmod(number, len(SUFFIX_ALPHABET))
            letters.append(SUFFIX_ALPHABET[index])
        return "".join(letters)


def _event(about: Any, namespace: str, name: str, severity: str, reason: str, message: str, moment: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "type": severity,
        "reason": reason,
        "message": message,
        "involvedObject": about,
        "count": 1,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "source": {"component": "simulated"},
    }
