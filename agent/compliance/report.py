"""The monthly evidence report: a page that prints, and its tables for a spreadsheet. Pure, but for its template.

It says what the log shows and what the log's own check found. What follows from that under a law or a standard is for
those to say who know the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.compliance.evidence import TABLES, Evidence, figures
from agent.compliance.forms import csv_text

TEMPLATE = "report.html.j2"

ROWS_SHOWN = 500
"""Of each table on the page; the CSV has them all."""

CLAIM = (
    "This report and the log behind it support record-keeping under the EU AI Act (Regulation (EU) 2024/1689), "
    "Articles 12 and 19, SOC 2 CC8.1 and ISO/IEC 27001:2022 A.8.15. Whether their requirements are met depends on much "
    "that no log can show."
)

HEADINGS: Mapping[str, tuple[str, str]] = {
    "actions": ("Actions", "Every step that the agent did, and by whose leave."),
    "decisions": ("Decisions by policy", "Verdicts on proposals and just before acting, by the policies' digest."),
    "approvals": ("Who approved what, and how fast", "Answers, and how requests ended that nobody answered."),
    "exceptions": (
        "Exceptions",
        "What was not as usual: refused input, answers that did not count, changes of settings.",
    ),
    "break_glass": ("Break-glass and changes of level", "Whenever somebody widened what the agent may do."),
    "failures": ("Failures", "Steps that failed or were undone, and remedies that did not help."),
    "reads": ("Reads", "Who looked into the log by its own doors."),
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint that was kept elsewhere, and whether the log still begins as it says."""

    origin: str
    size: int
    root: str
    signed_by: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the log is at the moment of the report."""

    size: int
    root: str
    intact: bool
    findings: tuple[str, ...]
    dropped: int
    redacted: int
    anchors: tuple[Anchor, ...]
    reads_waiting: int = 0


def html(
    month: str, cluster: str, made_at: datetime, made: Evidence, integrity: Integrity, *, running: bool = False
) -> str:
    """The page; of a running month it says that it is unfinished.

    Everything from the log is escaped: much of it was written by strangers.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(
        month=month,
        cluster=cluster,
        made_at=made_at.strftime("%Y-%m-%d %H:%M UTC"),
        made=made,
        running=running,
        figures=figures(made),
        tables=[(name, *HEADINGS[name], TABLES[name], _cells(made.tables[name])) for name in TABLES],
        rows_shown=ROWS_SHOWN,
        integrity=integrity,
        claim=CLAIM,
    )


def csv_files(made: Evidence) -> dict[str, str]:
    """File name and text of each table."""
    return {f"{name}.csv": csv_text(columns, made.tables[name]) for name, columns in TABLES.items()}


def _cells(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: object) -> str:
    """Times to the second, in the form that the rest of the page has."""
    text = str(value)
    if len(text) >= 20 and text[4] == text[7] == "-" and text[10] == "T" and text.endswith("Z"):
        return f"{text[:10]} {text[11:19]}"
    return text
