"""`watchkeeper demo`: a bad day on a simulated GPU cluster, through the ordinary scenario runner, to look at.

The agent, its policies and its log are the real ones. The clock runs faster than yours; when a person is asked, that is
you, and the day waits for your answer.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.output import EXIT_USAGE, JsonOption, fail, show_json

if TYPE_CHECKING:
    from agent.scenarios.format import Scenario
    from agent.scenarios.performance import Performance

SPEED_DEFAULT = 60.0
"""Simulated seconds a second: an hour in a minute."""

DAY_SPEED_DEFAULT = 480.0
"""Eight hours in a minute."""

DAY = {"nodes": 32, "gpus": 256, "tenants": 3, "troubles": 12}
"""What is drawn from a seed."""

SPEED_MAX = 100_000.0


class Approve(StrEnum):
    ASK = "ask"
    ALL = "all"
    NONE = "none"


def demo(
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="Another story than the shipped one.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="A day drawn from this seed; with --scenario, in place of the file's own."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed", min=1.0, max=SPEED_MAX, help="Simulated seconds that pass in one of yours (60; a drawn day 480)."
        ),
    ] = None,
    approve: Annotated[
        Approve | None,
        typer.Option(
            "--approve",
            help="Who answers requests: you (ask), a yes to all, or nobody. Without it: you on a terminal, else the "
            "people of the story.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """A bad day on a simulated GPU cluster: no keys, no server.

    Example: watchkeeper demo --approve all --speed 3600
    """
    from agent.cli.demo_close import closing_json, closing_page
    from agent.scenarios.losses import LossMeter
    from agent.scenarios.performance import Performance

    logging.getLogger("watchkeeper").setLevel(logging.CRITICAL)
    live = not json and sys.stdout.isatty()
    mode = approve or (Approve.ASK if live and sys.stdin.isatty() else None)
    if mode is Approve.ASK and not (live and sys.stdin.isatty()):
        fail("There is nobody to ask here.", "Use --approve all or --approve none, or a terminal.", status=EXIT_USAGE)
    drawn = seed is not None and scenario is None
    story = _day(seed) if seed is not None and drawn else _story(scenario, own_people=mode is None)
    begun = time.monotonic()
    with closing(Performance(story, _folder(), seed=seed, meter=LossMeter() if drawn else None)) as performance:
        _play(performance, mode, speed or (DAY_SPEED_DEFAULT if drawn else SPEED_DEFAULT), live=live)
        seconds = time.monotonic() - begun
        alone = _lost_alone(story) if drawn else None
        if json:
            show_json(closing_json(performance, seconds, alone))
        else:
            closing_page(performance, seconds, alone)


def _story(file: Path | None, *, own_people: bool) -> Scenario:
    """The scenario; its own people only answer where nobody else does."""
    from agent.resources import bundled
    from agent.scenarios.format import ScenarioInvalid, load_scenario

    try:
        story = load_scenario(file or bundled("scenarios") / "demo.yaml")
    except ScenarioInvalid as error:
        fail(f"{error}.", "`watchkeeper evaluate` checks a scenario file.", status=EXIT_USAGE)
    if own_people:
        return story
    kept = tuple(entry for entry in story.spec.timeline if entry.approve is None and entry.reject is None)
    return story.model_copy(update={"spec": story.spec.model_copy(update={"timeline": kept})})


def _day(seed: int) -> Scenario:
    """Nothing but the seed: the same for everybody."""
    from agent.scenarios.format import Scenario

    spec = {
        "description": f"A day on {DAY['nodes']} nodes and {DAY['gpus']} GPUs, drawn from seed {seed}.",
        "seed": seed,
        "start": "2026-11-02T09:00:00Z",
        "generate": DAY,
    }
    document = {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": f"day-{seed}"}}
    return Scenario.model_validate({**document, "spec": spec})


def _lost_alone(story: Scenario) -> float:
    """GPU-hours that the same day loses while the agent only observes."""
    import tempfile

    from agent.scenarios.losses import LossMeter
    from agent.scenarios.performance import Performance

    meter = LossMeter()
    observed = story.model_copy(update={"spec": story.spec.model_copy(update={"autonomy": "observe"})})
    with (
        tempfile.TemporaryDirectory(prefix="watchkeeper-alone-") as folder,
        closing(Performance(observed, Path(folder), meter=meter)) as performance,
    ):
        while performance.step():
            pass
    return meter.gpu_hours


def _folder() -> Path:
    """Where this day's log stays, for the check at the end."""
    import tempfile

    return Path(tempfile.mkdtemp(prefix="watchkeeper-demo-"))


def _play(performance: Performance, mode: Approve | None, speed: float, *, live: bool) -> None:
    if live:
        from agent.cli.live_show import Show

        Show(performance, speed, ask=mode is Approve.ASK, approve_all=mode is Approve.ALL).run()
        return
    while performance.step():
        if mode is Approve.ALL:
            approve_all(performance)


def approve_all(performance: Performance) -> None:
    """Somebody who may says yes to each request, until none is left or nobody may."""
    answered: Any = True
    while answered:
        pending = performance.agent.ports.desk.pending()
        answered = any(performance.answer(request, "approve", "the demo says yes to all") for request in pending)
