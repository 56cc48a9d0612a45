"""How the command line speaks: tables, JSON, errors, times. What it shows often comes from strangers.

A log line or an alert's text may hold terminal escapes, markup or text that runs backwards; everything shown to a
person passes through `clean`. JSON is ASCII, which needs no such care.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NEEDS_PERSON = 3
EXIT_REFUSED = 4

LIMIT_DEFAULT = 50
"""Entries of a listing: a few screens; `--limit` asks for more."""

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="From then on: RFC 3339, or so long ago (2h, 3d).")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Before then: RFC 3339, or 2h, 3d.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")]


def clean(text: object) -> str:
    """One line that a terminal can only show: whatever would move, colour, hide or turn text is spelled out."""
    return "".join(c if c.isprintable() else _spelled(c) for c in str(text))


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def short_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def console() -> Console:
    """Standard output without markup, emoji or highlighting: text from strangers stays text."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


def say(text: str = "", style: str = "") -> None:
    """One cleaned line, wrapped at the terminal's width."""
    from rich.text import Text

    console().print(Text(clean(text), style=style))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str) -> None:
    """The last column takes what room is left; long cells of it wrap, the others stay on one line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True, overflow="fold")
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        cells: list[Text] = [cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row]
        table.add_row(*cells)
    if table.row_count:
        console().print(table)
    else:
        say(nothing)


def show_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def fail(message: str, remedy: str = "", *, status: int = EXIT_ERROR) -> NoReturn:
    """One sentence with a remedy, on standard error, and the end of the command."""
    print(clean(" ".join(filter(None, (message, remedy)))), file=sys.stderr)
    raise typer.Exit(status)


def moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """What `--since` or `--until` names: a time, or how long ago."""
    if text is None:
        return None
    from agent.domain.base import parse_rfc3339
    from agent.domain.duration import parse_duration

    try:
        return now - abs(parse_duration(text))
    except ValueError:
        pass
    try:
        return parse_rfc3339(text)
    except ValueError:
        fail(
            f"{option} {text!r} is neither a duration nor an RFC 3339 time with a zone.",
            "Write for example 2h, 3d or 2026-11-02T09:00:00Z.",
            status=EXIT_USAGE,
        )
