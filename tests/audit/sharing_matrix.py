"""The whole tamper matrix, looked at by stretches: told the same, word for word, as by one who looks at all of it.

Imported by the tests of each store. The stretches are looked at in this process here, through the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import tampers_of_order
import tampers_of_rows
import tampers_of_tree
from tampering import LET_GO, MATRIX, NOON, SIZE, Place, forged, write_evidence

from audit.rescan import rescan
from audit.rows import RecordRow, Rows
from audit.stretch import Seen, Stretch, look_at
from audit.verdict import Verdict

MODULES = (tampers_of_rows, tampers_of_order, tampers_of_tree)

OpenRows = Callable[[], AbstractContextManager[Rows]]
"""A fixture of each store's tests."""

REDACTED = {"redacts": 12, "kind": "approval", "places": ["/attributes/approver", "/payload/reason"], "reason": "asked"}

FAILED = (Exception,)
"""Of any driver: what stops one way of looking has to stop the other."""


@dataclass
class Here:
    """A share that nobody else takes. Notes whether it ever had to say no."""

    rows: Rows
    level: int
    asked: int = 0
    refused: bool = False

    def pays(self, records: int) -> bool:
        return True

    def look(self, stretches: Sequence[Stretch], wanted: frozenset[int]) -> Iterator[Seen | None]:
        for each in stretches:
            self.asked += 1
            seen = look_at(self.rows, each, wanted)
            self.refused = self.refused or seen is None
            yield seen


@dataclass
class Told:
    verdict: dict[str, Any] | str
    share: Here | None
    whole_walks: int = 0


def told(
    open_rows: OpenRows, level: int | None, root: bytes | None = None, sizes: frozenset[int] = frozenset()
) -> Told:
    """By one who looks at all, or by stretches of 2^level records at most."""
    with open_rows() as rows:
        verdict = Verdict("a log", sizes=sizes, anchored=root is not None)
        walks = [0]
        counted = _counting(rows, walks)
        share = None if level is None else Here(rows, level)
        try:
            rescan(counted, verdict, root, None if root is None else SIZE, share)
        except FAILED as error:
            return Told(f"{type(error).__name__} at {verdict.size}", share, walks[0])
        return Told({**verdict.as_json(), "roots": verdict.roots}, share, walks[0])


def _counting(rows: Rows, walks: list[int]) -> Rows:
    records = rows.records

    def walked() -> Iterator[RecordRow]:
        walks[0] += 1
        return records()

    rows.records = walked  # type: ignore[method-assign] - of this object alone: those within are others
    return rows


@pytest.fixture
def shared_root(place: Place) -> bytes:
    with place.open() as log:
        write_evidence(log)
        return log.root()


@pytest.mark.parametrize("name", MATRIX)
def test_tamper_seen_by_stretches(place: Place, shared_root: bytes, open_rows: OpenRows, name: str) -> None:
    with place.hand() as hand:
        MATRIX[name].do(hand)
    sizes = frozenset({0, 1, 7, 8, 13, SIZE})
    for root in (None, shared_root):
        alone = told(open_rows, None, root, sizes)
        for level in (0, 2):
            by_stretches = told(open_rows, level, root, sizes)
            assert by_stretches.verdict == alone.verdict, (by_stretches.verdict, alone.verdict)


@pytest.mark.parametrize("level", range(6))
def test_an_honest_log_is_looked_at_once(place: Place, shared_root: bytes, open_rows: OpenRows, level: int) -> None:
    """By stretches alone, with all roots on the way, whatever was let go as a record says."""
    with place.hand() as hand:
        hand.put(forged(hand.stored(20), kind="redaction", attributes={"redacts": "12"}, payload=REDACTED))
        hand.remove('"index" = 20', tables=("attributes",))
        hand.run("INSERT INTO log_attributes VALUES (20, 'redacts', '12')")
        hand.remove('"index" = 12', tables=("parts",))
        tampers_of_tree.rebuild_tree(hand)
        tampers_of_tree.leave_stubs(hand, LET_GO)
    sizes = frozenset(range(SIZE + 1))
    alone, shared = told(open_rows, None, sizes=sizes), told(open_rows, level, sizes=sizes)
    assert shared.verdict == alone.verdict
    assert isinstance(shared.verdict, dict)
    assert shared.verdict["ok"], shared.verdict
    assert shared.verdict["redacted"] and shared.verdict["dropped"] == LET_GO
    assert set(shared.verdict["roots"]) == sizes
    assert (shared.whole_walks, alone.whole_walks) == (0, 1)


@pytest.mark.parametrize("level", range(6))
@pytest.mark.parametrize("back_s", [3, 60])
def test_a_clock_gone_back_seen_by_stretches(place: Place, open_rows: OpenRows, level: int, back_s: int) -> None:
    with place.open() as log:
        write_evidence(log, end=11)
        for second in range(11):
            at = NOON + timedelta(seconds=10 - back_s + second)
            log.append("heartbeat", actor="agent", at=at)
    alone, shared = told(open_rows, None), told(open_rows, level)
    assert shared.verdict == alone.verdict
    assert isinstance(alone.verdict, dict)
    assert alone.verdict["warnings"]["ok"] == (back_s == 3)
    if back_s == 3:
        assert shared.whole_walks == 0
