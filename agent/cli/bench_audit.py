"""`watchkeeper bench audit`: the one benchmark that may be given a database, and that draws how it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.output import EXIT_USAGE, fail

LINE = "The log: durable and provable appends, checks, proofs and queries, on a file and on PostgreSQL, as it grows."
EXAMPLE = "Example: watchkeeper bench audit --sizes 10000,100000 --json"
SIZE_MAX = 10_000_000  # hours of writing

SizesOption = Annotated[str, typer.Option("--sizes", metavar="N,M", help="Records at which it is looked at.")]
DsnOption = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        metavar="URL",
        envvar="WATCHKEEPER_BENCH_DSN",
        help="An empty PostgreSQL database of which you are the owner. Without it, one is started here.",
    ),
]
StoreOption = Annotated[str, typer.Option("--store", metavar="NAME", help="sqlite, postgresql or all.")]
PictureOption = Annotated[Path | None, typer.Option("--picture", metavar="FILE", help="Draws the growth (PNG, SVG).")]


def sizes_of(text: str) -> list[int]:
    """Whole incidents, so that each that is asked for is there."""
    try:
        sizes = sorted({int(part.replace("_", "")) for part in text.split(",")})
    except ValueError:
        fail(f"--sizes: {text!r} is not 10000,100000.", status=EXIT_USAGE)
    if any(size % 10 or not 100 <= size <= SIZE_MAX for size in sizes):
        fail(f"--sizes: tens between 100 and {SIZE_MAX:,}, not {text}.", status=EXIT_USAGE)
    return sizes


def stores_of(text: str) -> tuple[str, ...]:
    from agent.bench.audit import STORES

    if text == "all":
        return STORES
    if text not in STORES:
        fail(f"--store: there is no {text!r}; they are {', '.join(STORES)}, and all.", status=EXIT_USAGE)
    return (text,)


def draw(report: dict[str, Any], file: Path) -> None:
    try:
        from agent.bench.audit_picture import draw as draw_growth

        draw_growth(report, file)
    except ImportError:
        fail("The picture needs matplotlib.", "pip install 'watchkeeper[bench]'")
    except (OSError, ValueError) as error:
        fail(f"{file}: the picture cannot be written: {error}.")
