"""Writes the table of actions in docs/scenarios.md from the agent's own catalogue. `make docs` runs it."""

import sys
from pathlib import Path
from typing import Any

from agent.actions.base import Action
from agent.actions.catalogue import ACTIONS

PAGE = Path(__file__).with_name("scenarios.md")
BEGIN, END = "<!-- actions: written by `make docs` -->", "<!-- end of actions -->"


def table() -> str:
    """One row per action, in the order of the names: what it does in its own words, and its parameters."""
    rows = [f"| `{action.name}` | {_does(action)} | {_parameters(action)} |" for action in sorted(ACTIONS, key=_name)]
    return "\n".join(["| action | what it does | parameters |", "|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with its table as the catalogue is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _name(action: Action[Any]) -> str:
    return action.name


def _does(action: Action[Any]) -> str:
    """The first sentence of its file."""
    told = sys.modules[type(action).__module__].__doc__ or ""
    first = " ".join(told.split("\n\n")[0].split())
    return (first.split(". ")[0].rstrip(".") + ".").replace("|", "\\|")


def _parameters(action: Action[Any]) -> str:
    """Each with what it may be; what has no default is said to be needed."""
    schema = action.parameters.model_json_schema(by_alias=True)
    needed = schema.get("required", ())
    told = [
        f"`{name}`{_form(each)}{', needed' if name in needed else ''}"
        for name, each in schema.get("properties", {}).items()
    ]
    return "; ".join(told) or "–"


def _form(field: dict[str, Any]) -> str:
    forms = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    return "".join(f" ({_one(each)})" for each in forms[:1])


def _one(form: dict[str, Any]) -> str:
    if "enum" in form:
        return ", ".join(str(each) for each in form["enum"])
    least, most = form.get("minimum"), form.get("maximum")
    bounds = f" {least} to {most}" if least is not None and most is not None else ""
    return f"{form.get('format') or form.get('type') or 'map'}{bounds}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
