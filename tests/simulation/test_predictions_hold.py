"""Where nothing else happens, what was predicted comes true: in small worlds drawn from a seed, one action each.

Not in every one. A gang that gives way leaves its nodes pod by pod and its quota at once, so now and then a smaller
one slips in before the larger one, for which there will be room in a second, can start: of 700 worlds that was so in
eleven of 732 effects. The forecaster takes the change as one; that is the share it is allowed to miss.
"""

from collections import Counter
from pathlib import Path

from predicting import Tried, tried

WORLDS = range(1000, 1060)
KEPT_AT_LEAST = 0.95  # 0.98 was measured over 700 worlds


def told(each: Tried) -> list[str]:
    missed = (f for f in each.foreseen if f.came != "kept")
    return [f"{each.seed}: {each.action} {each.target}: {f.effect}: {f.came}, {f.reason}" for f in missed]


def test_what_was_predicted_comes_true_where_nothing_else_happens(tmp_path: Path) -> None:
    lived = [each for seed in WORLDS if (each := tried(seed, tmp_path)) is not None]
    counts = Counter(f.came for each in lived for f in each.foreseen)
    assert [each for each in lived if each.undone] == []
    assert len({each.action for each in lived}) >= 7
    assert counts.total() > len(WORLDS) / 2
    assert counts["kept"] >= KEPT_AT_LEAST * counts.total(), "\n".join(line for each in lived for line in told(each))
