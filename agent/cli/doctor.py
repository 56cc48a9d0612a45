"""`watchkeeper doctor`: what is reachable, what the agent may do, what is missing and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.output import EXIT_ERROR, JsonOption, clean, console, fail, show_json

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings.")] = None,
    world: Annotated[str | None, typer.Option("--world", metavar="live|simulated", help="What it watches.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", metavar="FILE", help="How the live cluster is reached.")
    ] = None,
    context: Annotated[str | None, typer.Option("--context", metavar="NAME", help="Of the kubeconfig.")] = None,
    json: JsonOption = False,
) -> None:
    """Is everything there that the agent needs? Changes nothing; exit status 1 where something has to be mended.

    Example: watchkeeper doctor --world simulated
    """
    from agent.config import SettingsInvalid, as_run, load_settings
    from agent.doctor.examine import examine
    from agent.doctor.finding import State

    try:
        settings = load_settings(config, {"world": world, "kubeconfig": kubeconfig, "kube_context": context})
    except SettingsInvalid as error:
        fail(str(error), "`watchkeeper config schema` says what is expected.")
    found = []
    for finding in examine(as_run(settings)):
        found.append(finding)
        if not json:
            _show(finding.state.value, finding.what, finding.said, finding.remedy)
    bad = any(finding.state is State.FAIL for finding in found)
    if json:
        show_json({"ok": not bad, "findings": [finding.json_object() for finding in found]})
    raise typer.Exit(EXIT_ERROR if bad else 0)


def _show(state: str, what: str, said: str, remedy: str) -> None:
    from rich.text import Text

    line = Text(f"{state:<5}", style=_STYLES[state])
    line.append(clean(f"{what}: {said}"), style="")
    console().print(line)
    if remedy:
        console().print(Text(clean(f"      → {remedy}")))
