"""Which leaves a pod may go to at all, room aside: taints, node selector, node affinity, nodes it keeps away from.

Asked only where the leaves are hosts; of a rack as a whole there is nothing to ask (Kueue). The order is Kueue's: a
node is counted under the first thing that stands in the way. Each is worked out once for each distinct value that
nodes have and then read off for all leaves at once.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scheduler_core.model import PodShape, Requirement, Taint, TaintEffect
from scheduler_core.topology.forest import Forest, Ints

MEMO_AT_MOST = 4_096  # shapes whose answer is kept: 40 MB at 10,000 leaves

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Gate:
    """Who gets in, and how many leaves each barrier keeps out, in Kueue's words."""

    open: Bools
    kept_out: dict[str, int]


@dataclass(eq=False)
class Gates:
    forest: Forest
    _memo: dict[Hashable, Gate] = field(default_factory=dict)
    _codes: dict[str, tuple[list[str | None], Ints]] = field(default_factory=dict)

    def gate(self, shape: PodShape) -> Gate:
        key = (
            tuple(sorted(shape.node_selector.items())),
            shape.tolerations,
            shape.required_node_affinity,
            shape.excluded_nodes,
        )
        if key not in self._memo:
            if len(self._memo) >= MEMO_AT_MOST:
                self._memo.clear()
            self._memo[key] = self._worked_out(shape)
        return self._memo[key]

    def _worked_out(self, shape: PodShape) -> Gate:
        size = len(self.forest.leaves)
        inside = np.ones(size, np.bool_)
        kept_out: dict[str, int] = {}
        if not self.forest.topology.ends_at_hosts:
            return Gate(inside, kept_out)

        def keep_out(what: str, barred: Bools) -> None:
            count = int(np.count_nonzero(inside & barred))
            if count:
                kept_out[what] = kept_out.get(what, 0) + count
                np.logical_and(inside, ~barred, out=inside)

        self._taints(shape, keep_out)
        for key, value in sorted(shape.node_selector.items()):
            keep_out("nodeSelector", ~self._where(key, value.__eq__))
        if shape.required_node_affinity:
            keep_out("affinity", ~self._affinity(shape))
        if shape.excluded_nodes:
            barred = np.zeros(size, np.bool_)
            barred[[self.forest.leaf_of_node[n] for n in shape.excluded_nodes if n in self.forest.leaf_of_node]] = True
            keep_out("excludedNode", barred)
        return Gate(inside, kept_out)

    def _taints(self, shape: PodShape, keep_out: Callable[[str, Bools], None]) -> None:
        rows: dict[Taint, list[int]] = {}
        answers: dict[tuple[Taint, ...], Taint | None] = {}
        for leaf, members in enumerate(self.forest.nodes):
            taints = members[0].taints
            if not taints:
                continue
            if taints not in answers:
                answers[taints] = next((t for t in taints if _keeps_out(t, shape)), None)
            first = answers[taints]
            if first is not None:
                rows.setdefault(first, []).append(leaf)
        for taint, leaves in rows.items():
            barred = np.zeros(len(self.forest.leaves), np.bool_)
            barred[leaves] = True
            keep_out(f'taint "{_words(taint)}"', barred)

    def _affinity(self, shape: PodShape) -> Bools:
        some = np.zeros(len(self.forest.leaves), np.bool_)
        for term in shape.required_node_affinity:
            every = np.full(len(some), bool(term.match_expressions))
            for expression in term.match_expressions:
                every &= self._where(expression.key, _test(expression))
            some |= every
        return some

    def _where(self, key: str, holds: Callable[[str | None], object]) -> Bools:
        """The leaves whose value of a label passes the test; None stands for a node without it."""
        if key not in self._codes:
            values: dict[str | None, int] = {}
            of_leaf = [values.setdefault(members[0].labels.get(key), len(values)) for members in self.forest.nodes]
            self._codes[key] = (list(values), np.array(of_leaf, np.int64))
        known, codes = self._codes[key]
        return np.array([holds(value) is True for value in known], np.bool_)[codes]


def _test(expression: Requirement) -> Callable[[str | None], bool]:
    return lambda value: expression.matches({} if value is None else {expression.key: value})


def _keeps_out(taint: Taint, shape: PodShape) -> bool:
    if taint.effect == TaintEffect.PREFER_NO_SCHEDULE:
        return False
    return not any(toleration.tolerates(taint) for toleration in shape.tolerations)


def _words(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
