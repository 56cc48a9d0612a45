"""Every number that a wish is held against, out of the reports of all benchmarks: what to look at first.

Placement tells its rates by policy and not as measures, since they are columns of its table; here they stand beside the
others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agent.bench.measures import Measure

PLACEMENTS_PER_S = {"bestfit": 10_000, "fgd": 5_000, "watchkeeper": 5_000}
GROWTH_AT_MOST = 2.5  # times the cost of a placement, from 1,000 nodes to 10,000
POINTS_AT_LEAST = 1.0  # of allocation, won by a hundred moves from the fill that packs by the best fit
FILL = "bestfit"

Report = Mapping[str, Any]


def numbers(reports: Mapping[str, Report]) -> list[dict[str, Any]]:
    found = _of_placement(reports["placement"]) if "placement" in reports else []
    wished = (each for report in reports.values() for each in report.get("measures", ()))
    return [*found, *(dict(each) for each in wished if each["holds"] is not None)]


def _of_placement(report: Report) -> list[dict[str, Any]]:
    ran = report["ran_on"]
    conditions = f"{ran['nodes']:,} nodes, {ran['gpus']:,} GPUs, {len(ran['seeds'])} runs"
    found = [
        Measure(f"placement: {name}", report[name]["placements_per_s"], "/s", conditions, at_least=wish)
        for name, wish in PLACEMENTS_PER_S.items()
        if name in report
    ]
    found += [each for name, told in report.get("growth", {}).items() if (each := _growth(name, told)) is not None]
    won = report.get("defragment", {}).get(FILL, {}).get("points_won")
    if won:
        fill = f"the least of {len(won)} runs, at most {max(report['defragment'][FILL]['moves'])} moves"
        found.append(Measure(f"defragment a {FILL} fill", min(won), "points", fill, at_least=POINTS_AT_LEAST))
    return [{**asdict(each), "holds": each.holds} for each in found]


def _growth(name: str, told: Report) -> Measure | None:
    costs: Sequence[tuple[int, float]] = sorted((int(size), cost) for size, cost in told["us_per_placement"].items())
    if len(costs) < 2:
        return None
    (few, cheap), (many, dear) = costs[0], costs[-1]
    conditions = f"{dear:,.0f} us a placement on {many:,} nodes, {cheap:,.0f} us on {few:,}"
    return Measure(f"placement: {name}, as fleets grow", dear / cheap, "times", conditions, at_most=GROWTH_AT_MOST)
