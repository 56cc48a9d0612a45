"""Draws what `bench placement` measured: allocation against demand, a line per policy."""

from pathlib import Path

PERCENT_FROM = 75  # up to 90 all but random and spread place everything
PERCENT_TO = 130


def draw(curves: dict[str, dict[int, float]], bound: float | None, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    styles = ["-", "--", "-.", ":"]
    for number, (name, curve) in enumerate(curves.items()):
        points = [(at, value) for at, value in curve.items() if PERCENT_FROM <= at <= PERCENT_TO]
        wide = 2.4 if name == "watchkeeper" else 1.4
        axes.plot(*zip(*points, strict=True), styles[number % len(styles)], label=name, linewidth=wide)
    if bound is not None:
        axes.axhline(bound, color="black", linewidth=0.8, linestyle=(0, (1, 3)), label="bound at 100 %")
    axes.set_xlabel("GPUs asked for by the pods that have come, % of the fleet's")
    axes.set_ylabel("GPUs allocated, % of the fleet's")
    axes.set_ylim(74, 98)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", ncols=2)
    figure.savefig(file, dpi=120, metadata={"Software": None})  # the same file for the same numbers
    plt.close(figure)
