"""PromQL's functions over a range, on runs of samples: each is arithmetic, however many scrapes a run stands for."""

from collections.abc import Callable, Mapping, Sequence

from agent.adapters.simulated.series import SECOND_US, Run

Runs = Sequence[Run]
RangeFunction = Callable[[Runs, int, int], "float | None"]  # runs, start and end of the range (us)


def _count(runs: Runs, start_us: int, end_us: int) -> float:
    return float(sum(run.count for run in runs))


def _sum(runs: Runs, start_us: int, end_us: int) -> float:
    return sum(run.count * (run.first + run.last) / 2 for run in runs)


def _average(runs: Runs, start_us: int, end_us: int) -> float:
    return _sum(runs, start_us, end_us) / _count(runs, start_us, end_us)


def _least(runs: Runs, start_us: int, end_us: int) -> float:
    return min(min(run.first, run.last) for run in runs)


def _most(runs: Runs, start_us: int, end_us: int) -> float:
    return max(max(run.first, run.last) for run in runs)


def _last(runs: Runs, start_us: int, end_us: int) -> float:
    return runs[-1].last


def _delta(runs: Runs, start_us: int, end_us: int) -> float | None:
    return _extrapolated(runs, start_us, end_us, runs[-1].last - runs[0].first, counter=False)


def _increase(runs: Runs, start_us: int, end_us: int) -> float | None:
    """What a counter grew by; where it fell, it had been reset and began at 0."""
    grown = runs[-1].last - runs[0].first
    for index, run in enumerate(runs):
        if index and run.first < runs[index - 1].last:
            grown += runs[index - 1].last
        if run.increment < 0:  # every sample of the run is a reset, worth the value before it
            grown += (run.count - 1) * (2 * run.first + run.increment * (run.count - 2)) / 2
    return _extrapolated(runs, start_us, end_us, grown, counter=True)


def _rate(runs: Runs, start_us: int, end_us: int) -> float | None:
    increase = _increase(runs, start_us, end_us)
    return None if increase is None else increase / ((end_us - start_us) / SECOND_US)


def _extrapolated(runs: Runs, start_us: int, end_us: int, change: float, *, counter: bool) -> float | None:
    """As Prometheus does it: the samples' change is stretched to the range, but not far beyond the samples."""
    samples = sum(run.count for run in runs)
    covered = (runs[-1].last_us - runs[0].first_us) / SECOND_US
    if samples < 2 or not covered:
        return None
    to_start = (runs[0].first_us - start_us) / SECOND_US
    to_end = (end_us - runs[-1].last_us) / SECOND_US
    apart = covered / (samples - 1)
    if to_start >= apart * 1.1:
        to_start = apart / 2
    if counter and change > 0 and runs[0].first >= 0:
        to_start = min(to_start, covered * (runs[0].first / change))
    if to_end >= apart * 1.1:
        to_end = apart / 2
    return change * (covered + to_start + to_end) / covered


RANGE_FUNCTIONS: Mapping[str, RangeFunction] = {
    "rate": _rate,
    "increase": _increase,
    "delta": _delta,
    "avg_over_time": _average,
    "min_over_time": _least,
    "max_over_time": _most,
    "sum_over_time": _sum,
    "count_over_time": _count,
    "last_over_time": _last,
}
