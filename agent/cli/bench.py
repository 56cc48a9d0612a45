"""`watchkeeper bench`: measures, and says on what. It shows what `agent.bench` found and decides nothing.

A benchmark is one row of `BENCHMARKS`: a module of `agent.bench` with `run`. `bench all` runs every row; a row without
options of its own gets its command from the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from agent.bench.measures import machine
from agent.bench.numbers import numbers
from agent.cli import bench_audit
from agent.cli.bench_measures import show_machine, show_measures, show_numbers, show_simulation
from agent.cli.output import EXIT_ERROR, EXIT_USAGE, JsonOption, fail, say, show_json, show_table


class Benchmark(NamedTuple):
    module: str  # of `agent.bench`, with `run(...) -> dict`
    line: str
    of_trace: bool = False  # it asks for --nodes and --pods
    own_command: bool = False  # it has options, and its command stands below


BENCHMARKS: dict[str, Benchmark] = {
    "placement": Benchmark("agent.bench.placement", "", of_trace=True, own_command=True),
    "queue": Benchmark(
        "agent.bench.queue",
        "Queues under load: Kueue's published loads, and one cycle over a thousand waiting gangs.",
    ),
    "admission": Benchmark(
        "agent.bench.admission", "Single questions to the scheduler core: how long they take, what they cost."
    ),
    "simulation": Benchmark("agent.bench.simulation", "", of_trace=True, own_command=True),
    "audit": Benchmark("agent.bench.audit", bench_audit.LINE, own_command=True),
    "policy": Benchmark("agent.bench.policy", "A decision of the shipped policies: how long each engine takes."),
}

SEEDS_MAX = 1000  # a run of all policies takes a few seconds a seed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Measures on this machine, beside what others say.")

NodesOption = Annotated[
    Path | None, typer.Option("--nodes", metavar="FILE", help="GPU nodes, in openb's columns (CSV).")
]
PodsOption = Annotated[Path | None, typer.Option("--pods", metavar="FILE", help="Pods, in openb's columns (CSV).")]
SeedsOption = Annotated[str, typer.Option("--seeds", metavar="N-M", help="One run for each: 42, 42-51 or 42,45,47.")]


@app.command(
    epilog="Example: watchkeeper bench placement --nodes nodes.csv --pods pods.csv --policy fgd --seeds 42-44",
)
def placement(
    nodes: NodesOption = None,
    pods: PodsOption = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME", help="One, several with commas, or all.", show_default=True)
    ] = "all",
    seeds: SeedsOption = "42-51",
    demand: Annotated[
        float, typer.Option("--demand", min=0.05, max=10, help="GPUs asked for in the end, over the fleet's.")
    ] = 1.3,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draws allocation against demand there (PNG, SVG).")
    ] = None,
    more: Annotated[
        bool, typer.Option("--more", help="Also what 100 moves win, and what a placement costs on 10,000 nodes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """How much of a fleet's GPUs each policy allocates while pods keep coming, and how fast it places them.

    Pods arrive one by one, never leave, and are dropped when they fit nowhere: the protocol of the published figures.
    """
    report, curves = _placement(nodes, pods, policy, seeds, demand, more=more)
    if picture is not None:
        _draw(curves, report, picture)
    if json:
        show_json(report)
    else:
        _show_placement(report, list(curves))


@app.command("all", epilog="Example: watchkeeper bench all --nodes nodes.csv --pods pods.csv --json")
def everything(
    nodes: NodesOption = None,
    pods: PodsOption = None,
    seeds: SeedsOption = "42-51",
    sizes: bench_audit.SizesOption = "10000,100000",
    json: JsonOption = False,
) -> None:
    """All benchmarks, one after the other; those of a trace where --nodes and --pods are given.

    With --json, `numbers` holds every number that has a wish, and `left_out` what was not run and why.
    """
    files = None if nodes is None and pods is None else _files("Placement is measured", nodes, pods)
    reports, left_out, failed = _all_of_them(files, seeds, sizes)
    wished = numbers(reports)
    if json:
        show_json({"machine": machine(), "numbers": wished, **reports, "left_out": left_out})
    else:
        _show_all(reports, wished, left_out)
    if failed:
        raise typer.Exit(EXIT_ERROR)


def _all_of_them(
    files: tuple[Path, Path] | None, seeds: str, sizes: str
) -> tuple[dict[str, dict[str, Any]], dict[str, str], bool]:
    """One that fails loses no other its numbers: it is left out with its reason."""
    reports: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    failed = False
    for name, each in BENCHMARKS.items():
        if each.of_trace and files is None:
            left_out[name] = "it needs --nodes FILE --pods FILE"
            continue
        try:
            reports[name] = _one_of_all(name, files, seeds, sizes)
        except typer.Exit:  # what was asked for is wrong, and has been said
            raise
        except Exception as error:  # noqa: BLE001  named in the report, and by the exit status
            left_out[name], failed = f"{type(error).__name__}: {error}", True
    return reports, left_out, failed


def _show_all(reports: dict[str, dict[str, Any]], wished: Any, left_out: dict[str, str]) -> None:
    for name, report in reports.items():
        say(name, style="bold")
        if name == "placement":
            _show_placement(report, [each for each in report if "placements_per_s" in report[each]])
        else:
            show_measures(report)
        say()
    say("Every number that has a wish", style="bold")
    show_numbers(wished)
    for name, why in left_out.items():
        say(f"left out: {name}: {why}")


def _one_of_all(name: str, files: tuple[Path, Path] | None, seeds: str, sizes: str) -> dict[str, Any]:
    """As its own command runs it without options."""
    if name == "placement" and files is not None:
        return _placement(*files, "all", seeds, 1.3, more=True)[0]
    if name == "audit":
        return _run(name, bench_audit.sizes_of(sizes))
    return _run(name, *(files or ()) if BENCHMARKS[name].of_trace else ())


@app.command(epilog="Example: watchkeeper bench simulation --nodes nodes.csv --pods pods.csv --load 1.2")
def simulation(
    nodes: NodesOption = None,
    pods: PodsOption = None,
    load: Annotated[
        float | None,
        typer.Option("--load", min=0.05, max=10, help="Closer together: GPU time asked for, over the fleet's."),
    ] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, metavar="PODS", help="The last so many pods.")] = None,
    fleet: Annotated[int, typer.Option("--fleet", min=1, metavar="NODES", help="So many of the nodes.")] = 12,
    json: JsonOption = False,
) -> None:
    """The trace with its times: who waits how long first come first served, with fair shares, with backfilling."""
    files = _files("A simulation runs", nodes, pods)
    from agent.bench.openb import TraceError
    from agent.bench.simulation import run

    try:
        with _progress() as tell:
            report = run(*files, load=load, most=most, fleet=fleet, tell=tell)
    except TraceError as error:
        fail(f"{error}.")
    if json:
        show_json(report)
    else:
        show_simulation(report)


@app.command("audit", help=bench_audit.LINE, epilog=bench_audit.EXAMPLE)
def audit(
    sizes: bench_audit.SizesOption = "10000,100000,1000000",
    dsn: bench_audit.DsnOption = None,
    store: bench_audit.StoreOption = "all",
    picture: bench_audit.PictureOption = None,
    json: JsonOption = False,
) -> None:
    from agent.bench.audit import run

    wanted, stores = bench_audit.sizes_of(sizes), bench_audit.stores_of(store)
    with _progress() as tell:
        report = run(wanted, dsn=dsn, stores=stores, tell=tell)
    if picture is not None:
        bench_audit.draw(report, picture)
    if json:
        show_json(report)
    else:
        show_measures(report)


def _command(name: str) -> Callable[[bool], None]:
    def command(json: JsonOption = False) -> None:
        report = _run(name)
        if json:
            show_json(report)
        else:
            show_measures(report)

    return command


for _name, _each in BENCHMARKS.items():
    if not _each.own_command:
        app.command(_name, help=_each.line, epilog=f"Example: watchkeeper bench {_name} --json")(_command(_name))


def _run(name: str, *words: object) -> dict[str, Any]:
    with _progress() as tell:
        tell(name)
        report: dict[str, Any] = importlib.import_module(BENCHMARKS[name].module).run(*words)
    return report


def _files(what: str, nodes: Path | None, pods: Path | None) -> tuple[Path, Path]:
    if nodes is None or pods is None:
        fail(
            f"{what} on a fleet and a list of pods: --nodes FILE --pods FILE.",
            "The openb trace is in github.com/hkust-adsl/kubernetes-scheduler-simulator, data/csv.",
            status=EXIT_USAGE,
        )
    return nodes, pods


def _placement(
    nodes: Path | None, pods: Path | None, policy: str, seeds: str, demand: float, *, more: bool
) -> tuple[dict[str, Any], dict[str, dict[int, float]]]:
    nodes, pods = _files("Placement is measured", nodes, pods)
    from agent.bench.openb import TraceError
    from agent.bench.placement import run
    from scheduler_core.gpus import GPU_POLICIES

    names = list(GPU_POLICIES) if policy == "all" else policy.split(",")
    unknown = [name for name in names if name not in GPU_POLICIES]
    if unknown:
        fail(f"There is no policy {unknown[0]!r}.", f"They are {', '.join(GPU_POLICIES)}, and all.", status=EXIT_USAGE)
    numbers = _seeds(seeds)
    try:
        with _progress() as tell:
            return run(nodes, pods, policies=names, seeds=numbers, demand=demand, fleetwide_too=more, progress=tell)
    except TraceError as error:
        fail(f"{error}.")


def _seeds(text: str) -> list[int]:
    try:
        found = [seed for part in text.split(",") for seed in _span(part)]
    except ValueError:
        fail(f"--seeds: {text!r} is not 42, 42-51 or 42,45,47.", status=EXIT_USAGE)
    if not 0 < len(found) <= SEEDS_MAX:
        fail(f"--seeds: {text!r} names {len(found)} seeds; 1 to {SEEDS_MAX} can be run.", status=EXIT_USAGE)
    return found


def _span(part: str) -> Sequence[int]:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being measured, on standard error where somebody looks."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: None
        return
    with console.status("") as status:
        yield status.update


def _draw(curves: dict[str, dict[int, float]], report: dict[str, Any], file: Path) -> None:
    try:
        from agent.bench.picture import draw

        draw(curves, report.get("bound_percent", {}).get("100"), file)
    except ImportError:
        fail("The picture needs matplotlib.", "pip install 'watchkeeper[bench]'")
    except (OSError, ValueError) as error:
        fail(f"{file}: the picture cannot be written: {error}.")


def _show_placement(report: dict[str, Any], policies: Sequence[str]) -> None:
    rows = []
    for name in policies:
        told = report[name]
        allocated = told["allocated_percent"]
        rows.append(
            (
                name,
                *(f"{allocated[at]:.2f}" if at in allocated else "" for at in ("90", "100", "130")),
                f"{told['sd'].get('100', 0):.2f}",
                f"{told['published_percent']['100']:.2f}" if "published_percent" in told else "",
                f"{told['below_bound']['100']:.2f}" if "below_bound" in told else "",
                f"{told['placements_per_s']:,}",
            )
        )
    show_table(("POLICY", "AT 90 %", "AT 100 %", "AT 130 %", "SD", "PUBLISHED", "TO BOUND", "PODS/S"), rows, nothing="")
    for name, told in report.get("defragment", {}).items():
        moves, won = max(told["moves"]), told["points_won"]
        say(f"From a {name} fill at 100 %, at most {moves} moves win {min(won):.2f} to {max(won):.2f} points.")
    for name, told in report.get("growth", {}).items():
        costs = ", ".join(f"{cost:,.0f} us at {int(size):,} nodes" for size, cost in told["us_per_placement"].items())
        say(f"A placement by {name} takes {costs}.")
    ran = report["ran_on"]
    show_machine(ran)
    if "bound_percent" in report:
        say(f"No policy that takes every pod that fits passes {report['bound_percent']['100']:.2f} % at 100 %.")
    say(f"{ran['nodes']:,} nodes, {ran['gpus']:,} GPUs, {len(ran['seeds'])} runs; PODS/S is CPU time of one process.")
