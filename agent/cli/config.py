"""`watchkeeper config`: what is set, and what may be set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.output import fail

app = typer.Typer(no_args_is_help=True, help="Settings: show, schema.")


@app.command()
def show(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings.")] = None,
) -> None:
    """The settings as they stand, from file and environment.

    Example: watchkeeper config show
    """
    from agent.config import SettingsInvalid, load_settings

    try:
        settings = load_settings(config)
    except SettingsInvalid as error:
        fail(str(error))
    typer.echo(json.dumps(settings.model_dump(mode="json"), indent=2))


@app.command()
def schema(
    policy_data: Annotated[bool, typer.Option("--policy-data", help="The limits that policies read.")] = False,
    scenario: Annotated[bool, typer.Option("--scenario", help="The form of a scenario file.")] = False,
) -> None:
    """JSON Schema of the settings file, or of the policies' data.

    Example: watchkeeper config schema --policy-data
    """
    if policy_data:
        from agent.adapters.rego.limits import shipped_form

        typer.echo(json.dumps(shipped_form(), indent=2))
        return
    if scenario:
        from agent.scenarios.format import scenario_schema

        typer.echo(json.dumps(scenario_schema(), indent=2))
        return
    from agent.config import Settings

    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))
