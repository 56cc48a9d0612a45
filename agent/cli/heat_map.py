"""A heat map of GPUs, one row a node: as many columns as the nodes need, larger cells where there is room. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.panel import Panel
from rich.text import Text

from agent.cli.live_facts import Cell, NodeRow
from agent.cli.output import clean

CELLS = {
    Cell.FREE: ("·", "bright_black"),
    Cell.STARTING: ("+", "blue"),
    Cell.HELD: ("▪", "cyan"),
    Cell.IDLE: ("○", "yellow"),
    Cell.LOW: ("▃", "green"),
    Cell.HALF: ("▅", "green"),
    Cell.BUSY: ("█", "bright_green"),
    Cell.FAULTY: ("×", "bold bright_red"),
}
LEGEND = "█ busy ○ idle ▪ held · free × fault"
GAP = 2  # between columns of nodes
FRAME = 4  # the border and its padding
NARROWEST = len(LEGEND) + FRAME + 2  # the legend stands in the frame, with a blank on each side


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`rows` is the height inside its frame, `room` the most columns it may take, frame included."""

    nodes: tuple[NodeRow, ...]
    rows: int
    room: int

    @property
    def airy(self) -> bool:
        """A line between nodes and wider cells, where everything fits all the same."""
        return 2 * len(self.nodes) <= self.rows + 1 and self._node_width(3) + FRAME <= self.room

    @property
    def width(self) -> int:
        columns = min(self._columns_needed(), self._columns_fitting())
        return max(NARROWEST, columns * (self._node_width(self._cell_width) + GAP) - GAP + FRAME)

    @property
    def panel(self) -> Panel:
        columns = max(1, min(self._columns_needed(), self._columns_fitting()))
        shown = self.nodes[: self.rows * columns]
        lines = [Text(no_wrap=True, overflow="crop") for _ in range(max(1, min(self.rows, -(-len(shown) // columns))))]
        for index, node in enumerate(shown):
            line = lines[index % len(lines)]
            line.append_text(Text(" " * GAP) if line else Text())
            line.append_text(self._node(node))
        left = len(self.nodes) - len(shown)
        return Panel(
            Text("\n\n" if self.airy else "\n").join(lines),
            title=f"GPUs by node{f' (and {left} more)' if left else ''}",
            subtitle=LEGEND,
            title_align="left",
            subtitle_align="left",
            padding=(0, 1),
        )

    @property
    def _cell_width(self) -> int:
        return 3 if self.airy else 1

    def _columns_needed(self) -> int:
        return 1 if self.airy else max(1, -(-len(self.nodes) // max(self.rows, 1)))

    def _columns_fitting(self) -> int:
        return max(1, (self.room - FRAME + GAP) // (self._node_width(self._cell_width) + GAP))

    def _node_width(self, cell_width: int) -> int:
        cells = max((len(node.cells) for node in self.nodes), default=0)
        return self._name_width() + cells * cell_width

    def _name_width(self) -> int:
        return max((len(node.name) for node in self.nodes), default=0) + 2

    def _node(self, node: NodeRow) -> Text:
        """The name, a sign when it is cordoned or not ready, and its GPUs."""
        mark, style = ("!", "bold red") if not node.ready else ("-", "yellow") if node.cordoned else (" ", "")
        text = Text(f"{clean(node.name)}{mark} ".rjust(self._name_width()), style=style)
        for cell in node.cells:
            sign, colour = CELLS[cell]
            text.append(f"{sign * (self._cell_width - 1)} " if self.airy else sign, style=colour)
        return text
