"""`watchkeeper demo`: a bad day on a simulated GPU cluster, through the ordinary scenario runner, to look at.

The agent, its policies and its log are the real ones. The clock runs faster than yours; when a person is asked, that is
you, and the day waits for your answer. Meanwhile a second process lives the same day without the agent, to compare.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.output import EXIT_USAGE, JsonOption, fail, show_json

if TYPE_CHECKING:
    from agent.scenarios.format import Scenario
    from agent.scenarios.performance import Performance

SEED_DEFAULT = 7
"""A day with something of everything; any other number is another day."""

SHOW_S = 60.0
"""How long the show of any story lasts when nobody is asked, however long the story is."""

SPEED_MAX = 100_000.0


class Approve(StrEnum):
    ASK = "ask"
    ALL = "all"
    NONE = "none"


def demo(
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="A scenario file in place of a drawn day.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Another day; with --scenario, in place of the file's own seed."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="CSV",
            help="A public trace of pods: work arrives as its statistics say (docs/scenarios.md).",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            min=1.0,
            max=SPEED_MAX,
            help="Simulated seconds that pass in one of yours; without it the show lasts a minute.",
        ),
    ] = None,
    approve: Annotated[
        Approve | None,
        typer.Option(
            "--approve",
            help="Who answers requests: you (ask), a yes to all, or nobody. Without it: you on a terminal; else a yes "
            "to all, or the people of the scenario file.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """A bad day on a simulated GPU cluster: no keys, no server.

    Example: watchkeeper demo --approve all --speed 3600
    """
    from agent.cli.beside import Beside
    from agent.cli.demo_close import closing_json, closing_page
    from agent.scenarios.day_told import DayTold
    from agent.scenarios.losses import LossMeter
    from agent.scenarios.performance import Performance

    logging.getLogger("watchkeeper").setLevel(logging.CRITICAL)
    live = not json and sys.stdout.isatty()
    if approve is Approve.ASK and not (live and sys.stdin.isatty()):
        fail("There is nobody to ask here.", "Use --approve all or --approve none, or a terminal.", status=EXIT_USAGE)
    mode = approve or (Approve.ASK if live and sys.stdin.isatty() else Approve.ALL if scenario is None else None)
    story = _story(scenario, SEED_DEFAULT if seed is None else seed, trace, own_people=mode is None)
    begun = time.monotonic()
    with Beside(story, seed) as beside, closing(Performance(story, _folder(), seed=seed, meter=LossMeter())) as day:
        _play(day, mode, speed or day.scenario.spec.duration.total_seconds() / SHOW_S, live=live)
        seconds = time.monotonic() - begun
        told = DayTold.of(day, beside.tally(), seconds)
    if json:
        show_json(closing_json(told))
    else:
        closing_page(told)


def _story(file: Path | None, seed: int, trace: Path | None, *, own_people: bool) -> Scenario:
    """A drawn day, or the scenario of a file, whose own people only answer where nobody else does."""
    from agent.scenarios.days import day
    from agent.scenarios.drawing import with_day
    from agent.scenarios.format import ScenarioInvalid, load_scenario

    try:
        if file is None:
            return with_day(day(seed, trace))
        story = load_scenario(file)
    except ScenarioInvalid as error:
        fail(f"{error}.", "`watchkeeper evaluate` checks a scenario file.", status=EXIT_USAGE)
    if own_people:
        return story
    kept = tuple(entry for entry in story.spec.timeline if entry.approve is None and entry.reject is None)
    return story.model_copy(update={"spec": story.spec.model_copy(update={"timeline": kept})})


def _folder() -> Path:
    """Where this day's log stays, for the check at the end."""
    import tempfile

    return Path(tempfile.mkdtemp(prefix="watchkeeper-demo-"))


def _play(performance: Performance, mode: Approve | None, speed: float, *, live: bool) -> None:
    from agent.scenarios.days import approve_all

    if live:
        from agent.cli.live_show import Show

        Show(performance, speed, ask=mode is Approve.ASK, approve_all=mode is Approve.ALL).run()
        return
    while performance.step():
        if mode is Approve.ALL:
            approve_all(performance)
