"""How a benchmark's measures are shown: on what they ran, each with its wish and its conditions, then the peers'.

Conditions stand under their number and not in a column beside it: a terminal of 80 columns has no room for both.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from agent.cli.output import console, say, show_table

WIDTH_AT_MOST = 100
SAID = {True: "met", False: "NOT MET"}

Report = Mapping[str, Any]


def show_machine(machine: Report) -> None:
    parts = [machine["cpu"], f"{machine['cpus']} cores", f"{machine['system']} {machine['architecture']}"]
    parts += [f"Python {machine['python']}", f"commit {machine['commit']}", machine["clock"]]
    _paragraph("Ran on: " + ", ".join(parts) + ".")


def show_measures(report: Report) -> None:
    show_machine(report["machine"])
    say()
    show_numbers(report["measures"])
    if report["peers"]:
        say()
        say("What others report", style="bold")
    for peer in report["peers"]:
        _paragraph(f"{peer['who']}, {peer['what']}: {peer['figure']}")
        _paragraph(f"{peer['conditions']}; source: {peer['source']}", "    ", "dim")
    if report["notes"]:
        say()
    for note in report["notes"]:
        _paragraph(note)
    if report.get("page"):
        say()
    for line in report.get("page", ()):  # to be copied as it is
        print(line)


def show_simulation(report: Report) -> None:
    """A line for each way of scheduling; who waited how long by class is in the JSON."""
    show_machine(report["machine"])
    say()
    columns = ("way", "used", "p50", "p95", "longest", "several", "starved", "back", "fair", "CPU")
    keys = ("way", "used_percent", "wait_p50_s", "wait_p95_s", "wait_most_s", "several_p95_s", "starved", "sent_back",
            "fairness", "cpu_s")  # fmt: skip
    show_table(columns, ([f"{each[key]}" for key in keys] for each in report["table"]), nothing="nothing was simulated")
    say()
    never = max((each["never_started"] for each in report["table"]), default=0)
    _paragraph("used: GPU time in %, work that was lost by being sent back included; p50, p95, longest: waits in s; "
               "several: p95 of pods of several GPUs; back: times that a pod was sent back; fair: Jain's index; "
               f"CPU: s. Never started: {never} at most.")  # fmt: skip
    for note in report["notes"]:
        _paragraph(note)


def show_numbers(measures: Iterable[Report]) -> None:
    for each in measures:
        say(f"{each['name']}: {_figure(each['value'])} {each['unit']}{_wish(each)}")
        if each["conditions"]:
            _paragraph(each["conditions"], "    ", "dim")


def _wish(each: Report) -> str:
    for word in ("at_most", "at_least"):
        if each[word] is not None:
            return f"  ({word.replace('_', ' ')} {_figure(each[word])}: {SAID[each['holds']]})"
    return ""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _paragraph(text: str, indent: str = "", style: str = "") -> None:
    width = min(console().width, WIDTH_AT_MOST)
    for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent or "  "):
        say(line, style=style)
