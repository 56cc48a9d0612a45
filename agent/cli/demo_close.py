"""The closing page of the demo: what was done, what it won, and how anybody can check the log.

What matters most stands last and fits a small screen: the lists above it may be as long as the day was bad.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from agent.cli.output import clean, console, say, show_table
from agent.compliance.predictions import accuracy_line

if TYPE_CHECKING:
    from agent.scenarios.day_told import DayTold
    from agent.scenarios.losses import Tally

LABEL = 15  # columns before what is said
CAUSES = {
    "fault": "broken nodes, and gangs that need them",
    "stuck": "gangs below their minimum",
    "hung": "hanging or crashing work",
    "idle": "held without being used",
    "waiting": "free, though somebody waits",
    "closed": "closed, though somebody waits",
    "thrown_away": "work thrown away by stops",
}
STATES = {"resolved": "bold green", "cancelled": "green", "escalated": "yellow", "refused": "magenta", "failed": "red"}


def closing_json(told: DayTold) -> dict[str, Any]:
    result = told.result
    return {
        "seed": told.seed,
        "passed": result["passed"],
        "failures": result["failures"],
        "wrong_actions": len(result["wrong_actions"]),
        "partial_gangs": list(told.partial_gangs),
        "incidents": result["incidents"],
        "actions": result["actions"],
        "escalations": result["escalations"],
        "gpu_hours_won_back": None if told.won_back is None else round(told.won_back, 1),
        "gpu_hours": {"lost": _hours(told.lost), "lost_without_agent": told.alone and _hours(told.alone)},
        "waits_s": {"with_agent": _waits(told.lost), "without_agent": told.alone and _waits(told.alone)},
        "log": {**result["log"], "database": str(told.database)},
        "seconds": round(told.seconds, 1),
    }


def _hours(tally: Tally) -> dict[str, float]:
    return {"all": round(tally.total, 1), **{str(cause): round(hours, 1) for cause, hours in tally.hours.items()}}


def _waits(tally: Tally) -> dict[str, float]:
    return {"gangs": len(tally.waits_s), "mean": round(tally.mean_wait_s), "p95": round(tally.p95_wait_s)}


def closing_page(told: DayTold) -> None:
    result = told.result
    done = [(_short(a["after"]), a["action"], a["outcome"], _asked(a), _place(a["target"])) for a in result["actions"]]
    show_table(("after", "action", "outcome", "approved by", "on"), done, nothing="Nothing was done.")
    say()
    for text, times in Counter(map(_refused, result["proposed"])).items():
        say(f"not done: {text}{f' ({times} times)' if times > 1 else ''}")
    console().rule(style="dim")
    say(told.description, style="bold")
    say()
    _losses(told)
    say()
    _fact("incidents", *_states(told))
    _fact("people called", (f"{result['escalations']} times", ""))
    _fact("predictions", (accuracy_line(result["predictions"]), ""))
    wrong = len(result["wrong_actions"])
    _fact("wrong actions", (str(wrong), "bold red" if wrong else "bold green"))
    for action in result["wrong_actions"]:
        say(f"  {action['why']}", style="red")
    _fact("time", (f"{told.duration} of simulated time in {told.seconds:.0f} s, seed {told.seed}", ""))
    _log(result["log"], told)


def _losses(told: DayTold) -> None:
    """By cause, largest first; what nobody lost is left out."""
    from rich.table import Table

    alone = told.alone
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("GPU-hours lost")
    for column in ("alone", "with agent", "won back") if alone else ("with agent",):
        table.add_column(column, justify="right")
    before = alone.hours if alone else {}
    causes = sorted(told.lost.hours, key=lambda cause: -max(told.lost.hours[cause], before.get(cause, 0.0)))
    rows = [(CAUSES[str(cause)], before.get(cause, 0.0), told.lost.hours[cause]) for cause in causes]
    for text, lost_alone, lost in [*rows, ("all", alone.total if alone else 0.0, told.lost.total)]:
        if max(lost_alone, lost) >= 0.05 or text == "all":
            numbers = [f"{lost_alone:.1f}", f"{lost:.1f}", f"{lost_alone - lost:.1f}"] if alone else [f"{lost:.1f}"]
            table.add_row(text, *numbers, style="bold" if text == "all" else "")
    console().print(table)
    if alone is not None and told.share is not None:
        style = "bold green" if told.share > 0 else "bold red"
        _fact("won back", (f"{told.share:.0%}", style), (" of what the same day loses without the agent", ""))
    if alone is not None and told.lost.waits_s:
        _fact("gangs waited", (_waited(told.lost, alone), ""))


def _waited(lost: Tally, alone: Tally) -> str:
    mean, p95 = (_minutes(lost.mean_wait_s), _minutes(lost.p95_wait_s))
    return f"mean {mean} (alone {_minutes(alone.mean_wait_s)}), p95 {p95} (alone {_minutes(alone.p95_wait_s)})"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min"


def _states(told: DayTold) -> list[tuple[str, str]]:
    found = [(f"{count} {state.replace('_', ' ')}  ", STATES.get(state, "")) for state, count in _ordered(told)]
    return found or [("none", "")]


def _ordered(told: DayTold) -> list[tuple[str, int]]:
    rank = {state: number for number, state in enumerate(STATES)}
    return sorted(told.states.items(), key=lambda pair: rank.get(pair[0], len(rank)))


def _log(log: dict[str, Any], told: DayTold) -> None:
    """The command stands alone on its line, so that it can be copied."""
    _fact("log", (f"{log['records']} records, {'intact' if log['intact'] else 'NOT INTACT'}", ""))
    _fact("root", (log["root"], ""))
    say("check it with")
    command = f"watchkeeper audit fsck --db {told.database} --size {log['records']} --root {log['root']}"
    console().print(f"  {command}", soft_wrap=True)


def _fact(label: str, *said: tuple[str, str]) -> None:
    from rich.text import Text

    line = Text(label.ljust(LABEL))
    for text, style in said:
        line.append(clean(text), style=style)
    console().print(line)


def _short(after: str | None) -> str:
    """Whole seconds are enough for a reader."""
    return re.sub(r"\.\d+s", "s", after or "")


def _refused(action: dict[str, Any]) -> str:
    return f"{action['action']} {_place(action['target'])}: {', '.join(sorted(set(action['reasons'])))}"


def _asked(action: dict[str, Any]) -> str:
    return ", ".join(answer["by"] for answer in action["approvals"] if answer["decision"] == "approve")


def _place(target: dict[str, str]) -> str:
    return "/".join(target[part] for part in ("namespace", "name") if target.get(part))
