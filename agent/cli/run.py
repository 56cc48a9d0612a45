"""`watchkeeper run`: the long-running agent with its inbound doors.

One thread drives the watch; the HTTP server's threads only store signals and ring the bell. SIGTERM and SIGINT let the
step in hand finish; what was going on continues at the next start, from the stores. In a live cluster one agent acts at
a time: it holds a Lease, and the others stand by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.output import EXIT_USAGE, fail
from agent.cli.turn import IDLE_AT_MOST_S, begin

if TYPE_CHECKING:
    from agent.adapters.inbound.front import ASGIApp, Front
    from agent.cli.post import Post
    from agent.config import Settings

log = logging.getLogger("watchkeeper.run")


def run(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings.")] = None,
    world: Annotated[str | None, typer.Option("--world", metavar="live|simulated", help="What it watches.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", metavar="FILE", help="How the live cluster is reached.")
    ] = None,
    context: Annotated[str | None, typer.Option("--context", metavar="NAME", help="Of the kubeconfig.")] = None,
    observe: Annotated[
        bool | None, typer.Option("--observe/--act", help="Propose and record only, or as the levels say.")
    ] = None,
    log_format: Annotated[str, typer.Option("--log-format", metavar="text|json", help="Of the process log.")] = "text",
    verbose: Annotated[bool, typer.Option("--verbose", help="Says more on standard error.")] = False,
) -> None:
    """The long-running agent.

    Example: watchkeeper run --world simulated
    """
    from agent.adapters.telemetry import logs
    from agent.config import SettingsInvalid, as_run, load_settings

    if log_format not in ("text", "json"):
        fail(f"--log-format {log_format!r} is neither text nor json.", status=EXIT_USAGE)
    logs.set_up("json" if log_format == "json" else "text", verbose=verbose)
    flags = {"world": world, "kubeconfig": kubeconfig, "kube_context": context, "observe": observe}
    try:
        settings = load_settings(config, flags)
    except SettingsInvalid as error:
        fail(str(error))
    _serve(as_run(settings))


def _serve(settings: Settings) -> None:
    from agent.adapters.inbound.front import Aside, Front
    from agent.adapters.inbound.serving import CannotListen, Serving
    from agent.cli.post import alone, post_of, stop_on_signals

    post = post_of(settings)
    lock = alone(settings.database) if post.election is None else None
    aside = Aside(
        post.details,
        post.telemetry.instruments.text,
        not_ready=lambda: "the agent is taking charge" if post.in_charge() else None,
        dead=post.health.dead,
    )
    front = Front(aside.app())
    host, _, port = settings.listen.rpartition(":")
    try:
        serving = Serving(front, host, int(port))
        serving.start()
    except CannotListen as error:
        fail(f"It {error}.", "Set another address by `listen`.")
    if not _loopback(host) and settings.inbound_token_file is None:
        log.warning("the doors are open to everybody who reaches %s: set inbound_token_file", settings.listen)
    stop_on_signals(post.stop)
    try:
        if post.election is None:
            _turn(post, front, serving.url)
        else:
            post.election.start()
            _take_turns(post, front, serving.url, aside.app)
    finally:
        post.stop()
        if post.election is not None:
            post.election.stop()
        serving.stop()
        post.telemetry.traces.close()
        if lock is not None:
            lock.close()
    log.info("stopped")  # in order: who could not start has said why, and nothing after it


def _take_turns(post: Post, front: Front, url: str, aside: Callable[[], ASGIApp]) -> None:
    """In charge while the lease is ours; a standby the rest of the time."""
    from agent.cli.post import alone

    log.info("standing by at %s until the lease %s is free", url, post.settings.lease)
    while not post.stopping.is_set():
        post.health.turned()
        if not post.in_charge():
            post.bell.wait(IDLE_AT_MOST_S)
            post.bell.clear()
            continue
        lock = alone(post.settings.database, wait=post.in_charge)
        if lock is None:
            continue
        try:
            _turn(post, front, url)
        finally:
            front.current = aside()
            lock.close()


def _turn(post: Post, front: Front, url: str) -> None:
    turn = begin(post)
    try:
        front.current = turn.app()
        what = f"a {post.settings.world} cluster{', observing only' if post.gate.observing else ''}"
        log.info("watching %s; doors at %s; log in %s", what, url, turn.agent.log.store.name)
        turn.start()
        turn.watch()
    finally:
        post.telemetry.instruments.leader.set(0)
        turn.close()


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
