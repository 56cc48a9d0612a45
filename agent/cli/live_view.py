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
from agent.cli.live_facts import Facts, GangRow, QueueRow
from agent.cli.live_feed import Feed, FeedLine
from agent.cli.output import clean

WIDE = 120  # columns from which the decisions stand beside the map, not below it
LIST_LEAST = 6  # lines of queues, and of gangs, frame included, beside which the map may grow
MIDDLE_LEAST = 5  # lines of queues and incidents, frame included
BAR, BAR_SHORT = 20, 6  # columns of a queue's gauge
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
    """The map and those who wait on the left; what is wrong and what was decided on the right."""
    heat = HeatMap(facts.nodes, height - 2 * LIST_LEAST - BORDERS, width // 2)
    page.split_row(Layout(name="left", size=max(heat.width, width * 2 // 5)), Layout(name="right"))
    left = height - heat.height - BORDERS
    queues = _rows(len(facts.queues), left // 2 - BORDERS)
    page["left"].split_column(
        Layout(heat.panel, size=heat.height + BORDERS),
        Layout(_queues(facts, queues), size=queues + BORDERS),
        Layout(_gangs(facts, left - queues - 2 * BORDERS)),
    )
    incidents = _rows(len(feed.incidents), height // 3)
    page["right"].split_column(
        Layout(_incidents(feed, incidents, wide=True), size=incidents + BORDERS),
        Layout(_decisions(feed.lines, height - incidents - 2 * BORDERS)),
    )


def _below(page: Layout, facts: Facts, feed: Feed, width: int, height: int) -> None:
    """The map over the whole width; below it, those who wait beside what is wrong; then what was decided."""
    heat = HeatMap(facts.nodes, height // 2 - BORDERS, width)
    middle = max(MIDDLE_LEAST, (height - heat.height - BORDERS) // 2)
    decisions = height - heat.height - BORDERS - middle
    page.split_column(
        Layout(heat.panel, size=heat.height + BORDERS),
        Layout(name="middle", size=middle),
        Layout(_decisions(feed.lines, decisions - BORDERS)),
    )
    page["middle"].split_row(
        Layout(_waiting(facts, middle - BORDERS), size=width // 2 - 2),
        Layout(_incidents(feed, middle - BORDERS, wide=False)),
    )


def _rows(there: int, most: int) -> int:
    return max(1, min(there, most))


def _headline(moment: Moment, facts: Facts, feed: Feed, width: int) -> RenderableType:
    used, total = facts.gpus
    closed = sum(incident.state != "open" for incident in feed.incidents.values())
    line = Text(style="reverse")
    line.append(f" watchkeeper  {moment.now:%H:%M:%S}", style="bold")
    line.append(f"  {clean(moment.note)}" if moment.note else "", style="bold yellow")
    if width >= WIDE:
        line.append(f"  {moment.begun:%F %T} and {moment.end - moment.begun} on, seed {moment.seed}")
    line.append(f"  {used}/{total} GPUs  {facts.waiting} pods wait  {closed}/{len(feed.incidents)} closed")
    line.truncate(width, pad=True)
    return line


def _grid(*ratios: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for ratio in ratios:
        table.add_column(ratio=ratio or None, no_wrap=True, overflow="ellipsis")
    return table


def _framed(table: Table, title: str, left_out: int = 0) -> Panel:
    more = f" (and {left_out} more)" if left_out > 0 else ""
    return Panel(table, title=f"{title}{more}", title_align="left", padding=(0, 1))


def _queues(facts: Facts, rows: int) -> RenderableType:
    """Those in which somebody waits first, then the fullest."""
    table = _grid(0, 0, 0, 1)
    for queue in _in_need(facts)[:rows]:
        table.add_row(*_queue(queue, BAR))
    return _framed(table, "queues: GPUs taken of quota", len(facts.queues) - rows)


def _in_need(facts: Facts) -> list[QueueRow]:
    return sorted(facts.queues, key=lambda q: (-q.waiting, -(q.used / q.nominal if q.nominal else 0), q.name))


def _queue(queue: QueueRow, bar: int) -> tuple[Text, Text, Text, Text]:
    full = min(bar, round(bar * queue.used / queue.nominal)) if queue.nominal else 0
    borrows = queue.used - queue.nominal
    style = "yellow" if borrows > 0 else "green"
    gauge = Text("█" * full, style=style)
    gauge.append("░" * (bar - full), style="bright_black")
    state = Text("held ", style="bold red") if queue.held else Text()
    state.append(f"+{borrows} " if borrows > 0 else "", style="yellow")
    state.append(f"{queue.waiting} wait" if queue.waiting else "", style="bold yellow")
    return Text(clean(queue.name)), gauge, Text(f"{queue.used}/{queue.nominal}", justify="right"), state


def _gangs(facts: Facts, rows: int) -> RenderableType:
    table = _grid(0, 0, 0, 1)
    for gang in _in_trouble(facts)[:rows]:
        table.add_row(*_gang(gang))
    return _framed(table, "gangs: running of minimum", len(facts.gangs) - rows)


def _in_trouble(facts: Facts) -> list[GangRow]:
    """Stuck ones first, then those that wait."""
    rank = {"stuck": 0, "queued": 1, "suspended": 2}
    return sorted(facts.gangs, key=lambda gang: rank.get(gang.state, len(rank)))


def _gang(gang: GangRow) -> tuple[str | Text, ...]:
    style = {"stuck": "bold red", "running": "green", "queued": "yellow"}.get(gang.state, "")
    mark = Text(GANG_MARKS.get(gang.state, "?"), style=style)
    return mark, clean(gang.name), f"{gang.running}/{gang.minimum}", Text(gang.state, style=style)


def _waiting(facts: Facts, rows: int) -> RenderableType:
    """Little room: gangs that stand still, then queues."""
    gangs = [gang for gang in _in_trouble(facts) if gang.state == "stuck"][: max(1, rows // 2)]
    table = _grid(0, 0, 0, 1)
    for gang in gangs:
        mark, name, count, state = _gang(gang)
        table.add_row(Text(f"{mark} {name}", style="bold red"), "", count, state)
    for queue in _in_need(facts)[: max(0, rows - len(gangs))]:
        table.add_row(*_queue(queue, BAR_SHORT))
    return _framed(table, "stuck gangs, queues", len(facts.queues) - max(0, rows - len(gangs)))


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
