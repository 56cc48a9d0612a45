"""What `watchkeeper run` watches: a simulated cluster whose time follows the wall clock, or a live one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.adapters.kueue.check_controller import Applier
    from agent.adapters.kueue.standing import Served
    from agent.adapters.live import LiveWorld
    from agent.adapters.simulated.world import World as SimulatedWorld
    from agent.assembly import World
    from agent.config import Settings


class Ground(Protocol):
    @property
    def world(self) -> World: ...

    def reach(self, moment: datetime) -> None:
        """Lets what is due by then happen."""
        ...

    def next_event_at(self) -> datetime | None: ...

    def has_news(self) -> bool:
        """Has something happened that nobody sends: an Event, another state of a node?"""
        ...

    def asks_for_admission(self) -> bool:
        """Has something changed that Kueue's admission check looks at?"""
        ...

    def applier(self) -> Applier: ...

    def guard(self, may_write: Callable[[], None]) -> None:
        """It is asked in the middle of each write, and raises where that must not be made any more."""
        ...

    @property
    def kueue(self) -> Callable[[], Served] | None:
        """What is served of Kueue; None where that is not asked."""
        ...

    def lags_s(self) -> Mapping[str, float]: ...

    def watch_counts(self) -> Mapping[str, tuple[int, int]]:
        """By kind: how often it was listed, and how often following it broke."""
        ...

    def close(self) -> None: ...


class SimulatedGround:
    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world

    def reach(self, moment: datetime) -> None:
        self.world.advance_to(moment)

    def next_event_at(self) -> datetime | None:
        return self.world.next_event_at()

    def has_news(self) -> bool:
        """It is looked at once a scrape."""
        return False

    def asks_for_admission(self) -> bool:
        """It is looked at once a scrape."""
        return False

    def applier(self) -> Applier:
        return self.world.cluster

    def guard(self, may_write: Callable[[], None]) -> None:
        """Nothing lies between the gate and this cluster."""

    @property
    def kueue(self) -> None:
        """It is whole in every scenario."""
        return None

    def lags_s(self) -> Mapping[str, float]:
        return {}

    def watch_counts(self) -> Mapping[str, tuple[int, int]]:
        return {}

    def close(self) -> None:
        """There is nothing to close."""


TOLD_KINDS = ("Event", "Node")
ADMISSION_KINDS = ("Workload", "AdmissionCheck")


class LiveGround:
    """Time there passes by itself. `told` is called from the threads that follow the cluster."""

    def __init__(self, make: Callable[[Callable[[str], None]], LiveWorld], wake: Callable[[], None]) -> None:
        self._news, self._admissions = threading.Event(), threading.Event()
        self._wake = wake
        self.world = make(self._told)

    def reach(self, moment: datetime) -> None:
        """It does by itself."""

    def next_event_at(self) -> datetime | None:
        return None

    def has_news(self) -> bool:
        if not self._news.is_set():
            return False
        self._news.clear()  # before the look: what comes meanwhile is news again
        return True

    def asks_for_admission(self) -> bool:
        if not self._admissions.is_set():
            return False
        self._admissions.clear()
        return True

    def applier(self) -> Applier:
        return self.world.cluster

    def guard(self, may_write: Callable[[], None]) -> None:
        self.world.cluster.may_write = may_write

    @property
    def kueue(self) -> Callable[[], Served]:
        return lambda: self.world.cluster.served("kueue.x-k8s.io")

    def lags_s(self) -> Mapping[str, float]:
        return self.world.cluster.lag_s()

    def watch_counts(self) -> Mapping[str, tuple[int, int]]:
        return self.world.cluster.counts()

    def close(self) -> None:
        self.world.close()

    def _told(self, kind: str) -> None:
        if kind in TOLD_KINDS:
            self._news.set()
            self._wake()
        elif kind in ADMISSION_KINDS:
            self._admissions.set()
            self._wake()


def ground_of(
    settings: Settings, told: Callable[[str, str, str], None], wake: Callable[[], None], instance: str
) -> Ground:
    """Raises Fault, ScenarioInvalid or OSError. `told` (door, place, reason) of what somebody should know."""
    if settings.world == "live":
        from agent.adapters.live import live_world

        return LiveGround(lambda on_change: live_world(settings, told, on_change, instance), wake)
    return SimulatedGround(_simulated(settings))


def _simulated(settings: Settings) -> SimulatedWorld:
    """The cluster and the repair system of a scenario file, from now on in wall-clock time."""
    from agent.adapters.simulated.world import World
    from agent.resources import bundled
    from agent.scenarios.format import load_scenario
    from agent.scenarios.manifest import bodies

    spec = load_scenario(settings.simulated_cluster or bundled("scenarios") / "demo.yaml").spec
    repair = {str(name): behaviour.model_dump() for name, behaviour in spec.repair.items()}
    seed = spec.seed if settings.simulated_seed is None else settings.simulated_seed
    world = World(seed, datetime.now(UTC), spec.scrape_interval, repair, reservations=settings.reservations)
    world.load(bodies(spec.cluster))
    return world
