"""`watchkeeper run`: the long-running agent with its inbound doors.

One thread drives the watch; the HTTP server's threads only store signals and ring the bell. SIGTERM and SIGINT let the
step in hand finish; what was going on continues at the next start, from the stores.
"""

from __future__ import annotations

import fcntl
import logging
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated

import typer

from agent.cli.output import fail

if TYPE_CHECKING:
    from agent.adapters.anchoring import Anchoring
    from agent.adapters.simulated.world import World
    from agent.assembly import Agent
    from agent.config import Settings

IDLE_AT_MOST_S = 1.0  # answers from other processes are found by looking; people notice a second, disks do not

log = logging.getLogger("watchkeeper.run")


def run(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings.")] = None,
    world: Annotated[str | None, typer.Option("--world", metavar="live|simulated", help="What it watches.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Says more on standard error.")] = False,
) -> None:
    """The long-running agent.

    Example: watchkeeper run --world simulated
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    from agent.config import SettingsInvalid, load_settings

    try:
        settings = load_settings(config, {"world": world})
    except SettingsInvalid as error:
        fail(str(error))
    if settings.world == "live":
        fail("This version watches simulated clusters only. Start it with --world simulated.")
    _serve(settings)


def _serve(settings: Settings) -> None:
    from agent.adapters.inbound.server import Doors
    from agent.adapters.inbound.serving import CannotListen, Serving
    from agent.adapters.notify import LogNotifier
    from agent.adapters.playbooks.expressions import PlaybookError
    from agent.assembly import assemble, refused_by
    from agent.cli.slack import slack_parts
    from agent.ports import Fault
    from agent.scenarios.format import ScenarioInvalid
    from audit.errors import LogError

    bell = threading.Event()
    lock = _alone(settings.database)
    try:
        simulated = _world(settings)
        agent = assemble(settings, simulated, notifier=LogNotifier())
    except (PlaybookError, Fault, ScenarioInvalid, LogError, OSError) as error:
        fail(f"It cannot start: {error}")
    anchoring = _anchoring(settings, agent)
    slack = slack_parts(settings, agent, bell.set)
    ready = threading.Event()
    doors = Doors(
        inbox=agent.ports.inbox,
        clock=agent.ports.clock,
        wake=bell.set,
        on_refused=refused_by(agent.ports.ledger, agent.ports.clock),
        not_ready=lambda: agent.policies.not_ready() if ready.is_set() else "the agent is starting",
        details=lambda: {
            **agent.policies.details(),
            **({"anchors": anchoring.standing()} if anchoring else {}),
            **({"slack": slack.publisher.away or "told"} if slack else {}),
        },
        token=_token(settings),
        more_routes=slack.routes if slack else (),
    )
    host, _, port = settings.listen.rpartition(":")
    try:
        serving = Serving(doors.app(), host, int(port))
        serving.start()
    except CannotListen as error:
        agent.close()
        fail(f"It {error}.", "Set another address by `listen`.")
    log.info("watching a simulated cluster; doors at %s; log in %s", serving.url, agent.log.store.name)
    if not _loopback(host) and settings.inbound_token_file is None:
        log.warning("the doors are open to everybody who reaches %s: set inbound_token_file", settings.listen)
    if anchoring:
        anchoring.start()
    if slack:
        slack.start()
    ready.set()
    stopping = _stop_on_signals(bell)
    try:
        _watch(settings, simulated, agent, bell, stopping)
    finally:
        serving.stop()
        if slack:
            slack.stop()
        if anchoring:
            anchoring.stop()
        agent.close()
        lock.close()
        log.info("stopped")


def _anchoring(settings: Settings, agent: Agent) -> Anchoring | None:
    """Checks the places and the keys now: a mistake in the settings stops the start, a place that is away does not."""
    if not settings.anchors:
        return None
    from agent.adapters.anchoring import Anchoring, Keys, person_called
    from agent.cli.audit_anchoring import checked_places, signing_keys
    from agent.cli.house import WallClock

    signer, earlier, witnesses = signing_keys(settings)
    alarm = person_called(agent.ports.notifier, agent.ports.ledger)
    places = checked_places(settings.anchors)
    return Anchoring(agent.log, Keys(signer, earlier, witnesses), places, settings.anchor_every_s, WallClock(), alarm)


def _watch(settings: Settings, world: World, agent: Agent, bell: threading.Event, stopping: threading.Event) -> None:
    """Simulated time follows the wall clock; the world's own events happen when they are due."""
    next_look = datetime.now(UTC)
    while not stopping.is_set():
        now = datetime.now(UTC)
        world.advance_to(now)
        if now >= next_look:
            agent.look()
            next_look = now + timedelta(seconds=settings.look_every_s)
        agent.run_until_idle()
        due = [next_look, agent.watch.next_wake(), world.next_event_at()]
        soonest = min(moment for moment in due if moment is not None)
        bell.wait(min(max((soonest - datetime.now(UTC)).total_seconds(), 0.0), IDLE_AT_MOST_S))
        bell.clear()


def _alone(database: Path) -> IO[str]:
    """Holds the database for this process: a second agent would execute in its own world what was approved in ours."""
    try:
        held = database.with_name(database.name + ".lock").open("w", encoding="utf-8")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"Another agent runs on {database}.", "Stop it first, or set another `database`.")
    except OSError as error:
        fail(f"It cannot start: {database}: {error.strerror}")
    return held


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _world(settings: Settings) -> World:
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


def _token(settings: Settings) -> str | None:
    if settings.inbound_token_file is None:
        return None
    file = settings.inbound_token_file
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        fail(f"{file}: the token cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file}: the token is no UTF-8 text.", "Write it anew, in letters and digits.")
    if not token:  # an empty one would let in whoever sends an empty one
        fail(f"{file}: the token is empty.", "Write one, or take inbound_token_file out of the settings.")
    return token


def _stop_on_signals(bell: threading.Event) -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()
        bell.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
