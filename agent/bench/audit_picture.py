"""Draws what `bench audit` measured against the size of the log: how checks, proofs, queries and the file grow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.bench.audit_report import FSCK_S, PROOF_MS, QUERY_MS

STYLES = {"sqlite": ("SQLite", "o-"), "postgresql": ("PostgreSQL", "s--")}
PANELS: tuple[tuple[str, float | None, Callable[[dict[str, Any], str], float]], ...] = (
    ("check of the whole log, s", FSCK_S, lambda found, size: found["fsck_s"][size]),
    ("inclusion proof, p99, ms", PROOF_MS, lambda found, size: found["proof_spread_ms"][size]["p99"]),
    ("records of one incident, p99, ms", QUERY_MS, lambda found, size: found["query_ms"][size]["p99"]),
    ("bytes per record", None, lambda found, size: found["bytes_per_record"][size]),
)
"""What is drawn, and what was wished of it at the largest size."""


def draw(report: dict[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    panels: list[Any] = [axes for row in grid for axes in row]
    for axes, (title, wished, value) in zip(panels, PANELS, strict=True):
        for name, (store, style) in STYLES.items():
            if name in report:
                sizes = sorted(report[name]["fsck_s"], key=int)
                axes.plot(
                    [int(size) for size in sizes], [value(report[name], size) for size in sizes], style, label=store
                )
        axes.set_xscale("log")
        axes.set_title(title, fontsize=10)
        if wished is not None:
            axes.axhline(wished, color="grey", linestyle=":", label="wished of 1,000,000 records")
        axes.grid(alpha=0.3)
    grid[0][0].set_yscale("log")
    for axes in panels[1:]:
        axes.set_ylim(bottom=0)
    for axes in grid[1]:
        axes.set_xlabel("records in the log")
    grid[0][0].legend()
    figure.savefig(file, dpi=120, metadata={"Software": None})  # the same file for the same numbers
    plt.close(figure)
