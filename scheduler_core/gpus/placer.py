"""Places pods one by one by a policy, and remembers scores: after a placement only the changed node is scored anew.

For each kind of pod that has come there is a row: the score of every node. A placement changes one node; the other rows
learn of it when they are next used, all their changed nodes in one NumPy call. A placement so costs the look at a row's
best plus the nodes that have changed since that kind came last, whatever the size of the fleet.

The best score wins; of equal ones the first node of the fleet's order. A pod that fits somewhere is always placed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scheduler_core.gpus.ask import Ask
from scheduler_core.gpus.fleet import Fleet, Ints, Placement
from scheduler_core.gpus.islands import choose

ROWS_MAX = 1024  # kinds of pods remembered: 80 MB at 10,000 nodes; the one not seen for longest is forgotten
JOURNAL_MAX = 16_384  # changes remembered; a row that lags more is made anew, which costs about as much

NO_ROOM = -1


class GpuPolicy(Protocol):
    """Which place is best. Scores are whole numbers of 0 and more: equal ones must be equal exactly."""

    name: str

    def saw(self, ask: Ask) -> bool:
        """Told of each arrival before it is placed. True: all scores are to be made anew."""
        ...

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        """Of these rows of the fleet, on all of which the pod fits."""
        ...

    def choose(self, scores: Ints) -> int:
        """The row that gets the pod; `NO_ROOM` marks those that cannot."""
        ...

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        """Which GPU of the node a pod that shares one gets."""
        ...


@dataclass
class _Row:
    scores: Ints
    seen: int  # changes of the journal that it knows


class Placer:
    def __init__(self, fleet: Fleet, policy: GpuPolicy) -> None:
        self.fleet, self.policy = fleet, policy
        self.rows = np.arange(len(fleet))
        self._rows: OrderedDict[object, _Row] = OrderedDict()
        self._journal: list[int] = []
        self._forgotten = 0  # changes that the journal no longer holds

    def place(self, ask: Ask) -> Placement | None:
        """Puts a pod that has come where the policy wants it; None: it fits nowhere as things are."""
        if self.policy.saw(ask):
            self._rows.clear()
        return self.place_again(ask)

    def place_again(self, ask: Ask) -> Placement | None:
        """The same for a pod that has been seen before: nothing is learnt from it."""
        scores = self._scores(ask)
        row = self.policy.choose(scores) if len(scores) else NO_ROOM
        if row == NO_ROOM or scores[row] == NO_ROOM:
            return None
        placement = self.on(ask, row)
        self.put_back(placement)
        return placement

    def place_at(self, ask: Ask, row: int) -> Placement | None:
        """On this node, and only the GPU is the policy's choice."""
        if not len(self.fleet.fitting(ask, np.array([row]))):
            return None
        placement = self.on(ask, row)
        self.put_back(placement)
        return placement

    def take_away(self, placement: Placement) -> None:
        self.fleet.give_back(placement)
        self._changed(placement.node)

    def put_back(self, placement: Placement) -> None:
        """Exactly there, whatever the policy thinks of it."""
        self.fleet.take(placement)
        self._changed(placement.node)

    def on(self, ask: Ask, row: int) -> Placement:
        """Which GPUs of a node with room the pod would get. Nothing is taken yet."""
        if ask.mig is not None:
            found = self.fleet.slice_for(ask.mig, row)
            assert found is not None, "the row was scored as one with room"  # noqa: S101
            return Placement(ask, row, (found[0],), found[1])
        if ask.shares:
            return Placement(ask, row, (self.policy.gpu(self.fleet, ask, row),))
        left = self.fleet.left[row].tolist() if ask.gpus else []
        return Placement(ask, row, choose(left, self.fleet.nodes[row].islands or (len(left),), ask.gpus))

    def _scores(self, ask: Ask) -> Ints:
        row = self._rows.get(ask.key)
        if row is None or row.seen < self._forgotten:
            row = _Row(np.full(len(self.fleet), NO_ROOM, dtype=np.int64), self._now)
            self._rows[ask.key] = row
            if len(self._rows) > ROWS_MAX:
                self._rows.popitem(last=False)
            self._score(row, ask, self.rows)
        else:
            self._rows.move_to_end(ask.key)
            changed = set(self._journal[row.seen - self._forgotten :])
            row.seen = self._now
            if changed:
                self._score(row, ask, np.fromiter(changed, dtype=np.int64, count=len(changed)))
        return row.scores

    def _score(self, row: _Row, ask: Ask, rows: Ints) -> None:
        fitting = self.fleet.fitting(ask, rows)
        row.scores[rows] = NO_ROOM
        if len(fitting) and ask.mig is not None:
            row.scores[fitting] = [self._filled(ask.mig, node) for node in fitting.tolist()]
        elif len(fitting):
            row.scores[fitting] = self.policy.scores(self.fleet, ask, fitting)

    def _filled(self, profile: str, row: int) -> int:
        """A slice goes to the fullest GPU that can take it, whatever the policy: it mends no other fragment."""
        found = self.fleet.slice_for(profile, row)
        return 0 if found is None else int(self.fleet.slices[row, found[0]]).bit_count()

    @property
    def _now(self) -> int:
        return self._forgotten + len(self._journal)

    def _changed(self, row: int) -> None:
        self._journal.append(row)
        if len(self._journal) >= 2 * JOURNAL_MAX:
            del self._journal[:JOURNAL_MAX]
            self._forgotten += JOURNAL_MAX
