"""`watchkeeper playbooks`: what the agent would do about which trouble, and whether the playbooks do what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.output import JsonOption, fail, say, show_json, show_table

if TYPE_CHECKING:
    from agent.adapters.playbooks.library import PlaybookLibrary
    from agent.adapters.playbooks.playbook import Playbook

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Remedies as files: what is done about which trouble."
)

FolderOption = Annotated[
    Path | None, typer.Option("--folder", metavar="DIR", help="Playbooks of your own; default: those that came along.")
]


@app.command("list", epilog="Example: watchkeeper playbooks list")
def list_playbooks(folder: FolderOption = None, json: JsonOption = False) -> None:
    """Lists the playbooks, the symptoms they are for and the actions they may ask for."""
    playbooks = _load(folder).playbooks
    if json:
        show_json({"playbooks": [_summary(p) for p in playbooks]})
        return
    rows = [(p.name, ", ".join(p.form.spec.symptoms), ", ".join(_actions(p)) or "nothing") for p in playbooks]
    show_table(("PLAYBOOK", "SYMPTOMS", "MAY ASK FOR"), rows, nothing="There are no playbooks.")


@app.command("show", epilog="Example: watchkeeper playbooks show gpu-fallen-off-bus")
def show(name: str, folder: FolderOption = None, json: JsonOption = False) -> None:
    """Shows one playbook: when it matches, and its remedies in their order."""
    playbook = next((p for p in _load(folder).playbooks if p.name == name), None)
    if playbook is None:
        fail(f"There is no playbook {name!r}.", "See: watchkeeper playbooks list")
    if json:
        show_json(playbook.form.json_object())
        return
    spec = playbook.form.spec
    say(playbook.name, style="bold")
    say(spec.description)
    say()
    say(f"for:   {', '.join(spec.symptoms)}")
    say(f"when:  {spec.when}")
    say(f"cause: {spec.cause} (confidence {spec.confidence:g})")
    for number, remedy in enumerate(spec.remedies, 1):
        say()
        say(f"{number}. {remedy.action}{' (takes an earlier one back)' if remedy.undoes else ''}: {remedy.statement}")
        say(f"   when: {remedy.when}")


@app.command("check", epilog="Example: watchkeeper playbooks check")
def check(folder: FolderOption = None, json: JsonOption = False) -> None:
    """Loads every playbook and runs its table of cases; exit status 1 if one does not hold."""
    from agent.adapters.playbooks.cases import run_cases
    from agent.adapters.playbooks.expressions import PlaybookError

    playbooks = _load(folder).playbooks
    if not playbooks:
        fail(f"There is no playbook in {folder}.", "Each is a folder with playbook.yaml and cases.yaml.")
    try:
        results = [(p.name, result) for p in playbooks for result in run_cases(p)]
    except PlaybookError as error:
        fail(f"{error}.", "Every playbook has a table of cases.")
    failed = [(name, result) for name, result in results if not result.passed]
    if json:
        failures = [{"playbook": n, "case": r.case, "differences": list(r.differences)} for n, r in failed]
        show_json({"playbooks": len(playbooks), "cases": len(results), "failed": len(failed), "failures": failures})
    else:
        for name, result in failed:
            say(f"{name}: {result.case}: {'; '.join(result.differences)}")
        say(f"{len(playbooks)} playbooks, {len(results)} cases, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


def _load(folder: Path | None) -> PlaybookLibrary:
    from agent.adapters.playbooks.expressions import PlaybookError
    from agent.adapters.playbooks.library import load_playbooks
    from agent.resources import bundled

    try:
        return load_playbooks(folder or bundled("playbooks"))
    except PlaybookError as error:
        fail(f"{error}.", "Mend that file.")


def _summary(playbook: Playbook) -> dict[str, object]:
    spec = playbook.form.spec
    return {
        "name": playbook.name,
        "symptoms": [s.value for s in spec.symptoms],
        "description": spec.description,
        "actions": _actions(playbook),
    }


def _actions(playbook: Playbook) -> list[str]:
    return list(dict.fromkeys(remedy.action for remedy in playbook.form.spec.remedies))
