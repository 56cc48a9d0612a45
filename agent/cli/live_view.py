"""The screen of the demo: a heat map of the GPUs, the gangs, the incidents, and what was decided. Pure but for size.

Made for 80×24 and for 200×60: what does not fit is counted, never cut in the middle. Each colour has a sign of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.cli.heat_map import HeatMap
from agent.cli.live_facts import Facts
from agent.cli.live_feed import Feed, FeedLine
from agent.cli.output import clean

WIDE = 120  # columns from which the decisions stand beside the map, not below it
FEED_LEAST = 6  # lines of decisions, frame included
BORDERS = 2
GANG_MARKS = {"running": "=", "stuck": "!", "queued": ".", "suspended": "-"}
STATE_STYLES = {"open": "bold red", "resolved": "green", "cancelled": "green", "no_action": "dim"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What the headline says."""

    now: datetime
    begun: datetime
    end: datetime
    seed: int
    note: str = ""


def screen(moment: Moment, facts: Facts, feed: Feed, width: int, height: int) -> Layout:
    """The whole screen, exactly `height` lines of `width` columns."""
    layout = Layout()
    layout.split_column(Layout(_headline(moment, facts, feed, width), size=1), Layout(name="page"))
    if width >= WIDE:
        _beside(layout["page"], facts, feed, width, height - 1)
    else:
        _below(layout["page"], facts, feed, width, height - 1)
    return layout


def _beside(page: Layout, facts: Facts, feed: Feed, width: int, height: int) -> None:
    heat = HeatMap(facts.nodes, height - BORDERS, width // 2)
    page.split_row(Layout(heat.panel, size=heat.width), Layout(name="right"))
    gangs, incidents = len(facts.gangs), max(len(feed.incidents), 1)
    gangs = min(gangs, height // 4)
    incidents = min(incidents, height // 4)
    decisions = height - gangs - incidents - 3 * BORDERS
    page["right"].split_column(
        Layout(_gangs(facts, gangs), size=gangs + BORDERS),
        Layout(_incidents(feed, incidents, wide=True), size=incidents + BORDERS),
        Layout(_decisions(feed.lines, decisions)),
    )


def _below(page: Layout, facts: Facts, feed: Feed, width: int, height: int) -> None:
    decisions = max(FEED_LEAST, height // 3 + 1)
    body = height - decisions
    heat = HeatMap(facts.nodes, body - BORDERS, width // 2 + width // 20)
    gangs = min(len(facts.gangs), max(body // 2 - BORDERS, 1))
    page.split_column(Layout(name="body", size=body), Layout(_decisions(feed.lines, decisions - BORDERS)))
    page["body"].split_row(Layout(heat.panel, size=heat.width), Layout(name="right"))
    page["right"].split_column(
        Layout(_gangs(facts, gangs), size=gangs + BORDERS),
        Layout(_incidents(feed, body - gangs - 2 * BORDERS, wide=False)),
    )


def _headline(moment: Moment, facts: Facts, feed: Feed, width: int) -> RenderableType:
    used, total = facts.gpus
    closed = sum(incident.state != "open" for incident in feed.incidents.values())
    line = Text(" watchkeeper ", style="reverse bold")
    line.append(f" {moment.now:%H:%M:%S}", style="bold")
    line.append(f"  {clean(moment.note)}" if moment.note else "", style="bold yellow")
    if width >= WIDE:
        line.append(f"  {moment.begun:%F %T} and {moment.end - moment.begun} on, seed {moment.seed}")
    line.append(f"  {used}/{total} GPUs  {facts.waiting} pods wait  {closed}/{len(feed.incidents)} closed")
    line.truncate(width)
    return line


def _grid(*ratios: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for ratio in ratios:
        table.add_column(ratio=ratio or None, no_wrap=True, overflow="ellipsis")
    return table


def _framed(table: Table, title: str, left_out: int = 0) -> Panel:
    more = f" (and {left_out} more)" if left_out > 0 else ""
    return Panel(table, title=f"{title}{more}", title_align="left", padding=(0, 1))


def _gangs(facts: Facts, rows: int) -> RenderableType:
    """Stuck ones first."""
    table = _grid(0, 0, 0, 1)
    for gang in sorted(facts.gangs, key=lambda gang: gang.state != "stuck")[:rows]:
        style = "bold red" if gang.state == "stuck" else "green" if gang.state == "running" else ""
        state = Text(gang.state, style=style)
        table.add_row(GANG_MARKS.get(gang.state, "?"), clean(gang.name), f"{gang.running}/{gang.minimum}", state)
    return _framed(table, "gangs: running of minimum", len(facts.gangs) - rows)


def _incidents(feed: Feed, rows: int, *, wide: bool) -> RenderableType:
    """Open ones first; the line of an open one says what is going on."""
    known = sorted(feed.incidents.values(), key=lambda incident: incident.state != "open")
    table = _grid(0, 1)
    for incident in known[: max(rows, 0)]:
        opened = incident.state == "open"
        place = incident.place if wide else incident.place.rpartition("/")[2]
        text = Text(clean(f"{incident.symptom} {place}"), style="" if opened else "dim")
        text.append(f"  {clean(incident.doing)}" if opened else "", style="yellow")
        state = Text(incident.state.replace("_", " "), style=STATE_STYLES.get(incident.state, "bold"))
        table.add_row(state, text)
    return _framed(table, "incidents", len(known) - rows)


def _decisions(lines: Sequence[FeedLine], rows: int) -> RenderableType:
    table = _grid(0, 0, 1)
    for line in lines[-rows:] if rows > 0 else ():
        time = Text(f"{line.at:%H:%M:%S}", style="dim")
        table.add_row(time, Text(line.mark, style=line.style), Text(clean(line.text), style=line.style))
    return _framed(table, "decisions")
