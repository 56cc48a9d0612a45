"""What one process of `watchkeeper run` has from its start to its end, whoever is in charge meanwhile."""

from __future__ import annotations

import fcntl
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from agent.cli.output import fail

if TYPE_CHECKING:
    from agent.adapters.gated import Gate
    from agent.adapters.kubernetes.election import Election
    from agent.adapters.telemetry.health import Health
    from agent.adapters.telemetry.ports import Telemetry
    from agent.config import Settings

LOCK_RETRY_S = 1.0  # who led before lets go of the database within a moment


@dataclass
class Post:
    """`bell` wakes the loop, from any thread."""

    settings: Settings
    telemetry: Telemetry
    health: Health
    gate: Gate
    instance: str
    token: str | None = None  # what the inbound doors want to be shown
    election: Election | None = None
    bell: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    def interpose(self, name: str, port: Any) -> Any:
        """Everything that changes something goes through the gate, and what passes is measured."""
        from agent.adapters.gated import GatedCluster, GatedRepairs
        from agent.adapters.kubernetes.live.cluster import LiveCluster

        match name:
            case "cluster":
                if isinstance(port, LiveCluster):
                    self.gate.skew_s = lambda: port.skew_s
                return GatedCluster(port, self.gate)
            case "repairs":
                return GatedRepairs(port, self.gate)
            case "boundaries":
                return self.gate
            case "looks":
                return self.health.looked
            case _:
                return self.telemetry.interpose(name, port)

    def in_charge(self) -> bool:
        """A leader that is cut off keeps its place until it knows of another, and does nothing meanwhile."""
        from agent.adapters.kubernetes.leasing import Role

        return not self.stopping.is_set() and (self.election is None or self.election.role is not Role.STANDBY)

    def may_act(self) -> bool:
        return not self.stopping.is_set() and self.gate.held()

    def stop(self) -> None:
        """The step in hand ends; nothing new is begun."""
        self.gate.stopping = True
        self.stopping.set()
        self.bell.set()

    def details(self) -> dict[str, object]:
        led = self.election.standing() if self.election else {"role": "alone"}
        return {"leadership": led, "observes": self.gate.observing, **self.health.details()}


def post_of(settings: Settings) -> Post:
    from agent.adapters.gated import Gate
    from agent.adapters.kubernetes.election import identity, monotonic_s
    from agent.adapters.telemetry.health import Health
    from agent.adapters.telemetry.instruments import Instruments
    from agent.adapters.telemetry.ports import Telemetry
    from agent.adapters.telemetry.tracing import traces_for
    from agent.cli.house import WallClock

    token = token_of(settings)
    release = version("watchkeeper")
    instruments = Instruments(release)
    telemetry = Telemetry(instruments, traces_for(release), monotonic_s)
    health = Health(WallClock(), monotonic_s, instruments)
    post = Post(settings, telemetry, health, Gate(observing=settings.observes), identity(datetime.now(UTC)), token)
    # Who only observes takes no lease: it changes nothing, not even a Lease, and nobody who acts waits for it.
    if settings.world == "live" and settings.leader_election and not settings.observes:
        post.election = _election(settings, post)
        post.gate.held = post.election.held
    return post


def _election(settings: Settings, post: Post) -> Election:
    from agent.adapters.kubernetes.election import Election
    from agent.adapters.kubernetes.lease_api import KubernetesLease
    from agent.adapters.live import access_of
    from agent.cli.house import WallClock

    namespace, _, name = settings.lease.partition("/")
    api = KubernetesLease(access_of(settings).api_client, namespace, name)
    return Election(api, (namespace, name), post.instance, WallClock(), post.bell.set)


def stop_on_signals(stop: Callable[[], None]) -> None:
    def stopped(_number: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)


def alone(database: Path, *, wait: Callable[[], bool] | None = None) -> IO[str] | None:
    """Holds the database for this process: a second agent would execute in its own world what was approved in ours.

    With `wait`, whoever holds it still is waited for while that says so; None where it no longer does.
    """
    try:
        held = database.with_name(database.name + ".lock").open("w", encoding="utf-8")
    except OSError as error:
        fail(f"It cannot start: {database}: {error.strerror}")
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                fail(f"Another agent runs on {database}.", "Stop it first, or set another `database`.")
            if not wait():
                held.close()
                return None
            threading.Event().wait(LOCK_RETRY_S)
        except OSError as error:
            fail(f"It cannot start: {database}: {error.strerror}")
        else:
            return held


def token_of(settings: Settings) -> str | None:
    if settings.inbound_token_file is None:
        return None
    return _secret(settings.inbound_token_file)


def _secret(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        fail(f"{file}: the token cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file}: the token is no UTF-8 text.", "Write it anew, in letters and digits.")
    if not token:  # an empty one would let in whoever sends an empty one
        fail(f"{file}: the token is empty.", "Write one, or take inbound_token_file out of the settings.")
    return token
