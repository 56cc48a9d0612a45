"""Many drawn days, each lived twice: with the agent and every request approved, and without it.

    python benchmarks/days.py --seeds 1-200 --jobs 2 --out days.jsonl

One JSON line a day, as it ends; a seed that has its line already is not lived again, so a run that was cut off goes on.
At the end: wrong actions, days with faults, and the share of the lost GPU-hours that the agent wins back.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent.cli.demo_close import closing_json
from agent.scenarios.day_told import DayTold
from agent.scenarios.days import alone, approve_all, day
from agent.scenarios.drawing import with_day
from agent.scenarios.losses import LossMeter
from agent.scenarios.performance import Performance


def lived(seed: int, trace: Path | None) -> dict[str, Any]:
    """As `watchkeeper demo --seed N --approve all --json` tells it; a day that breaks off says so."""
    logging.disable(logging.CRITICAL)
    begun = time.monotonic()
    try:
        story = with_day(day(seed, trace))
        with (
            tempfile.TemporaryDirectory(prefix="watchkeeper-days-") as folder,
            closing(Performance(story, Path(folder), meter=LossMeter())) as performance,
        ):
            while performance.step():
                approve_all(performance)
            told = DayTold.of(performance, alone(story), time.monotonic() - begun)
    except Exception as error:  # noqa: BLE001  a day that cannot be lived is a finding, and the others go on
        return {"seed": seed, "error": f"{type(error).__name__}: {error}"}
    return {**closing_json(told), "share": told.share, "wrong": told.result["wrong_actions"]}


def known(out: Path) -> dict[int, dict[str, Any]]:
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return {line["seed"]: line for line in map(json.loads, lines)}


def run(seeds: list[int], jobs: int, trace: Path | None) -> Iterator[dict[str, Any]]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for ended in as_completed([pool.submit(partial(lived, trace=trace), seed) for seed in seeds]):
            yield ended.result()


def summary(days: list[dict[str, Any]]) -> str:
    whole = [each for each in days if "error" not in each]
    shares = [each["share"] for each in whole if each["share"] is not None]
    quartiles = statistics.quantiles(shares, n=4) if len(shares) > 1 else []
    faulty = [each["seed"] for each in days if each.get("failures") or each.get("error")]
    lines = [
        f"days             {len(days)}, of which {len(days) - len(whole)} could not be lived",
        f"wrong actions    {sum(each['wrong_actions'] for each in whole)}",
        f"partial gangs    {sum(len(each['partial_gangs']) for each in whole)}",
        f"logs not intact  {sum(not each['log']['intact'] for each in whole)}",
        f"days with faults {len(faulty)} {sorted(faulty)[:30]}",
        f"won back         quartiles {', '.join(f'{q:.0%}' for q in quartiles)} of what each day loses alone",
        f"seconds a day    {statistics.median([each['seconds'] for each in whole] or [0]):.0f} (median, both runs)",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-200", help="first-last")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--out", type=Path, default=Path("days.jsonl"))
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    done = known(asked.out)
    with asked.out.open("a", encoding="utf-8") as out:
        for told in run([seed for seed in seeds if seed not in done], asked.jobs, asked.trace):
            out.write(json.dumps(told) + "\n")
            out.flush()
            done[told["seed"]] = told
            print(told["seed"], told.get("error") or f"{told['wrong_actions']} wrong, {told['failures']}", flush=True)
    print(summary([done[seed] for seed in seeds if seed in done]))


if __name__ == "__main__":
    main()
