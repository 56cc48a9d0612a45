"""`watchkeeper evaluate`: runs scenario files and says what was right and what was wrong. It decides nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.output import EXIT_ERROR, EXIT_USAGE, JsonOption, fail, say, show_json, show_table

JOBS_MAX = 64


def evaluate(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Scenario files, or folders of them.")],
    json: JsonOption = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=JOBS_MAX, help="Processes that share the work.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of each file's own seed.")] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Writes what --json prints there, too.")
    ] = None,
    reasoner: Annotated[
        str | None,
        typer.Option("--reasoner", metavar="URL", help="An OpenAI-compatible endpoint, for what no playbook explains."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Its name there; many local servers take any.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="What the agent itself says, on standard error.")] = False,
) -> None:
    """Runs scenarios on the simulated world and compares what happened with what each file expects.

    Exit status 0 only if all passed. With a model the log's roots are its own: what it says is on the record.

    Example: watchkeeper evaluate scenarios/ --jobs 2
    """
    from agent.scenarios.report import report_json
    from agent.scenarios.runner import files_in, run_files

    logging.getLogger("watchkeeper").setLevel(logging.INFO if verbose else logging.CRITICAL)
    files = files_in(paths)
    if not files:
        fail("There is no scenario file in these folders.", "Scenario files end in .yaml.", status=EXIT_USAGE)
    results = run_files(files, seed=seed, jobs=jobs, settings=_settings(reasoner, model))
    report = report_json(list(_watched(results, len(files), quiet=json)))
    if report_file is not None:
        _write(report_file, report)
    if json:
        show_json(report)
    else:
        _show(report)
    if report["failed"]:
        raise typer.Exit(EXIT_ERROR)


def _write(file: Path, report: dict[str, Any]) -> None:
    import json

    try:
        file.write_text(json.dumps(report, indent=1), encoding="utf-8")
    except OSError as error:
        fail(f"{file}: the report cannot be written: {error.strerror}.")


def _settings(reasoner: str | None, model: str | None) -> dict[str, Any]:
    """What the command line sets in each scenario, checked once."""
    from pydantic import ValidationError

    from agent.config import Settings

    if reasoner is None and model is None:
        return {}
    if reasoner is None:
        fail("--model names the model at --reasoner URL.", status=EXIT_USAGE)
    given = {"model_endpoint": reasoner, "model_name": model or "default"}
    try:
        Settings.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = "--model" if "model_name" in wrong["loc"] else "--reasoner"
        fail(f"{option}: {wrong['msg']}.", "For example --reasoner http://127.0.0.1:8080/v1.", status=EXIT_USAGE)
    return given


def _watched(results: Iterable[dict[str, Any]], total: int, *, quiet: bool) -> Iterator[dict[str, Any]]:
    """The results as they come, with a bar on standard error where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("scenarios", total=total)
        for result in results:
            progress.advance(task)
            yield result


def _show(report: dict[str, Any]) -> None:
    rows = [
        (
            "pass" if result["passed"] else "FAIL",
            len(result["incidents"]),
            len(result["actions"]),
            len(result["wrong_actions"]),
            result["name"],
        )
        for result in report["scenarios"]
    ]
    show_table(("result", "incidents", "actions", "wrong", "scenario"), rows, nothing="Nothing was run.")
    _show_failures([result for result in report["scenarios"] if not result["passed"]])
    say()
    say(f"{report['passed']} passed, {report['failed']} failed, {report['wrong_actions']} wrong actions.")


def _show_failures(failed: Sequence[dict[str, Any]]) -> None:
    for result in failed:
        say()
        say(result["file"], style="bold")
        for failure in result["failures"]:
            say(f"  {failure}")
