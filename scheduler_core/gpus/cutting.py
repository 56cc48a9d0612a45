"""What a GPU's remainder is worth when parts of GPUs keep coming: the prices of the cutting-stock problem.

GPUs are the stock, the parts that pods take are the pieces. Over all ways to fill one GPU (patterns) the linear program
asks for the fewest GPUs that hold the pieces seen; its dual gives every piece a price in GPUs. What cannot be combined
is dear (a part of 0.81 costs a whole GPU where little fits beside it), what fills gaps is cheap or free. A remainder is
worth the best pieces that fit into it.

Solved by column generation (Gilmore and Gomory, Operations Research 9, 1961): the basis is as large as there are sizes,
and the pattern that enters is a knapsack over 1,000 milli. Stopped early, the prices are scaled down until no pattern
is worth more than one GPU (Farley, Operations Research 38, 1990): then they are lower than they could be, never wrong.
"""

from collections.abc import Mapping

import numpy as np

from scheduler_core.gpus.ask import MILLI
from scheduler_core.gpus.fragments import Floats

SIZES_MAX = 48  # sizes priced one by one, the rare ones of more as the next larger: with 48 the prices take 0.05 s
ROUNDS_MAX = 400  # patterns tried; 25 sizes need about 60
EPSILON = 1e-9


def remainder_values(counts: Mapping[int, float]) -> Floats:
    """In GPUs, for 0 to 1,000 milli left; `counts` says how many parts of each size have come."""
    counts = _fewer_sizes(counts)
    if not counts:
        return np.where(np.arange(MILLI + 1) < MILLI, 0.0, 1.0)
    sizes = sorted(counts)
    wanted = np.array([counts[size] for size in sizes], dtype=np.float64)
    basis = np.diag([float(MILLI // size) for size in sizes])
    for _ in range(ROUNDS_MAX):
        prices: Floats = np.linalg.solve(basis.T, np.ones(len(sizes))).astype(np.float64)
        values, pattern = _best_filling(sizes, prices)
        if values[MILLI] <= 1 + EPSILON:
            break
        enters, amounts = np.linalg.solve(basis, np.stack([pattern, wanted], axis=1)).T
        ratios = np.where(enters > EPSILON, amounts / np.where(enters > EPSILON, enters, 1), np.inf)
        basis[:, int(ratios.argmin())] = pattern
    scaled: Floats = values / values[MILLI]
    return scaled


def _best_filling(sizes: list[int], prices: Floats) -> tuple[Floats, Floats]:
    """The unbounded knapsack: the best value in each capacity, and what fills a whole GPU best."""
    stages = [np.zeros(MILLI + 1)]
    for size, price in zip(sizes, prices.tolist(), strict=True):
        before, best = stages[-1], stages[-1].copy()
        for pieces in range(1, MILLI // size + 1 if price > 0 else 0):
            at = pieces * size
            np.maximum(best[at:], before[: MILLI + 1 - at] + pieces * price, out=best[at:])
        stages.append(best)
    pattern, left = np.zeros(len(sizes)), MILLI
    for i in range(len(sizes) - 1, -1, -1):
        size, price = sizes[i], float(prices[i])
        options = [float(stages[i][left - n * size]) + n * price for n in range(left // size + 1 if price > 0 else 1)]
        pieces = max(range(len(options)), key=options.__getitem__)
        pattern[i] = pieces
        left -= pieces * size
    return stages[-1], pattern


def _fewer_sizes(counts: Mapping[int, float]) -> dict[int, float]:
    if len(counts) <= SIZES_MAX:
        return dict(counts)
    often = sorted(counts, key=lambda size: (-counts[size], -size))
    half = SIZES_MAX // 2
    rare = sorted(often[half:], reverse=True)
    kept = sorted({*often[:half], *rare[:: -(-len(rare) // half)], max(counts)})
    fewer = dict.fromkeys(kept, 0.0)
    for size, count in counts.items():
        fewer[min(each for each in kept if each >= size)] += count
    return fewer
