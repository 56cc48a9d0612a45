"""What a person sees of the story at its end: each trouble with its signal, what was done, who agreed, how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agent.scenarios.run import ActionRun
from agent.scenarios.witness import Record, testimony
from audit.log import Log

WIDTHS = (30, 44, 21, 30, 9)
HEAD = ("trouble", "signal", "action", "verdict", "approved")


def table(log: Log, troubles: Sequence[tuple[str, float]], start: Any) -> str:
    """`troubles` in the order of their incidents, with the seconds from the signal to the API server's word."""
    records = list(log.query())
    runs = testimony(records, start)
    rows = ["", _row(*HEAD) + "seconds"]
    acted = {action.incident for action in runs.actions.values()}
    incidents = [incident for incident in runs.incidents.values() if incident.id in acted]
    for (trouble, seconds), incident in zip(troubles, incidents, strict=True):
        done = [action for action in runs.actions.values() if action.incident == incident.id]
        lines = [_row("", "", each.action, _verdict(each), _by(each)) for each in done]
        lines[0] = _row(trouble, _signal(records, incident.id), done[0].action, _verdict(done[0]), _by(done[0]))
        rows += [*lines[:-1], f"{lines[-1]}{seconds:7.1f}"]
    return "\n".join(rows)


def _row(*cells: str) -> str:
    return "".join(f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def _verdict(action: ActionRun) -> str:
    return f"{action.decision} ({', '.join(action.reasons)})"


def _by(action: ActionRun) -> str:
    return ", ".join(str(each["by"]) for each in action.approvals) or "-"


def _signal(records: Iterable[Record], incident: str) -> str:
    payload = next(r.payload for r in records if r.kind == "incident" and r.payload["id"] == incident)
    return f"{payload['symptom']}: {payload['subject']['kind']}/{payload['subject']['name']}"
