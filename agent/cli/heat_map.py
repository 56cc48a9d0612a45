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


LAYOUTS = ((3, 2), (3, 1), (1, 1))  # columns of a GPU and lines of a node, the roomiest first


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`rows` is the height inside its frame, `room` the most columns it may take, frame included."""

    nodes: tuple[NodeRow, ...]
    rows: int
    room: int

    @property
    def width(self) -> int:
        cell, _, columns = self._layout()
        return max(NARROWEST, self._taken(cell, columns))

    @property
    def height(self) -> int:
        """Lines inside the frame that it needs."""
        _, lines, columns = self._layout()
        return max(1, min(self.rows, self._per_column(columns) * lines - (lines - 1)))

    @property
    def panel(self) -> Panel:
        cell, lines, columns = self._layout()
        per_column = max(1, min(self._per_column(columns), (self.rows + lines - 1) // lines))
        shown = self.nodes[: per_column * columns]
        texts = [Text(no_wrap=True, overflow="crop") for _ in range(max(1, min(per_column, len(shown))))]
        for index, node in enumerate(shown):
            line = texts[index % len(texts)]
            line.append_text(Text(" " * GAP) if line else Text())
            line.append_text(self._node(node, cell))
        left = len(self.nodes) - len(shown)
        return Panel(
            Text("\n" * lines).join(texts),
            title=f"GPUs by node{f' (and {left} more)' if left else ''}",
            subtitle=LEGEND,
            title_align="left",
            subtitle_align="left",
            padding=(0, 1),
        )

    def _layout(self) -> tuple[int, int, int]:
        """(columns of a GPU, lines of a node, columns of nodes): the roomiest in which every node finds its place."""
        for cell, lines in LAYOUTS:
            columns = max(1, -(-len(self.nodes) // max(1, (self.rows + lines - 1) // lines)))
            if self._taken(cell, columns) <= self.room:
                return cell, lines, columns
        cell, lines = LAYOUTS[-1]
        return cell, lines, max(1, (self.room - FRAME + GAP) // (self._node_width(cell) + GAP))

    def _per_column(self, columns: int) -> int:
        return -(-len(self.nodes) // columns)

    def _taken(self, cell: int, columns: int) -> int:
        return columns * (self._node_width(cell) + GAP) - GAP + FRAME

    def _node_width(self, cell_width: int) -> int:
        cells = max((len(node.cells) for node in self.nodes), default=0)
        return self._name_width() + cells * cell_width

    def _name_width(self) -> int:
        return max((len(node.name) for node in self.nodes), default=0) + 2

    def _node(self, node: NodeRow, cell_width: int) -> Text:
        """The name, a sign when it is cordoned or not ready, and its GPUs."""
        mark, style = ("!", "bold red") if not node.ready else ("-", "yellow") if node.cordoned else (" ", "")
        text = Text(f"{clean(node.name)}{mark} ".rjust(self._name_width()), style=style)
        for cell in node.cells:
            sign, colour = CELLS[cell]
            text.append(f"{sign * (cell_width - 1)} " if cell_width > 1 else sign, style=colour)
        return text
